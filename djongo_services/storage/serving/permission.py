"""Ask a storage's permission hook, sync or async, from either kind of view."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.module_loading import import_string

from djongo_services.connections import connections
from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.serving.served import Permission, ServedStorage


def check_permission(
    storage: ServedStorage, request: HttpRequest, name: str, stored: StoredFile
) -> None:
    """Raises PermissionDenied unless the hook says yes; it may raise that, or Http404, itself."""
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
    # What is not known to be async may do what must not be done in the loop.
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
