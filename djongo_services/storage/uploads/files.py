"""What forms and views get: uploaded files whose bytes are in a bucket, or were refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NoReturn

from django.core.files.uploadedfile import UploadedFile

from djongo_services.storage.base import BucketStorage
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.bucket.indexes import ensure_indexes
from djongo_services.storage.codecs.chain import has_random_access
from djongo_services.storage.content_types import sniffed
from djongo_services.storage.gridfs import GridFSStorage
from djongo_services.storage.held import Held
from djongo_services.storage.reading import StoredFileReader
from djongo_services.storage.uploads.held import HeldUpload
from djongo_services.storage.uploads.limits import TooLarge


class GridFSUploadedFile(UploadedFile):  # type: ignore[type-arg]  # generic in the stubs only
    """An UploadedFile like any other; a GridFSStorage on the same bucket saves it without a copy.

    Closing it, which the request does at its end, removes it unless it was saved.
    """

    def __init__(
        self,
        upload: HeldUpload,
        storage: GridFSStorage,
        *,
        head: bytes,
        field_name: str,
        name: str,
        size: int,
        **details: Any,
    ) -> None:
        self._upload = upload
        self._storage = storage
        self._head = head
        self._reader: io.BufferedReader | None = None
        self.field_name = field_name
        super().__init__(None, name, size=size, **details)

    @cached_property
    def sniffed_type(self) -> str:
        """The content type that its first bytes show, whatever the client declared.

        Raises ImproperlyConfigured without the package puremagic.
        """
        return sniffed(self._head, self.name or "")

    def held_for(self, storage: BucketStorage) -> Held | None:
        """None, too, when it is saved already: a second file is a copy."""
        upload = self._upload
        if upload.ended or upload.closed or _recipe(storage) != _recipe(self._storage):
            return None
        # The upload's own storage may do without the index that keeps names apart.
        ensure_indexes(storage.bucket.layout)
        return Held(stream=upload, document=upload.document(), head=self._head)

    @property
    def file(self) -> Any:
        """What the bytes are read from; a new one after somebody closed it."""
        if self._reader is None or (self._reader.closed and not self.closed):
            self._reader = self._new_reader()
        return self._reader

    @file.setter
    def file(self, file: Any) -> None:
        """Django sets it; there is one already."""

    @property
    def closed(self) -> bool:
        return self._upload.ended

    def open(self, mode: str | None = None) -> GridFSUploadedFile:  # type: ignore[override]
        """From the beginning. Raises ValueError once it is closed."""
        if self.closed:
            raise ValueError(f"The upload {self.name!r} is closed, and was not kept.")
        self.file.seek(0)
        return self

    def close(self) -> None:
        self._upload.end()
        if self._reader is not None:
            self._reader.close()

    def _new_reader(self) -> io.BufferedReader:
        stored = StoredFile.from_document(self._upload.document())

        def read(start: int, stop: int) -> Iterator[bytes]:
            if self.closed:
                raise ValueError(f"The upload {self.name!r} is closed.")
            return self._storage.read_range(stored, start, stop)

        raw = StoredFileReader(
            stored, self.size or 0, read, random_access=has_random_access(stored)
        )
        return io.BufferedReader(raw, self.DEFAULT_CHUNK_SIZE)


class RefusedFile(UploadedFile):  # type: ignore[type-arg]  # generic in the stubs only
    """A file of which nothing was kept. Its name is known; whatever needs more raises ``error``."""

    def __init__(self, error: TooLarge, field_name: str, name: str, **details: Any) -> None:
        self.error = error
        self.field_name = field_name
        super().__init__(None, name, **details)

    @property
    def size(self) -> int:
        self._refuse()

    @size.setter
    def size(self, size: int | None) -> None:
        """Django sets it; it is not known."""

    @property
    def file(self) -> Any:
        self._refuse()

    @file.setter
    def file(self, file: Any) -> None:
        """Django sets it; there is none."""

    @property
    def closed(self) -> bool:
        return False

    def seek(self, *position: int) -> int:
        """To the beginning, where a request that is tried again begins: there is nothing else."""
        return 0

    def close(self) -> None:
        """There is nothing to remove."""

    def _refuse(self) -> NoReturn:
        raise self.error


def _recipe(storage: BucketStorage) -> tuple[object, ...]:
    """All that decides where bytes are, in which form, and how safe."""
    layout, options = storage.bucket.layout, storage.options
    place = (id(layout.client), layout.database.name, layout.name)
    return (*place, options.chunk_size, tuple(options.codecs), options.pymongo_write_concern())
