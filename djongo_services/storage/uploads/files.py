"""What forms and views receive: uploaded files whose bytes are in a bucket, or were refused.

A file is a :class:`Receiving` while its bytes arrive; all files of a request share a quota.
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

    A form shows it beside the field, as a ValidationError; if a view does not catch it, the
    response is 400, as for Django's RequestDataTooBig.
    """

    def __init__(self, message: str, *, limit: int) -> None:
        """``limit`` is in bytes; ``%(limit)s`` in the message is the same as text."""
        params = {"limit": filesizeformat(limit)}
        ValidationError.__init__(self, message, code="too_large", params=params)
        self.limit = limit

    def __str__(self) -> str:
        return str(self.message) % self.params


class Quota:
    """Limits in bytes for each file, and for all files of a request together; None: no limit."""

    def __init__(self, *, max_size: int | None, max_total: int | None) -> None:
        self._max_size = max_size
        self._max_total = max_total
        self._total = 0

    def reset(self) -> None:
        self._total = 0

    def take(self, count: int, size: int) -> TooLarge | None:
        """Count bytes of a file that now has ``size`` of them; returns the error if that is too
        much."""
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
    """Receives bytes and produces an UploadedFile; too much data is read and ignored, so that the
    client gets a response instead of a broken connection."""

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
        """``details``: content_type, charset and content_type_extra, as the client declares
        them."""
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
        """Store ``data``. If this raises, nothing of the file is left."""
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
        """The file for a form; a file that was too large raises its error when it is used."""
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
        """End the upload: the file did not arrive completely, or is not wanted."""
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
    """An UploadedFile like any other; a GridFSStorage on the same bucket saves it without copying.

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

        Raises ImproperlyConfigured if the package puremagic is not installed.
        """
        return sniffed(self._head, self.name or "")

    def held_for(self, storage: BucketStorage) -> Held | None:
        """None, too, if it was saved already: a second file is a copy."""
        upload = self._upload
        if upload.ended or upload.closed or _recipe(storage) != _recipe(self._storage):
            return None
        # The upload's own storage may lack the index that prevents equal names.
        ensure_indexes(storage.bucket.layout)
        return Held(stream=upload, document=upload.document(), head=self._head)

    @property
    def file(self) -> Any:
        """The object that the bytes are read from; a new one if it was closed."""
        if self._reader is None or (self._reader.closed and not self.closed):
            self._reader = self._new_reader()
        return self._reader

    @file.setter
    def file(self, file: Any) -> None:
        """Ignored: Django sets it, but it exists already."""

    @property
    def closed(self) -> bool:
        return self._upload.ended

    def open(self, mode: str | None = None) -> GridFSUploadedFile:  # type: ignore[override]
        """Start again from the beginning. Raises ValueError once it is closed."""
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
    """A refused file, of which nothing was kept. Its name is known; other access raises
    ``error``."""

    def __init__(self, error: TooLarge, field_name: str, name: str, **details: Any) -> None:
        self.error = error
        self.field_name = field_name
        super().__init__(None, name, **details)

    @property
    def size(self) -> int:
        self._refuse()

    @size.setter
    def size(self, size: int | None) -> None:
        """Ignored: Django sets it, but it is unknown."""

    @property
    def file(self) -> Any:
        self._refuse()

    @file.setter
    def file(self, file: Any) -> None:
        """Ignored: Django sets it, but there is none."""

    @property
    def closed(self) -> bool:
        return False

    def seek(self, *position: int) -> int:
        """Go to the beginning, which a request does that is tried again: there is nothing else."""
        return 0

    def close(self) -> None:
        """Do nothing: there is nothing to remove."""

    def _refuse(self) -> NoReturn:
        raise self.error


def _recipe(storage: BucketStorage) -> tuple[object, ...]:
    """Everything that determines where bytes are stored, in which form and how safely."""
    layout, options = storage.bucket.layout, storage.options
    place = (id(layout.client), layout.database.name, layout.name)
    return (*place, options.chunk_size, tuple(options.codecs), options.pymongo_write_concern())
