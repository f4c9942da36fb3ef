"""How a transaction of a SQL connection ends.

Django reports commits only, and tests capture that report. But every transaction and savepoint ends
through a few methods of its connection, whether it was begun by ``atomic``, ATOMIC_REQUESTS, a
TestCase or by hand. So while something waits for the end, those methods of this one connection are
shadowed.
"""

from __future__ import annotations

import functools
import logging
import os
import weakref
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, Protocol

from django.db import connections as databases

logger = logging.getLogger("djongo_services.storage")

_BLOCK = "_djongo_services_block"
"""An attribute of a connection: what waits for the end of its transaction."""


class WaitingChange(Protocol):
    """A change that waits for the outcome."""

    @property
    def saved(self) -> Any:
        """The id of a file that was saved, or None."""

    @property
    def hidden(self) -> tuple[Any, frozenset[Any]] | None:
        """A place in a bucket, and the ids of its files that are to be deleted."""


class FollowedBlock:
    """The open transaction of one connection, and all that waits for its end."""

    def __init__(self, connection: Any, ended: Callable[[list[Any], bool], None]) -> None:
        """``ended`` is called with the changes, and whether they were committed."""
        self.alias: str = connection.alias
        self.live = True
        self._connection = connection
        self._ended = ended
        self._pid = os.getpid()
        self._changes: list[Any] = []
        self._savepoints: dict[str, int] = {}
        """The number of changes before each savepoint."""
        self._commit_sent = False
        self._saved: set[Any] = set()
        self.hidden: dict[Any, set[Any]] = {}
        """The ids of files that were deleted in it, by their place."""
        self._before = {name: vars(connection).get(name) for name in _METHODS}
        vars(connection)[_BLOCK] = self
        self._shadows = {name: _shadow(connection, name) for name in _METHODS}

    def add(self, change: WaitingChange) -> None:
        self._changes.append(change)
        self._index([change])

    def saved(self, files_id: Any) -> bool:
        """Whether the file was saved in this block."""
        return files_id in self._saved

    def is_of_this_process(self) -> bool:
        """False in a child that was forked in the middle: the parent's rows are not its own."""
        return self._pid == os.getpid()

    # The connection's methods:

    def savepoint(self, original: Callable[[], Any]) -> Any:
        name = original()
        self._savepoints[name] = len(self._changes)
        return name

    def savepoint_commit(self, original: Callable[[Any], Any], name: Any) -> Any:
        done = original(name)
        self._savepoints.pop(name, None)
        return done

    def savepoint_rollback(self, original: Callable[[Any], Any], name: Any) -> Any:
        allowed = self._connection._savepoint_allowed()
        done = original(name)
        if allowed:
            # An unknown savepoint was created before anything waited.
            kept = self._savepoints.get(name, 0)
            undone, self._changes = self._changes[kept:], self._changes[:kept]
            self._saved, self.hidden = set(), {}
            self._index(self._changes)
            self._tell(undone, committed=False)
        return done

    def commit(self, original: Callable[[], Any]) -> Any:
        self._commit_sent = not self._connection.in_atomic_block
        done = original()
        self._end(committed=True)
        return done

    def rollback(self, original: Callable[[], Any]) -> Any:
        done = original()
        # Also after a commit that failed: the error said that it was refused.
        if self._connection.connection is not None:
            self._end(committed=False)
        return done

    def close(self, original: Callable[[], Any]) -> Any:
        try:
            return original()
        finally:
            if self._connection.connection is None or self._connection.closed_in_transaction:
                self._end(committed=None if self._commit_sent else False)

    def _end(self, *, committed: bool | None) -> None:
        """``committed`` is None if the outcome is unknown, because the connection was lost with the
        commit."""
        changes, self._changes = self._changes, []
        self.live = False
        _live.discard(self)
        self._uncover()
        if committed is None:
            logger.warning(
                "The connection %r was lost during its commit, so it is unknown whether %d changes "
                "of files were committed; what was saved and deleted in it is left to gridfs_gc.",
                self.alias,
                len(changes),
            )
        else:
            self._tell(changes, committed=committed)

    def _uncover(self) -> None:
        """Restore the connection's methods, except those that were shadowed again by other code."""
        attributes = vars(self._connection)
        if attributes.get(_BLOCK) is self:
            del attributes[_BLOCK]
        for name, shadow in self._shadows.items():
            if attributes.get(name) is not shadow:
                continue
            if self._before[name] is None:
                del attributes[name]
            else:
                attributes[name] = self._before[name]

    def _tell(self, changes: list[Any], *, committed: bool) -> None:
        if changes and self.is_of_this_process():
            self._ended(changes, committed)

    def _index(self, changes: Iterable[WaitingChange]) -> None:
        for change in changes:
            if change.saved is not None:
                self._saved.add(change.saved)
            if change.hidden is not None:
                place, ids = change.hidden
                self.hidden.setdefault(place, set()).update(ids)


_METHODS = ("savepoint", "savepoint_commit", "savepoint_rollback", "commit", "rollback", "close")
_live: weakref.WeakSet[FollowedBlock] = weakref.WeakSet()
_here: ContextVar[tuple[FollowedBlock, ...]] = ContextVar("djongo_services_sql_blocks", default=())
"""For code that reads in this context, but in another thread, such as an event loop's."""


def open_block(alias: str, ended: Callable[[list[Any], bool], None]) -> FollowedBlock | None:
    """The open transaction of the alias in this thread; None in autocommit mode.

    Raises ConnectionDoesNotExist for an alias that DATABASES does not have.
    """
    connection: Any = databases[alias]
    if not _is_open(connection):
        return None
    block: FollowedBlock | None = vars(connection).get(_BLOCK)
    if block is None or not block.is_of_this_process():
        block = FollowedBlock(connection, ended)
        _live.add(block)
    _here.set((*(each for each in _here.get() if each.live and each is not block), block))
    return block


def blocks_here() -> list[FollowedBlock]:
    """The blocks whose changes were made by code of this thread or context."""
    if not _live:
        return []
    found = [each for each in _here.get() if each.live]
    for connection in databases.all(initialized_only=True):
        block = vars(connection).get(_BLOCK)
        if block is not None and block not in found:
            found.append(block)
    return found


def is_sql(alias: str) -> bool:
    return databases[alias].vendor != "mongodb"


def _is_open(connection: Any) -> bool:
    """Whether a transaction is open, also if autocommit was turned off by hand."""
    by_hand = connection.connection is not None and not connection.autocommit
    return bool(connection.in_atomic_block or by_hand)


def _shadow(connection: Any, name: str) -> Callable[..., Any]:
    original = getattr(connection, name)

    @functools.wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        block: FollowedBlock | None = vars(connection).get(_BLOCK)
        if block is None:  # It has ended, and other code had shadowed this in the meantime.
            return original(*args, **kwargs)
        return getattr(block, name)(original, *args, **kwargs)

    vars(connection)[name] = method
    return method
