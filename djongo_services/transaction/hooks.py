"""Callbacks that wait for a transaction's outcome."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

logger = logging.getLogger("djongo_services.transaction")

Callback = Callable[[], Any]
"""A function without arguments; its result is ignored. It may be an ``async def``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    callback: Callback
    robust: bool
    """Log the callback's exception and go on, instead of raising it."""
    event: str
    """``on_commit`` or ``on_rollback``, for the log."""


@dataclass(kw_only=True, slots=True)
class Hooks:
    """The callbacks of one attempt, in the order in which they were registered."""

    on_commit: list[Hook] = field(default_factory=list)
    on_rollback: list[Hook] = field(default_factory=list)

    def add(self, event: str, callback: Callback, *, robust: bool) -> None:
        hook = make_hook(event, callback, robust=robust)
        (self.on_commit if event == "on_commit" else self.on_rollback).append(hook)

    def any(self) -> bool:
        return bool(self.on_commit or self.on_rollback)

    def take(self, outcome: str) -> list[Hook]:
        """The callbacks of this outcome; afterwards there are none, so none can run twice.

        An unknown outcome runs neither: what on_rollback would clean up may be in use.
        """
        due = {"committed": self.on_commit, "rolled back": self.on_rollback}.get(outcome, [])
        self.on_commit, self.on_rollback = [], []
        return due


def make_hook(event: str, callback: Callback, *, robust: bool) -> Hook:
    """Raises TypeError when ``callback`` cannot be called."""
    if not callable(callback):
        raise TypeError(f"{event}() needs a function to call, not {callback!r}.")
    return Hook(callback=callback, robust=robust, event=event)


def run(hooks: list[Hook]) -> None:
    """Call each in order; one that is not robust ends the row with its exception."""
    for hook in hooks:
        try:
            _call(hook.callback)
        except Exception as error:  # noqa: BLE001 - raised again unless the hook is robust
            _log_or_raise(hook, error)


async def arun(hooks: list[Hook]) -> None:
    """The same in an event loop: plain functions run in Django's thread for blocking code."""
    for hook in hooks:
        try:
            await _acall(hook.callback)
        except Exception as error:  # noqa: BLE001 - raised again unless the hook is robust
            _log_or_raise(hook, error)


def _call(callback: Callback) -> None:
    if _is_async(callback):
        async_to_sync(callback)()
    else:
        callback()


async def _acall(callback: Callback) -> None:
    if _is_async(callback):
        await callback()
    else:
        await sync_to_async(callback, thread_sensitive=True)()


def _is_async(callback: Callback) -> bool:
    inner = callback
    while hasattr(inner, "func"):  # functools.partial
        inner = inner.func
    call = getattr(inner, "__call__", None)  # noqa: B004  (an object with an async __call__)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(call)


def _log_or_raise(hook: Hook, error: Exception) -> None:
    if not hook.robust:
        raise error
    name = getattr(hook.callback, "__qualname__", repr(hook.callback))
    logger.error("Error calling %s in %s() (%s).", name, hook.event, error, exc_info=error)
