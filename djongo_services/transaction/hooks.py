"""Callbacks that wait for a transaction's outcome."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async

logger = logging.getLogger("djongo_services.transaction")

Callback = Callable[[], Any]
"""A function without arguments. An awaitable result is awaited if possible, except a task or
future, which continues by itself."""

_EVENTS = {"committed": "on_commit", "rolled back": "on_rollback"}
"""Events by outcome. An unknown outcome has none: what on_rollback would clean up may be in use."""

_STARTS_TASKS = frozenset(
    {"TaskGroup", "call_later", "call_soon", "create_task", "ensure_future", "gather"}
    | {"get_running_loop", "run_in_executor"}
)
"""Names in code that needs an event loop."""

_started: set[asyncio.Future[Any]] = set()
"""The tasks of callbacks, because the loop itself keeps only weak references to its tasks."""


class Hook(NamedTuple):
    """A callback in the form of Django's ``connection.run_on_commit``, for its test helpers."""

    savepoints: Set[str]
    callback: Callback
    robust: bool
    """Whether to log the callback's exception and continue, instead of raising it."""


class Mark(NamedTuple):
    """The number of callbacks of each kind at a savepoint."""

    on_commit: int
    on_rollback: int
    own: int


@dataclass(kw_only=True, slots=True)
class Hooks:
    """The callbacks of one attempt."""

    on_commit: list[Hook] = field(default_factory=list)
    on_rollback: list[Hook] = field(default_factory=list)
    """Callbacks in the order in which users registered them."""
    own: list[tuple[str, Hook]] = field(default_factory=list)
    """By event, this app's own work, such as removing the chunks of a deleted file. It runs before
    the callbacks of users, which may raise exceptions, with the last one registered first. Test
    helpers do not capture it."""

    def add(self, event: str, callback: Callback, *, robust: bool) -> None:
        hook = make_hook(event, callback, robust=robust)
        (self.on_commit if event == "on_commit" else self.on_rollback).append(hook)

    def add_own(self, event: str, callback: Callback) -> None:
        self.own.append((event, make_hook(event, callback, robust=True)))

    def mark(self) -> Mark:
        """The current number of callbacks, for :meth:`roll_back_to`."""
        return Mark(len(self.on_commit), len(self.on_rollback), len(self.own))

    def roll_back_to(self, mark: Mark) -> None:
        """Call the rollback callbacks that were registered since, and drop the commit callbacks."""
        since = Hooks(
            on_commit=self.on_commit[mark.on_commit :],
            on_rollback=self.on_rollback[mark.on_rollback :],
            own=self.own[mark.own :],
        )
        del self.on_commit[mark.on_commit :]
        del self.on_rollback[mark.on_rollback :]
        del self.own[mark.own :]
        since.run("rolled back")

    def any(self) -> bool:
        return bool(self.on_commit or self.on_rollback or self.own)

    def run(self, outcome: str) -> None:
        """Call the callbacks for this outcome in order, once; the others are dropped.

        If one that is not robust raises an exception, the remaining ones are skipped.
        """
        if self.any():
            run(self.take(outcome), _EVENTS.get(outcome, ""))

    async def arun(self, outcome: str) -> None:
        if self.any():
            await arun(self.take(outcome), _EVENTS.get(outcome, ""))

    def take(self, outcome: str) -> list[Hook]:
        """The callbacks for this outcome. All are removed, so that none can run twice."""
        event = _EVENTS.get(outcome)
        due = [hook for registered, hook in reversed(self.own) if registered == event]
        if event is not None:
            due += self.on_commit if event == "on_commit" else self.on_rollback
        self.on_commit, self.on_rollback, self.own = [], [], []
        return due


def make_hook(event: str, callback: Callback, *, robust: bool) -> Hook:
    """Raises TypeError if ``callback`` cannot be called."""
    if not callable(callback):
        raise TypeError(f"{event}() needs a function to call, not {callback!r}.")
    return Hook(frozenset(), callback, robust)


def run(hooks: list[Hook], event: str = "on_commit") -> None:
    """Call the hooks in order; if one that is not robust raises an exception, the others are
    skipped."""
    for hook in hooks:
        try:
            call(hook.callback)
        except Exception as error:  # noqa: BLE001 - raised again unless the hook is robust
            _log_or_raise(hook, event, error)


async def arun(hooks: list[Hook], event: str = "on_commit") -> None:
    """The same in an event loop.

    Async functions, and plain ones that need the loop, are called in it; other plain functions run
    in Django's thread for blocking code.
    """
    for hook in hooks:
        try:
            await _acall(hook.callback)
        except Exception as error:  # noqa: BLE001 - raised again unless the hook is robust
            _log_or_raise(hook, event, error)


def call(callback: Callback) -> None:
    """Call it in this thread, and wait for its result if that is awaitable.

    In the thread of an event loop nothing can be waited for: there the result becomes a task.
    """
    result = callback()
    if isinstance(result, asyncio.Future):
        _keep(result)
    elif inspect.isawaitable(result):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            async_to_sync(_wait_for)(result)
        else:
            _keep(loop.create_task(_wait_for(result)))


def waiting_call(callback: Callback) -> Callback:
    """``callback`` for code that only calls it: :func:`call` handles its result."""

    @functools.wraps(callback)
    def called() -> None:
        call(callback)

    return called


async def _acall(callback: Callback) -> None:
    result = callback() if _needs_loop(callback) else await _in_thread(callback)
    if isinstance(result, asyncio.Future):
        _keep(result)
    elif inspect.isawaitable(result):
        await result


async def _in_thread(callback: Callback) -> Any:
    try:
        return await sync_to_async(lambda: callback(), thread_sensitive=True)()
    except RuntimeError as error:
        if "event loop" in str(error):
            error.add_note(
                f"The callback {_name(callback)} is a plain function, which runs in a thread "
                f"without an event loop; write it as an `async def`."
            )
        raise


async def _wait_for(result: Awaitable[Any]) -> None:
    await result


def _keep(future: asyncio.Future[Any]) -> None:
    _started.add(future)
    future.add_done_callback(_started.discard)


def _needs_loop(callback: Callback) -> bool:
    """Whether it is async, a function or method of asyncio, or code that starts a task."""
    if iscoroutinefunction(callback) or iscoroutinefunction(type(callback).__call__):
        return True
    while isinstance(callback, functools.partial):
        callback = callback.func
    owner = getattr(callback, "__self__", None)
    module = getattr(callback, "__module__", None) if owner is None else type(owner).__module__
    if str(module).partition(".")[0] in ("asyncio", "_asyncio", "uvloop"):
        return True
    code = getattr(callback, "__code__", None)
    return code is not None and not _STARTS_TASKS.isdisjoint((*code.co_names, *code.co_freevars))


def _log_or_raise(hook: Hook, event: str, error: Exception) -> None:
    if not hook.robust:
        raise error
    logger.error(
        "Error calling %s in %s() (%s).", _name(hook.callback), event, error, exc_info=error
    )


def _name(callback: Callback) -> str:
    return str(getattr(callback, "__qualname__", repr(callback)))
