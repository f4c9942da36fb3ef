"""How one view is run: with which transactions, how often, and when they are rolled back.

The first requests of a view in a process run one after the other, until one has written.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from djongo_services.connections import Connection, connections
from djongo_services.transaction.blocks import BlockOptions
from djongo_services.transaction.fair_lock import FairLock
from djongo_services.transaction.options import Options
from djongo_services.transaction.requests.settings import (
    AliasSettings,
    MiddlewareSettings,
    RollbackOn,
    SafeMethods,
    server_errors,
)
from djongo_services.transaction.requests.view_options import ViewOptions, options_of
from djongo_services.transaction.state import Key

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_METHODS = SAFE | {"POST", "PUT", "PATCH", "DELETE"}


# The first requests of a view in a process, which run one after the other.
PATIENCE = 5.0
"""Seconds to wait for another request, which may be waiting itself; this is not a lock."""
MOST = 8
"""The maximum number of requests that run alone: a view may never write anything."""
_INSIDE: ContextVar[tuple[FirstRuns, ...]] = ContextVar("djongo_services_first_runs", default=())
_known: weakref.WeakKeyDictionary[Any, dict[Hashable, FirstRuns]] = weakref.WeakKeyDictionary()
"""By view: a process may have several handlers, for example in tests."""
_lock = threading.Lock()


class FirstRuns:
    """The first requests of a view that work on the same databases, one after the other.

    A missing collection is created by the first write to it, as part of the transaction. If several
    transactions do so at the same time, MongoDB commits one, and the others would cause a response
    500 ("pending collection catalog changes"). A view cannot simply run again, since it may not be
    safe to repeat; but it can wait for the one that creates what all of them need.
    """

    __slots__ = ("_left", "_lock")

    def __init__(self) -> None:
        self._lock = FairLock()
        self._left = MOST

    @classmethod
    def of(cls, view: Any, what: Hashable) -> FirstRuns:
        """
        :param what: the view's method and databases.
        """
        with _lock:
            try:
                return _known.setdefault(view, {}).setdefault(what, cls())
            except TypeError:  # a callable object that cannot be hashed or referred to weakly
                return cls()

    @property
    def are_over(self) -> bool:
        return self._left <= 0

    def end(self) -> None:
        """Record that a request has committed what it wrote."""
        self._left = 0

    @contextmanager
    def one_by_one(self) -> Iterator[None]:
        if self in _INSIDE.get():
            yield
            return
        entered = self._lock.try_enter() or self._lock.enter(PATIENCE)
        with self._inside(entered):
            yield

    @asynccontextmanager
    async def aone_by_one(self) -> AsyncIterator[None]:
        if self in _INSIDE.get():
            yield
            return
        entered = self._lock.try_enter() or await self._lock.aenter(PATIENCE)
        with self._inside(entered):
            yield

    @contextmanager
    def _inside(self, entered: bool) -> Iterator[None]:
        if entered and self.are_over:  # in the meantime: from here on all may run at once
            self._lock.leave()
            entered = False
        token = _INSIDE.set((*_INSIDE.get(), self))
        try:
            yield
        finally:
            _INSIDE.reset(token)
            self._left -= 1
            if entered:
                self._lock.leave()


@dataclass(frozen=True, kw_only=True, slots=True)
class Treatment:
    """How a view is run for one method."""

    blocks: tuple[tuple[Connection, BlockOptions], ...] = ()
    """The blocks in the order in which they are opened; the last one is committed first."""
    snapshots: frozenset[Key] = frozenset()
    attempts: int = 1
    body_limit: int = 0
    rendering: bool = False
    rollback_on: RollbackOn = server_errors
    marks: tuple[ViewOptions, ...] = ()
    first_runs: FirstRuns = field(default_factory=FirstRuns)


class ViewPolicy:
    """The settings, applied to views; a view's treatment is computed once."""

    def __init__(self, settings: MiddlewareSettings) -> None:
        self.settings = settings
        self._known: weakref.WeakKeyDictionary[Any, dict[str, Treatment]] = (
            weakref.WeakKeyDictionary()
        )

    def treatment(self, view: Any, method: str | None) -> Treatment:
        if method is None or method not in _METHODS:
            method = ""  # arbitrary methods of clients are not cached
        try:
            by_method = self._known.setdefault(view, {})
        except TypeError:  # a callable object that cannot be hashed or referred to weakly
            return self._work_out(view, method)
        found = by_method.get(method)
        if found is None:
            found = by_method[method] = self._work_out(view, method)
        return found

    def treatment_of_options(self, marks: tuple[ViewOptions, ...], method: str) -> Treatment:
        """The treatment of a marked function that is called without the middleware, or below a
        decorator that hides its marks: their options, and nothing else."""
        aliases = {alias for mark in marks for alias in mark.using or self.settings.aliases}
        rest = ViewOptions(atomic=False, using=None)
        return self._combine((*marks, rest), frozenset(), method, only=aliases)

    def _work_out(self, view: Any, method: str) -> Treatment:
        left_alone = frozenset(getattr(view, "_non_atomic_requests", ()))
        treatment = self._combine(options_of(view, method), left_alone, method)
        databases = tuple(
            (connection.key, connection.database_name) for connection, _ in treatment.blocks
        )
        return replace(treatment, first_runs=FirstRuns.of(view, (method, databases)))

    def _combine(
        self,
        marks: tuple[ViewOptions, ...],
        left_alone: frozenset[str],
        method: str,
        only: set[str] | None = None,
    ) -> Treatment:
        blocks: dict[Key, tuple[Connection, BlockOptions]] = {}
        snapshots: set[Key] = set()
        for alias in self._aliases(marks):
            if only is not None and alias not in only:
                continue
            connection = connections[alias]
            mode, options = self._mode(alias, marks, left_alone, method)
            if mode == "transaction" and connection.key not in blocks:
                blocks[connection.key] = (connection, BlockOptions(options=options))
            elif mode == "snapshot":
                snapshots.add(connection.key)
        return self._treatment(marks, tuple(blocks.values()), frozenset(snapshots) - set(blocks))

    def _aliases(self, marks: tuple[ViewOptions, ...]) -> list[str]:
        named = [alias for mark in marks for alias in mark.using or ()]
        return list(dict.fromkeys([*self.settings.aliases, *named]))

    def _mode(
        self, alias: str, marks: tuple[ViewOptions, ...], left_alone: frozenset[str], method: str
    ) -> tuple[SafeMethods | None, Options]:
        configured = self.settings.aliases.get(alias) or AliasSettings(
            alias=alias, transaction=False
        )
        mark = next((mark for mark in marks if mark.covers(alias)), None)
        if mark is not None:
            if not mark.atomic:
                return None, configured.options
            mode = mark.safe_methods if method in SAFE else "transaction"
            return mode, _over(configured.options, mark.options)
        if alias in left_alone or connections[alias].settings.database in left_alone:
            return None, configured.options
        mode = configured.safe_methods if method in SAFE else "transaction"
        return (mode if configured.transaction else None), configured.options

    def _treatment(
        self,
        marks: tuple[ViewOptions, ...],
        blocks: tuple[tuple[Connection, BlockOptions], ...],
        snapshots: frozenset[Key],
    ) -> Treatment:
        settings = self.settings
        atomic = [mark for mark in marks if mark.atomic]
        attempts = [mark.attempts for mark in atomic if mark.attempts is not None]
        rendering = [mark.rendering for mark in atomic if mark.rendering is not None]
        rollback_on = [mark.rollback_on for mark in atomic if mark.rollback_on is not None]
        return Treatment(
            blocks=blocks,
            snapshots=snapshots,
            attempts=attempts[0] if attempts else settings.attempts,
            body_limit=settings.body_limit,
            rendering=rendering[0] if rendering else settings.rendering,
            rollback_on=rollback_on[0] if rollback_on else settings.rollback_on,
            marks=marks,
        )


def _over(below: Options, above: Options | None) -> Options:
    if above is None:
        return below
    merged = {name: getattr(below, name) for name in below.given()}
    merged |= {name: getattr(above, name) for name in above.given()}
    return Options(**merged)
