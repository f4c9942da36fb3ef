"""Reporting the progress of uploads to a project's function."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from bson import ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadhandler import UploadFileException
from django.http import HttpRequest
from django.utils.module_loading import import_string

logger = logging.getLogger("djongo_services.storage")

SECONDS = 0.25
"""The interval between two reports of one file; its beginning and its end are always reported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadProgress:
    """The progress of one file of a request."""

    id: ObjectId
    """The id that the file will have in the bucket."""
    field_name: str
    filename: str
    """The name that the client sent."""
    received: int
    """Bytes of the file so far."""
    request_received: int
    """Bytes of all files of the request so far."""
    content_length: int | None
    """Bytes of the whole request body, as the client declares; None if it does not."""
    finished: bool
    """Whether the file is complete."""


Hook: TypeAlias = Callable[[HttpRequest | None, UploadProgress], object]
"""Called with the request, whose ``GET`` or headers may contain the client's name for the upload;
its POST data is not available yet. It may raise SkipFile or StopUpload; other exceptions are
logged."""


class Reporter:
    """The hook of one request, called no more often than a person can follow."""

    def __init__(self, hook: str | Hook | None, request: HttpRequest | None) -> None:
        """Raises ImproperlyConfigured if the dotted path does not lead to a plain function."""
        self._hook = _loaded(hook) if isinstance(hook, str) else hook
        self._request = request
        self._content_length: int | None = None
        self._request_received = 0
        self._next = 0.0

    def reset(self, content_length: int | None) -> None:
        self._content_length = content_length or None
        self._request_received = 0

    def report(self, count: int, *, received: int, finished: bool, **file: Any) -> None:
        """Report that ``count`` bytes arrived, ``received`` in total; ``file``: id, field_name,
        filename."""
        self._request_received += count
        if self._hook is None:
            return
        now = time.monotonic()
        if count and not finished and now < self._next:
            return
        self._next = now + SECONDS
        progress = UploadProgress(
            received=received,
            request_received=self._request_received,
            content_length=self._content_length,
            finished=finished,
            **file,
        )
        try:
            self._hook(self._request, progress)
        except UploadFileException:
            raise
        except Exception:
            # An error of the observer must not interrupt the upload.
            logger.exception("The progress hook %r failed; it is not called again.", self._hook)
            self._hook = None


def _loaded(path: str) -> Hook:
    where = 'DJONGO_SERVICES["STORAGE"]["UPLOADS"]["PROGRESS"]'
    try:
        hook: Any = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"{where}: {error}.") from error
    if not callable(hook) or inspect.iscoroutinefunction(hook):
        raise ImproperlyConfigured(
            f"{where}: {path} must be a plain function, because Django receives uploads outside of "
            f"any event loop."
        )
    found: Hook = hook
    return found
