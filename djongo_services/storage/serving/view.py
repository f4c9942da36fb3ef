"""The view that serves a storage's files, sync or async, as the server requires."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.core.exceptions import PermissionDenied, SuspiciousFileOperation
from django.core.handlers.asgi import ASGIRequest
from django.db import connections as databases
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string
from django.views.decorators.http import require_safe

from djongo_services.connections import connections
from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.codecs.chain import has_random_access
from djongo_services.storage.errors import FileChanged
from djongo_services.storage.project_storages import is_of_private
from djongo_services.storage.serving.body import FileStream, aread, read
from djongo_services.storage.serving.byteranges import Content
from djongo_services.storage.serving.conditional import (
    Representation,
    answer,
    etag_of,
    last_modified_of,
)
from djongo_services.storage.serving.policy import content_type_of
from djongo_services.storage.serving.protocol import Permission, ServedStorage, served_storage
from djongo_services.storage.serving.signing import PARAMETER, check_signature
from djongo_services.transaction.requests.view_options import ViewOptions, attach_options

SMALL = 256 * 1024
"""Content of up to this many bytes is read at once: about a chunk. Joining more would cost more."""

_ATTEMPTS = 3
"""Lookups of a file that is replaced between looking it up and reading it."""


def serve_view(storage: str | ServedStorage = "default") -> FileView:
    """``path("media/<path:name>", serve_view())``: serve the files of a storage, or of its alias.

    GET and HEAD support validators and ranges. Under WSGI it is a sync view, under ASGI an async
    one, which streams with the loop's own client. It answers 404 for an invalid or unknown name,
    and 403 if the storage is private and the link is not signed, or if the permission hook denies
    access.
    """
    return FileView(storage)


class FileView:
    """One view that is both sync and async.

    Before Django calls a view, it checks whether the view is async: in a loop this one is,
    elsewhere it is not. A decorator may turn it into the other kind; the stream still fits the
    server.
    """

    def __init__(self, storage: str | ServedStorage) -> None:
        self._which = storage

        @require_safe
        def serve(request: HttpRequest, name: str) -> HttpResponseBase:
            return self._serve(request, name)

        @require_safe
        async def aserve(request: HttpRequest, name: str) -> HttpResponseBase:
            return await self._aserve(request, name)

        self._faces = serve, markcoroutinefunction(aserve)
        # Its reads are outside of any transaction, which would end before the stream does.
        attach_options(self, ViewOptions(atomic=False, using=None))

    def __call__(self, request: HttpRequest, name: str) -> Any:
        return self._face()(request, name)

    def __getattr__(self, attribute: str) -> Any:
        """Name, documentation, and the marks of an async function."""
        if attribute == "_faces":  # copy and pickle read it before it exists
            raise AttributeError(attribute)
        return getattr(self._face(), attribute)

    @property
    def _non_atomic_requests(self) -> frozenset[str]:
        return frozenset(databases)

    def _face(self) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._faces[0]
        return self._faces[1]

    def _serve(self, request: HttpRequest, name: str) -> HttpResponseBase:
        storage = served_storage(self._which)
        _admit(storage, request, name)
        for _ in range(_ATTEMPTS):
            try:
                return self._respond(storage, request, name)
            except FileChanged:
                continue
        raise _not_found(name)

    async def _aserve(self, request: HttpRequest, name: str) -> HttpResponseBase:
        if not _is_async(request):
            # The loop exists for this call only, and its client would have to be closed.
            return await sync_to_async(self._serve)(request, name)
        storage = served_storage(self._which)
        _admit(storage, request, name)
        for _ in range(_ATTEMPTS):
            try:
                return await self._arespond(storage, request, name)
            except FileChanged:
                continue
        raise _not_found(name)

    def _respond(self, storage: ServedStorage, request: HttpRequest, name: str) -> HttpResponseBase:
        try:
            stored = storage.stored(name)
        except _NO_SUCH_NAME:
            raise _not_found(name) from None
        check_permission(storage, request, name, stored)
        answered = answer(request, _representation(storage, name, stored))
        if isinstance(answered, HttpResponse):
            return answered
        if answered.length <= SMALL:
            return _at_once(answered, b"".join(read(storage, stored, answered)))
        if _is_async(request):
            return FileStream(answered, b"", aread(storage, stored, answered))
        body = read(storage, stored, answered)
        # An error at the file's beginning is found while a proper 500 is still possible.
        return FileStream(answered, next(body, b""), body)

    async def _arespond(
        self, storage: ServedStorage, request: HttpRequest, name: str
    ) -> HttpResponseBase:
        try:
            stored = await storage.astored(name)
        except _NO_SUCH_NAME:
            raise _not_found(name) from None
        await acheck_permission(storage, request, name, stored)
        answered = answer(request, _representation(storage, name, stored))
        if isinstance(answered, HttpResponse):
            return answered
        body = aread(storage, stored, answered)
        if answered.length <= SMALL:
            return _at_once(answered, b"".join([piece async for piece in body]))
        return FileStream(answered, await anext(body, b""), body)


_NO_SUCH_NAME = (FileNotFoundError, SuspiciousFileOperation, UnicodeError)


def _admit(storage: ServedStorage, request: HttpRequest, name: str) -> None:
    """Raises Http404 unless the name is in its one form, so that no rule about names, of a
    signature or of a hook, can be bypassed by another spelling."""
    parts = name.split("/")
    if "\0" in name or "\\" in name or any(part in ("", ".", "..") for part in parts):
        raise _not_found(name)
    if is_of_private(storage, name):
        raise PermissionDenied("This file is in the location of a storage that is not public.")
    if storage.private:
        check_signature(storage, name, request.GET.get(PARAMETER))


def _representation(storage: ServedStorage, name: str, stored: StoredFile) -> Representation:
    return Representation(
        name=name,
        size=storage.size_of(stored),
        etag=etag_of(stored),
        last_modified=last_modified_of(stored, time.time()),
        content_type=content_type_of(stored.content_type, name),
        inline_types=storage.inline_types,
        cache_control=storage.cache_control_of(name),
        random_access=has_random_access(stored),
        is_private=storage.private or storage.permission is not None,
    )


def _is_async(request: HttpRequest) -> bool:
    """Whether the response is consumed in a loop; Django REST framework wraps requests."""
    return isinstance(getattr(request, "_request", request), ASGIRequest)


def _at_once(content: Content, body: bytes) -> HttpResponse:
    return HttpResponse(body, status=content.status, headers=content.headers)


def _not_found(name: str) -> Http404:
    return Http404(f"There is no file {name!r}.")


# Calling a storage's permission hook, sync or async, from both kinds of view.
def check_permission(
    storage: ServedStorage, request: HttpRequest, name: str, stored: StoredFile
) -> None:
    """Raises PermissionDenied unless the hook allows it; the hook itself may raise that, or
    Http404."""
    hook = _hook(storage)
    if hook is None:
        return
    allowed = hook(request, name, stored)
    if inspect.isawaitable(allowed):
        allowed = async_to_sync(_in_passing_loop)(allowed)
    _refuse_unless(allowed)


async def acheck_permission(
    storage: ServedStorage, request: HttpRequest, name: str, stored: StoredFile
) -> None:
    hook = _hook(storage)
    if hook is None:
        return
    # A hook that is not known to be async may do what must not be done in the loop.
    if iscoroutinefunction(hook) or iscoroutinefunction(type(hook).__call__):
        allowed = hook(request, name, stored)
    else:
        allowed = await sync_to_async(hook)(request, name, stored)
    if inspect.isawaitable(allowed):
        allowed = await allowed
    _refuse_unless(allowed)


def _hook(storage: ServedStorage) -> Permission | None:
    hook = storage.permission
    if not isinstance(hook, str):
        return hook
    found: Permission = import_string(hook)
    return found


async def _in_passing_loop(asked: Awaitable[bool]) -> bool:
    try:
        return await asked
    finally:
        for connection in connections.all():
            await connection.aclose()


def _refuse_unless(allowed: object) -> None:
    if not allowed:
        raise PermissionDenied("You may not read this file.")
