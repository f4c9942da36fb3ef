"""Aggregations that end soon when the caller no longer wants their result.

The server is told to stop through the operation's own session (``killSessions``), which every
user may do for sessions of their own; closing the socket alone would leave it working.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection.progress import Stop

_POLL = 0.1
"""Seconds within which the watcher notices that the operation has ended."""


class Interrupted(DjongoServicesError):
    """The work was stopped before it was done."""


def aggregate(
    collection: Collection[Any],
    pipeline: Sequence[dict[str, Any]],
    *,
    stop: Stop | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Every result of ``pipeline``, whose size the caller has bounded.

    Raises Interrupted when ``stop`` is set before or during the work, and PyMongo's errors.
    """
    options = {"allowDiskUse": True, **options}
    with interruptible(collection, stop) as session:
        return list(collection.aggregate(list(pipeline), session=session, **options))


@contextmanager
def interruptible(collection: Collection[Any], stop: Stop | None) -> Iterator[ClientSession | None]:
    """A session whose operations are killed once ``stop`` is set, as Interrupted.

    Without ``stop`` there is nothing to watch, and no session.
    """
    if stop is None:
        yield None
        return
    check(stop)
    with collection.database.client.start_session() as session:
        watcher = _Watcher(session, stop)
        try:
            yield session
        except PyMongoError as error:
            if stop.is_set():
                raise Interrupted from error
            raise
        finally:
            watcher.release()
    check(stop)


def check(stop: Stop | None) -> None:
    """Raise Interrupted if ``stop`` is set."""
    if stop is not None and stop.is_set():
        raise Interrupted


class _Watcher:
    """Kills a session's operations when the event is set, and never after its release."""

    def __init__(self, session: ClientSession, stop: Stop) -> None:
        self._session = session
        self._stop = stop
        self._lock = threading.Lock()
        self._released = threading.Event()
        threading.Thread(target=self._watch, name="interruption", daemon=True).start()

    def release(self) -> None:
        # Under the lock: the server session goes back to the client's pool, and a kill that
        # came later would end the operation of whoever takes it next.
        with self._lock:
            self._released.set()

    def _watch(self) -> None:
        while not self._released.is_set():
            if self._stop.wait(_POLL):
                self._kill()
                # The operation may not have reached the server yet: once more in a while.
                self._released.wait(_POLL)

    def _kill(self) -> None:
        with self._lock:
            if self._released.is_set():
                return
            try:
                self._session.client.admin.command("killSessions", [self._session.session_id])
            except PyMongoError:
                # The operation ends with the connection's own error, or when it is done.
                self._released.set()
