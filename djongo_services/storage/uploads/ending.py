"""When a request ends, its uploads end, also those that no form ever saw.

Django closes the files of a request with its response. It does not know of a file whose client went
away in the middle, and under ASGI it does not close the response of such a request at all.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any

from django.core.signals import request_finished
from django.http import HttpRequest

from djongo_services.storage.uploads.held import HeldUpload

_PENDING = "_djongo_services_uploads"

_abandoned: deque[HeldUpload] = deque()
"""Of requests that vanished unclosed. A finaliser runs anywhere, so it must not talk to a server;
the end of the next request does."""


def end_with(request: HttpRequest | None, upload: HeldUpload) -> None:
    """End the upload when the request is closed, or not long after it has vanished."""
    if request is None:
        return
    pending: list[HeldUpload] | None = vars(request).get(_PENDING)
    if pending is None:
        pending = vars(request)[_PENDING] = []
        _end_on_close(request, pending)
        weakref.finalize(request, _abandoned.extend, pending).atexit = False
    pending.append(upload)


def _end_on_close(request: HttpRequest, pending: list[HeldUpload]) -> None:
    """Shadow one method of this one request; what was restored to before that has it no more."""
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
