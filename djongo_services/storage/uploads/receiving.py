"""One file of a request, while it arrives."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from django.core.files.uploadedfile import UploadedFile

from djongo_services.storage.bucket.chunking import Chunker
from djongo_services.storage.codecs import Chain
from djongo_services.storage.content_types import HEAD
from djongo_services.storage.gridfs import GridFSStorage
from djongo_services.storage.uploads.files import GridFSUploadedFile, RefusedFile
from djongo_services.storage.uploads.held import HeldUpload
from djongo_services.storage.uploads.limits import Quota, TooLarge
from djongo_services.storage.uploads.progress import Reporter


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
        self._chain = Chain(storage.options.codecs)
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
