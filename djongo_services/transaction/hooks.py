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
"""A function without arguments. What it returns is awaited where that is possible, except a task
or future, which goes on by itself."""

_EVENTS = {"committed": "on_commit", "rolled back": "on_rollback"}
"""By outcome. An unknown one has none: what on_rollback would clean up may be in use."""

_STARTS_TASKS = frozenset(
    {"TaskGroup", "call_later", "call_soon", "create_task", "ensure_future", "gather"}
    | {"get_running_loop", "run_in_executor"}
)
"""Names that code uses which needs the event loop around it."""

_started: set[asyncio.Future[Any]] = set()
"""The tasks of callbacks: the loop itself refers to its tasks weakly only."""


class Hook(NamedTuple):
    """A callback as Django has it in ``connection.run_on_commit``, for its test helpers."""

    savepoints: Set[str]
    callback: Callback
    robust: bool
    """Log the callback's exception and go on, instead of raising it."""


class Mark(NamedTuple):
    """How many callbacks of each kind there were at a savepoint."""

    on_commit: int
    on_rollback: int
    own: int


@dataclass(kw_only=True, slots=True)
class Hooks:
    """The callbacks of one attempt."""

    on_commit: list[Hook] = field(default_factory=list)
    on_rollback: list[Hook] = field(default_factory=list)
    """In the order in which users registered them."""
    own: list[tuple[str, Hook]] = field(default_factory=list)
    """By event, this app's own work, such as removing the chunks of a deleted file: before the
    callbacks of users, which may raise, and what was registered last comes first. Nobody captures
    them."""

    def add(self, event: str, callback: Callback, *, robust: bool) -> None:
        hook = make_hook(event, callback, robust=robust)
        (self.on_commit if event == "on_commit" else self.on_rollback).append(hook)

    def add_own(self, event: str, callback: Callback) -> None:
        self.own.append((event, make_hook(event, callback, robust=True)))

    def mark(self) -> Mark:
        """What there is by now, for :meth:`roll_back_to`."""
        return Mark(len(self.on_commit), len(self.on_rollback), len(self.own))

    def roll_back_to(self, mark: Mark) -> None:
        """Call those for a rollback that came since, and forget those for a commit."""
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
        """Call those of this outcome in their order, once; the others are dropped.

        One that is not robust ends the row with its exception.
        """
        if self.any():
            run(self.take(outcome), _EVENTS.get(outcome, ""))

    async def arun(self, outcome: str) -> None:
        if self.any():
            await arun(self.take(outcome), _EVENTS.get(outcome, ""))

    def take(self, outcome: str) -> list[Hook]:
        """Those of this outcome; afterwards there are none at all, so that none can run twice."""
        event = _EVENTS.get(outcome)
        due = [hook for registered, hook in reversed(self.own) if registered == event]
        if event is not None:
            due += self.on_commit if event == "on_commit" else self.on_rollback
        self.on_commit, self.on_rollback, self.own = [], [], []
        return due


def make_hook(event: str, callback: Callback, *, robust: bool) -> Hook:
    """Raises TypeError when ``callback`` cannot be called."""
    if not callable(callback):
        raise TypeError(f"{event}() needs a function to call, not {callback!r}.")
    return Hook(frozenset(), callback, robust)


def run(hooks: list[Hook], event: str = "on_commit") -> None:
    """Call each in its order; one that is not robust ends the row with its exception."""
    for hook in hooks:
        try:
            call(hook.callback)
        except Exception as error:  # noqa: BLE001 - raised again unless the hook is robust
            _log_or_raise(hook, event, error)


async def arun(hooks: list[Hook], event: str = "on_commit") -> None:
    """The same in an event loop.

    What is async, or plain but needs the loop, is called in it; other plain functions run in
    Django's thread for blocking code.
    """
    for hook in hooks:
        try:
            await _acall(hook.callback)
        except Exception as error:  # noqa: BLE001 - raised again unless the hook is robust
            _log_or_raise(hook, event, error)


def call(callback: Callback) -> None:
    """Call it in this thread, and wait for what it returns where that can be awaited.

    In the thread of an event loop nothing can be waited for: there it becomes a task.
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
    """``callback``, whose result :func:`call` takes care of, for those who only call it."""

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
    """Whether it is async; a function or method of asyncio; or code that starts a task."""
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
