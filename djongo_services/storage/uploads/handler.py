"""``GridFSUploadHandler``: Django's upload handler that keeps nothing on the web server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopFutureHandlers
from django.http import HttpRequest

from djongo_services.conf import UploadSettings, settings
from djongo_services.storage.gridfs import GridFSStorage
from djongo_services.storage.uploads.ending import end_with
from djongo_services.storage.uploads.limits import Quota
from djongo_services.storage.uploads.progress import Reporter
from djongo_services.storage.uploads.receiving import Receiving
from djongo_services.storage.uploads.target import storage_for


class GridFSUploadHandler(FileUploadHandler):
    """Uploads go into the bucket of a storage while they arrive.

    Saving such a file in that storage inserts its files document and copies nothing. A file that
    nobody saved is removed when its request ends, however that ends.

    For all uploads: ``FILE_UPLOAD_HANDLERS =
    ["djongo_services.storage.uploads.GridFSUploadHandler"]``. Behind Django's
    MemoryFileUploadHandler it takes requests of more than FILE_UPLOAD_MAX_MEMORY_SIZE only.
    """

    chunk_size = 256 * 1024
    """Bytes that Django reads at once."""

    def __init__(
        self,
        request: HttpRequest | None = None,
        *,
        storage: str | GridFSStorage | None = None,
        **limits: Any,
    ) -> None:
        """For one request, before anything reads its POST data.

        ``storage`` (or its alias), ``max_size``, ``max_total`` and ``progress`` go before those of
        ``DJONGO_SERVICES["STORAGE"]["UPLOADS"]``. Raises ImproperlyConfigured for a storage whose
        files are in no bucket.
        """
        super().__init__(request)
        configured: UploadSettings = replace(settings.storage.uploads, **limits)
        self._storage = storage_for(configured.storage if storage is None else storage)
        self._quota = Quota(max_size=configured.max_size, max_total=configured.max_total)
        self._reporter = Reporter(configured.progress, request)
        self._receiving: Receiving | None = None

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],
        content_length: int,
        boundary: Any,
        encoding: str | None = None,
    ) -> None:
        """A request whose view runs again is parsed again."""
        self._quota.reset()
        self._reporter.reset(content_length)

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Raises StopFutureHandlers: nobody else need prepare for this file."""
        super().new_file(*args, **kwargs)
        receiving = Receiving(
            self._storage,
            self._quota,
            self._reporter,
            field_name=self.field_name,
            name=self.file_name or "",
            content_type=self.content_type or "",
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )
        end_with(self.request, receiving.upload)
        # Django closes this when it gives up on a file.
        self.file = self._receiving = receiving
        raise StopFutureHandlers

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._receiving is not None:
            self._receiving.take(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[Any] | None:
        receiving = self._let_go()
        if receiving is None:
            return None
        try:
            return receiving.complete()
        except SkipFile:  # which Django does not expect here any more
            return None

    def upload_interrupted(self) -> None:
        receiving = self._let_go()
        if receiving is not None:
            receiving.close()

    def _let_go(self) -> Receiving | None:
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            del self.file
        return receiving
