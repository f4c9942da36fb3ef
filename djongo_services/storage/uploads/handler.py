"""``GridFSUploadHandler``: an upload handler for Django that keeps nothing on the web server."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopFutureHandlers
from django.core.signals import request_finished
from django.http import HttpRequest

from djongo_services.conf import UploadSettings, settings
from djongo_services.storage.gridfs import GridFSStorage
from djongo_services.storage.uploads.files import Quota, Receiving, RefusedFile, TooLarge
from djongo_services.storage.uploads.pending import HeldUpload
from djongo_services.storage.uploads.progress import Reporter


def storage_for(which: str | GridFSStorage) -> GridFSStorage:
    """The storage, or that of ``STORAGES[which]``; ImproperlyConfigured if it has no bucket."""
    storage = storages[which] if isinstance(which, str) else which
    if isinstance(storage, GridFSStorage):
        return storage
    where = f"STORAGES[{which!r}]" if isinstance(which, str) else "The storage of an upload handler"
    raise ImproperlyConfigured(
        f"{where} is of {type(storage).__name__}, which has no bucket for uploads; name a "
        f'djongo_services.storage.GridFSStorage in DJONGO_SERVICES["STORAGE"]["UPLOADS"]'
        f'["STORAGE"].'
    )


class GridFSUploadHandler(FileUploadHandler):
    """Uploads go into the bucket of a storage while they arrive.

    Saving such a file in that storage inserts its files document and copies nothing. A file that
    was not saved is removed when its request ends, however that ends.

    For all uploads:
    ``FILE_UPLOAD_HANDLERS = ["djongo_services.storage.uploads.GridFSUploadHandler"]``. After
    Django's MemoryFileUploadHandler, it takes only requests of more than
    FILE_UPLOAD_MAX_MEMORY_SIZE; its limits apply to all files.
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
        """A handler for one request, to be installed before its POST data is read.

        ``storage`` (or its alias), ``max_size``, ``max_total`` and ``progress`` override those of
        ``DJONGO_SERVICES["STORAGE"]["UPLOADS"]``. Raises ImproperlyConfigured for a storage whose
        files are not in a bucket.
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
        """Start again: a request whose view runs again is parsed again."""
        self._quota.reset()
        if self.request is not None:
            limit_earlier(self.request.upload_handlers, self, self._quota)
        self._reporter.reset(content_length)

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Raises StopFutureHandlers, because no other handler is needed for this file."""
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
        except SkipFile:  # Django does not expect it here any more.
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


# When a request ends, its uploads end too, including those that no form ever saw.
#
# Django closes the files of a request with its response. It does not know of a file whose client
# went away in the middle, and under ASGI it does not close the response of such a request at all.
_PENDING = "_djongo_services_uploads"

_abandoned: deque[HeldUpload] = deque()
"""Uploads of requests that were never closed. A finaliser runs anywhere, so it must not talk to a
server; the end of the next request does."""


def end_with(request: HttpRequest | None, upload: HeldUpload) -> None:
    """End the upload when the request is closed, or soon after it has vanished."""
    if request is None:
        return
    pending: list[HeldUpload] | None = vars(request).get(_PENDING)
    if pending is None:
        pending = vars(request)[_PENDING] = []
        _end_on_close(request, pending)
        weakref.finalize(request, _abandoned.extend, pending).atexit = False
    pending.append(upload)


def _end_on_close(request: HttpRequest, pending: list[HeldUpload]) -> None:
    """Shadow one method of this one request; an earlier state of it does not have the shadow."""
    original = request.close

    def close() -> None:
        try:
            original()
        finally:
            while pending:
                pending.pop().end()

    vars(request)["close"] = close


def _end_abandoned(**kwargs: Any) -> None:
    while _abandoned:
        _abandoned.popleft().end()


request_finished.connect(_end_abandoned, dispatch_uid="djongo_services.storage.uploads")


# The limits of an upload handler for what earlier handlers take.
#
# Django gives a file to the first handler that wants it, such as its MemoryFileUploadHandler, and
# the others do not learn of it. So the limits are added to those handlers: methods of these
# instances, which belong to one request, are shadowed.
_MARK = "_djongo_services_limit"


def limit_earlier(handlers: Iterable[Any], last: Any, quota: Quota) -> None:
    """Limit the handlers of a request that come before ``last``; this is repeated if the request is
    parsed again."""
    for handler in handlers:
        if handler is last:
            return
        if _MARK not in vars(handler):
            vars(handler)[_MARK] = _Limit(handler, quota)


class _Limit:
    """The size limit of the file that one handler is taking."""

    def __init__(self, handler: Any, quota: Quota) -> None:
        self._handler = handler
        self._quota = quota
        self._size = 0
        self._refusal: TooLarge | None = None
        for name in ("new_file", "receive_data_chunk", "file_complete"):
            vars(handler)[name] = self._around(getattr(self, name), getattr(handler, name))

    def new_file(self, original: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        self._size, self._refusal = 0, None
        original(*args, **kwargs)

    def receive_data_chunk(
        self, original: Callable[[bytes, int], bytes | None], raw_data: bytes, start: int
    ) -> bytes | None:
        if self._refusal is not None:
            return None
        left = original(raw_data, start)
        if left is None:
            self._size += len(raw_data)
            self._refusal = self._quota.take(len(raw_data), self._size)
            if self._refusal is not None:
                self._drop()
        return left

    def file_complete(
        self, original: Callable[[int], UploadedFile[Any] | None], file_size: int
    ) -> UploadedFile[Any] | None:
        if self._refusal is None:
            return original(file_size)
        handler = self._handler
        return RefusedFile(
            self._refusal,
            handler.field_name,
            handler.file_name,
            content_type=handler.content_type,
            charset=handler.charset,
            content_type_extra=handler.content_type_extra,
        )

    def _drop(self) -> None:
        """Discard what the handler has by now. The rest is read and ignored, so that the client
        gets a response."""
        self._handler.upload_interrupted()
        file = getattr(self._handler, "file", None)
        if file is not None:
            file.close()

    def _around(self, method: Callable[..., Any], original: Callable[..., Any]) -> Any:
        return lambda *args, **kwargs: method(original, *args, **kwargs)
