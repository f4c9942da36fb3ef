"""Running a whole function in a transaction, and again when MongoDB asks for that.

Only a function can be retried, a ``with`` block cannot. It may run several times, so what it does
outside of the transaction must be safe to repeat; ``on_commit`` callbacks are dropped with each
failed attempt and run for the one that was committed.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from djongo_services.conf import settings
from djongo_services.connections import DEFAULT_ALIAS, connections
from djongo_services.transaction import backend_connections, reporting, state
from djongo_services.transaction.atomic import (
    AsyncAtomic,
    Atomic,
    refuse_unless_async,
    refuse_unless_plain,
    wanted,
)
from djongo_services.transaction.errors import is_transient, is_unknown_commit
from djongo_services.transaction.model_state import Recorder, recorded

P = ParamSpec("P")
R = TypeVar("R")

_FIRST_DELAY = 0.005
_LONGEST_DELAY = 0.5
_GROWTH = 1.5
"""The growth of delays, as in the driver specification of withTransaction; seconds."""


def run_in_transaction(
    function: Callable[..., R],
    *args: Any,
    using: str | None = None,
    max_attempts: int | None = None,
    timeout: float | None = None,
    **options: Any,
) -> R:
    """Run ``function(*args)`` within :func:`atomic`, and repeat all of it after a transient error.

    A transient error has the label TransientTransactionError, also found along ``__cause__``: write
    conflicts, elections, lost connections. The function is never repeated when a commit's result is
    unknown, nor after a duplicate key. Model instances that a failed attempt created are restored
    to their state before it.

    Inside of an open block the function joins it and runs once: only the outermost block can be
    retried.

    :param max_attempts: default TRANSACTION["MAX_ATTEMPTS"].
    :param timeout: seconds after which no attempt begins; default TRANSACTION["TIMEOUT"].
    :param options: those of :func:`atomic`; use functools.partial for the function's keywords.

    Raises the exception of the last attempt, with a note of the number of attempts.
    """
    refuse_unless_plain(function, "run_in_transaction")
    attempts = Attempts(using, max_attempts, timeout)
    while True:
        block = Atomic(attempts.using, wanted(attempt=attempts.number, **options))
        if attempts.is_joined():
            with block:
                return function(*args)
        with recorded(attempts.key) as recorder:
            try:
                with block:
                    return function(*args)
            except Exception as error:  # noqa: BLE001 - raised again unless it is transient
                delay = attempts.delay_or_raise(error, recorder)
        time.sleep(delay)


async def arun_in_transaction(
    function: Callable[..., Awaitable[R]],
    *args: Any,
    using: str | None = None,
    max_attempts: int | None = None,
    timeout: float | None = None,
    **options: Any,
) -> R:
    """:func:`run_in_transaction` for an ``async def``, within :func:`aatomic`."""
    refuse_unless_async(function, "arun_in_transaction")
    attempts = Attempts(using, max_attempts, timeout)
    while True:
        block = AsyncAtomic(attempts.using, wanted(attempt=attempts.number, **options))
        if attempts.is_joined():
            async with block:
                return await function(*args)
        with recorded(attempts.key) as recorder:
            try:
                async with block:
                    return await function(*args)
            except Exception as error:  # noqa: BLE001 - raised again unless it is transient
                delay = attempts.delay_or_raise(error, recorder)
        await asyncio.sleep(delay)


def retrying(using: Any = None, **options: Any) -> Any:
    """Decorate a function so that each call is a :func:`run_in_transaction`.

    ``@retrying``, ``@retrying("archive", max_attempts=3)``: the arguments are those of
    run_in_transaction, except the function's.
    """
    if callable(using):
        return retrying()(using)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        refuse_unless_plain(function, "retrying")

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            call = functools.partial(function, *args, **kwargs)
            return run_in_transaction(call, using=using, **options)

        return wrapper

    return decorate


def aretrying(using: Any = None, **options: Any) -> Any:
    """:func:`retrying` for an ``async def``."""
    if callable(using):
        return aretrying()(using)

    def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        refuse_unless_async(function, "aretrying")

        @functools.wraps(function)
        async def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            call = functools.partial(function, *args, **kwargs)
            return await arun_in_transaction(call, using=using, **options)

        return wrapper

    return decorate


class Attempts:
    """The attempts of one call: their number, and whether there will be another one."""

    def __init__(
        self, using: str | None, max_attempts: int | None = None, timeout: float | None = None
    ) -> None:
        limits = settings.transaction
        self.using = using or DEFAULT_ALIAS
        self.connection = connections[self.using]
        self.key = self.connection.key
        self.number = 1
        self._most = limits.max_attempts if max_attempts is None else max_attempts
        self._timeout = limits.timeout if timeout is None else timeout
        if self._most < 1 or self._timeout <= 0:
            raise ValueError(
                "max_attempts must be at least 1, and timeout a positive number of seconds."
            )
        self._began = time.monotonic()

    def is_joined(self) -> bool:
        return (
            state.innermost(self.key) is not None
            or backend_connections.attach_existing(self.connection) is not None
        )

    def delay_or_raise(self, error: Exception, recorder: Recorder | None) -> float:
        """Seconds until the next attempt; raises ``error`` if there is none."""
        if recorder is not None and not is_unknown_commit(error):
            recorder.restore()
        if not is_transient(error):
            raise error
        ceiling = min(_FIRST_DELAY * _GROWTH**self.number, _LONGEST_DELAY)
        delay = random.uniform(0, ceiling)  # noqa: S311 - to spread attempts, not to hide
        elapsed = time.monotonic() - self._began
        if self.number >= self._most or elapsed + delay > self._timeout:
            error.add_note(
                f"The transaction on {self.using!r} was given up after {self.number} attempts in "
                f"{elapsed:.1f} s."
            )
            raise error
        self.number += 1
        reporting.retried(self.using, self.number, error, delay)
        return delay
