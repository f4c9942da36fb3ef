"""What is done with one view: which transactions, how often, and when they are undone."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

from djongo_services.connections import Connection, connections
from djongo_services.transaction.beginning import Wanted
from djongo_services.transaction.requests.marks import Mark, marks_of
from djongo_services.transaction.requests.settings import (
    AliasSettings,
    MiddlewareSettings,
    RollbackOn,
    SafeMethods,
    server_errors,
)
from djongo_services.transaction.state import Key, Options

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_METHODS = SAFE | {"POST", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Treatment:
    """For one view and method."""

    blocks: tuple[tuple[Connection, Wanted], ...] = ()
    """In the order in which they are opened; the last is committed first."""
    snapshots: frozenset[Key] = frozenset()
    attempts: int = 1
    body_limit: int = 0
    rendering: bool = False
    rollback_on: RollbackOn = server_errors
    marks: tuple[Mark, ...] = ()


class Policy:
    """The settings, applied to views; a view's treatment is worked out once."""

    def __init__(self, settings: MiddlewareSettings) -> None:
        self.settings = settings
        self._known: weakref.WeakKeyDictionary[Any, dict[str, Treatment]] = (
            weakref.WeakKeyDictionary()
        )

    def treatment(self, view: Any, method: str | None) -> Treatment:
        if method is None or method not in _METHODS:
            method = ""  # what a client makes up is not kept
        try:
            by_method = self._known.setdefault(view, {})
        except TypeError:  # a callable object that cannot be hashed or referred to weakly
            return self._work_out(view, method)
        found = by_method.get(method)
        if found is None:
            found = by_method[method] = self._work_out(view, method)
        return found

    def treatment_of_marks(self, marks: tuple[Mark, ...], method: str) -> Treatment:
        """For a marked function that is called without the middleware, or under a decorator that
        hides its marks: what they ask for, and nothing else."""
        aliases = {alias for mark in marks for alias in mark.using or self.settings.aliases}
        rest = Mark(atomic=False, using=None)
        return self._combine((*marks, rest), frozenset(), method, only=aliases)

    def _work_out(self, view: Any, method: str) -> Treatment:
        left_alone = frozenset(getattr(view, "_non_atomic_requests", ()))
        return self._combine(marks_of(view, method), left_alone, method)

    def _combine(
        self,
        marks: tuple[Mark, ...],
        left_alone: frozenset[str],
        method: str,
        only: set[str] | None = None,
    ) -> Treatment:
        blocks: dict[Key, tuple[Connection, Wanted]] = {}
        snapshots: set[Key] = set()
        for alias in self._aliases(marks):
            if only is not None and alias not in only:
                continue
            connection = connections[alias]
            mode, options = self._mode(alias, marks, left_alone, method)
            if mode == "transaction" and connection.key not in blocks:
                blocks[connection.key] = (connection, Wanted(options=options))
            elif mode == "snapshot":
                snapshots.add(connection.key)
        return self._treatment(marks, tuple(blocks.values()), frozenset(snapshots) - set(blocks))

    def _aliases(self, marks: tuple[Mark, ...]) -> list[str]:
        named = [alias for mark in marks for alias in mark.using or ()]
        return list(dict.fromkeys([*self.settings.aliases, *named]))

    def _mode(
        self, alias: str, marks: tuple[Mark, ...], left_alone: frozenset[str], method: str
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
        marks: tuple[Mark, ...],
        blocks: tuple[tuple[Connection, Wanted], ...],
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
