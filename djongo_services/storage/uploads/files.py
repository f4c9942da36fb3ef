"""What forms and views get: uploaded files whose bytes are in a bucket, or were refused.

One of them is a :class:`Receiving` while its bytes arrive, of which a request may bring a quota.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NoReturn

from bson import ObjectId
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext

from djongo_services.storage.base import BucketStorage, Held
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.bucket.chunking import Chunker
from djongo_services.storage.bucket.synchronous.uploading import ensure_indexes
from djongo_services.storage.codecs import Chain
from djongo_services.storage.codecs.chain import has_random_access
from djongo_services.storage.content import HEAD, sniffed
from djongo_services.storage.errors import StorageError
from djongo_services.storage.gridfs import GridFSStorage
from djongo_services.storage.reading import StoredFileReader
from djongo_services.storage.uploads.pending import HeldUpload
from djongo_services.storage.uploads.progress import Reporter


class TooLarge(StorageError, ValidationError, RequestDataTooBig):
    """An uploaded file is larger than allowed.

    A form shows it beside the field, as a ValidationError; a view that lets it pass answers 400, as
    Django does for RequestDataTooBig.
    """

    def __init__(self, message: str, *, limit: int) -> None:
        """``limit`` in bytes; ``%(limit)s`` in the message is the same in words."""
        params = {"limit": filesizeformat(limit)}
        ValidationError.__init__(self, message, code="too_large", params=params)
        self.limit = limit

    def __str__(self) -> str:
        return str(self.message) % self.params


class Quota:
    """Bytes of each file, and of all files of a request together; None: no limit."""

    def __init__(self, *, max_size: int | None, max_total: int | None) -> None:
        self._max_size = max_size
        self._max_total = max_total
        self._total = 0

    def reset(self) -> None:
        self._total = 0

    def take(self, count: int, size: int) -> TooLarge | None:
        """Count bytes of a file that has ``size`` of them by now; what is to be said of it."""
        self._total += count
        if self._max_size is not None and size > self._max_size:
            message = gettext("This file is larger than %(limit)s, the most that a file may have.")
            return TooLarge(message, limit=self._max_size)
        if self._max_total is not None and self._total > self._max_total:
            message = gettext(
                "The files are larger than %(limit)s together, the most that may be sent at once."
            )
            return TooLarge(message, limit=self._max_total)
        return None


class Receiving:
    """Bytes in, an UploadedFile out; what is too large is let pass, so that the client gets an
    answer instead of a connection that breaks."""

    def __init__(
        self,
        storage: GridFSStorage,
        quota: Quota,
        reporter: Reporter,
        *,
        field_name: str,
        name: str,
        **details: Any,
    ) -> None:
        """``details``: content_type, charset, content_type_extra, as the client declares them."""
        chunker = Chunker(ObjectId(), storage.options.chunk_size)
        declared = {"contentType": details["content_type"], "field": field_name}
        self.upload = HeldUpload(storage.bucket.layout, chunker, name, declared)
        self._storage = storage
        self._quota = quota
        self._reporter = reporter
        self._field_name = field_name
        self._name = name
        self._details = details
        self._chain = Chain(storage.options.codecs, chunker.files_id)
        self._head = b""
        self._size = 0
        self._refusal: TooLarge | None = None
        self._report(0)

    def take(self, data: bytes) -> None:
        """Whatever this raises, nothing of the file is left."""
        try:
            self._size += len(data)
            self._report(len(data))
            if self._refusal is None:
                self._refusal = self._quota.take(len(data), self._size)
                self._store(data)
        except BaseException:
            self.close()
            raise

    def complete(self) -> UploadedFile[Any]:
        """The file as a form gets it; one that was too large says so when it is looked at."""
        try:
            self._report(0, finished=True)
            if self._refusal is not None:
                return RefusedFile(self._refusal, self._field_name, self._name, **self._details)
            for piece in self._chain.finish():
                self.upload.write(piece)
            self.upload.seal(self._chain.metadata)
        except BaseException:
            self.close()
            raise
        return GridFSUploadedFile(
            self.upload,
            self._storage,
            head=self._head,
            field_name=self._field_name,
            name=self._name,
            size=self._size,
            **self._details,
        )

    def close(self) -> None:
        """The file did not arrive as a whole, or nobody wants it."""
        self.upload.end()

    def _store(self, data: bytes) -> None:
        if self._refusal is not None:
            self.close()
            return
        if len(self._head) < HEAD:
            self._head += data[: HEAD - len(self._head)]
        for piece in self._chain.encode(data):
            self.upload.write(piece)

    def _report(self, count: int, *, finished: bool = False) -> None:
        self._reporter.report(
            count,
            received=self._size,
            finished=finished,
            id=self.upload.id,
            field_name=self._field_name,
            filename=self._name,
        )


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
