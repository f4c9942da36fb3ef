"""Aggregations and threads that end soon when the caller no longer needs their result.

An operation is stopped on the server by killing its own session (``killSessions``), which every
user may do for sessions of their own. If only the socket were closed, the operation would
continue.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.exceptions import DjongoServicesError
from djongo_services.progress import Stop
from djongo_services.server_errors import OPTION_NOT_SUPPORTED_ON_VIEW

SIMPLE: Final = {"locale": "simple"}
"""Strings are equal if their bytes are, whatever the collection's own collation is."""


_POLL = 0.1
"""Seconds after which an operation is killed again that had not reached the server before."""

_IDLE = 1.0
"""Seconds for which a watcher waits for the next operation before its thread ends."""


class ProfilingInterrupted(DjongoServicesError):
    """The work was stopped before it was complete."""


def aggregate(
    collection: Collection[Any],
    pipeline: Sequence[dict[str, Any]],
    *,
    stop: Stop | None = None,
    tolerant: bool = False,
    **options: Any,
) -> list[dict[str, Any]]:
    """All results of ``pipeline``; the caller has bounded their size.

    Strings are compared and grouped by their bytes, whatever the collection's own collation is.
    Raises ProfilingInterrupted when ``stop`` is set before or during the work, and PyMongo's
    errors; for a view with a collation this includes :data:`OPTION_NOT_SUPPORTED_ON_VIEW`, unless
    the caller is ``tolerant`` of that collation."""
    options = {"allowDiskUse": True, "collation": SIMPLE, **options}
    try:
        with interruptible(collection, stop) as session:
            return list(collection.aggregate(list(pipeline), session=session, **options))
    except OperationFailure as error:
        if not tolerant or error.code != OPTION_NOT_SUPPORTED_ON_VIEW:
            raise
        return aggregate(collection, pipeline, stop=stop, **{**options, "collation": None})


@contextmanager
def interruptible(collection: Collection[Any], stop: Stop | None) -> Iterator[ClientSession | None]:
    """A session whose operations are killed once ``stop`` is set, as ProfilingInterrupted.

    Without ``stop`` there is nothing to watch, and no session.
    """
    if stop is None:
        yield None
        return
    check(stop)
    with collection.database.client.start_session() as session:
        watcher = _watcher_of(stop)
        watcher.add(session, stop)
        try:
            yield session
        except PyMongoError as error:
            if stop.is_set():
                raise ProfilingInterrupted from error
            raise
        finally:
            watcher.release(session)
    check(stop)


def check(stop: Stop | None) -> None:
    """Raise ProfilingInterrupted if ``stop`` is set."""
    if stop is not None and stop.is_set():
        raise ProfilingInterrupted


class _Watcher:
    """Kills the operations of sessions when the event is set, and never after their release.

    There is one thread for each event, however many short operations it covers. Only the thread
    refers to the event: if a watcher did, its own entry would stay in the dictionary for ever.
    """

    def __init__(self) -> None:
        self._sessions: dict[int, ClientSession] = {}
        self._changed = threading.Condition()
        self._is_watching = False

    def add(self, session: ClientSession, stop: Stop) -> None:
        with self._changed:
            self._sessions[id(session)] = session
            if self._is_watching:
                self._changed.notify()
                return
            self._is_watching = True
        watching = threading.Thread(
            target=self._watch, args=[stop], name="interruption", daemon=True
        )
        watching.start()

    def release(self, session: ClientSession) -> None:
        # Under the lock: the server session returns to the client's pool, and a later kill would
        # end the operation of its next user.
        with self._changed:
            self._sessions.pop(id(session), None)

    def _watch(self, stop: Stop) -> None:
        while True:
            with self._changed:
                if not self._sessions and not self._changed.wait_for(self._sessions.__len__, _IDLE):
                    self._is_watching = False
                    return
            if stop.wait(_POLL):
                self._kill()
                # The operation may not have reached the server yet: repeat it after a while.
                time.sleep(_POLL)

    def _kill(self) -> None:
        with self._changed:
            for key, session in list(self._sessions.items()):
                try:
                    session.client.admin.command("killSessions", [session.session_id])
                except PyMongoError:
                    # The operation ends with the connection's own error, or when it is done.
                    del self._sessions[key]


_watchers: WeakKeyDictionary[Stop, _Watcher] = WeakKeyDictionary()
_lock = threading.Lock()
# Threads do not survive a fork.
os.register_at_fork(after_in_child=_watchers.clear)


def _watcher_of(stop: Stop) -> _Watcher:
    with _lock:
        found = _watchers.get(stop)
        if found is None:
            found = _watchers[stop] = _Watcher()
        return found


# A few threads that work in parallel, and can all be stopped together.
Result = TypeVar("Result")

THREADS: Final = 3
"""The number of parallel queries: two keep two processors of the server busy, the third works while
one of them waits for the client; more would slow down a production server."""

_AHEAD: Final = 8
"""Tasks that have begun or wait for a thread; the others are created later."""

_TICK: Final = 0.05
"""Seconds between checks of the caller's stop event."""


class ThreadPool:
    """Runs tasks in threads; :attr:`halt` makes the tasks end.

    It is set by the caller's stop event, by the first error and by any interruption of the caller
    (Ctrl-C), so that no operation continues on the server.
    """

    def __init__(self, stop: Stop | None, tick: Callable[[], None]) -> None:
        self.halt = threading.Event()
        self._stop = stop
        self._tick = tick

    def run(self, tasks: Iterable[Callable[[], Result]]) -> Iterator[Result]:
        """Results as they arrive, in any order; the first error of a task is raised, after the
        results that were complete by then."""
        rest = iter(tasks)
        self._look()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="profile") as pool:
            waiting: set[Future[Result]] = set()
            try:
                while True:
                    waiting.update(map(pool.submit, islice(rest, _AHEAD - len(waiting))))
                    if not waiting:
                        return
                    done, waiting = wait(waiting, timeout=_TICK, return_when=FIRST_COMPLETED)
                    for future in sorted(done, key=_has_failed):
                        yield future.result()
                    self._look()
            finally:
                if waiting:
                    self.halt.set()
                    pool.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> None:
        self._tick()
        if self._stop is not None and self._stop.is_set():
            self.halt.set()


def _has_failed(future: Future[Any]) -> bool:
    return future.exception() is not None
