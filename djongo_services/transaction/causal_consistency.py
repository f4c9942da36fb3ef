"""The causal session of a request: each operation sees what the previous ones saw.

PyMongo takes a server session from a pool for every operation that has none. Operations become
causally consistent not by sharing a session, but by knowing the times that earlier ones have seen.
So these times are kept per request, and every operation gets a session of its own with them:
threads and tasks of one request never share a session, which could carry only one operation at a
time, and there is nothing to end afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from bson.timestamp import Timestamp
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import (  # type: ignore[attr-defined]  # exported by a star
    ClientSession,
    SessionOptions,
)
from pymongo.errors import OperationFailure

from djongo_services.server_errors import INVALID_OPTIONS, NOT_THIS_CLUSTERS_TIME
from djongo_services.transaction.state import READS, Key

Times = tuple[Mapping[str, Any] | None, Timestamp | None]
"""A session's ``cluster_time`` and ``operation_time``."""

_CAUSAL = SessionOptions(causal_consistency=True)
_SNAPSHOT = SessionOptions(causal_consistency=False, snapshot=True)
_SNAPSHOT_READS = frozenset({"find", "aggregate", "distinct"})
_HARMLESS = READS | {
    "buildInfo",
    "collStats",
    "dbStats",
    "explain",
    "hello",
    "killCursors",
    "listCollections",
    "listDatabases",
    "listIndexes",
    "ping",
    "serverStatus",
}
_SNAPSHOT_WIRE_VERSION = 13
"""MongoDB 5.0."""


class Clock:
    """The causal times of one request on the deployment of one connection.

    A transaction uses it as the session around itself: hence ``has_ended``, ``in_transaction`` and
    the names of its methods.
    """

    __slots__ = (
        "_lock",
        "cluster_time",
        "dropped",
        "operation_time",
        "proven",
        "snapshot",
        "snapshot_time",
        "wrote",
    )

    has_ended = False
    in_transaction = False

    def __init__(self, times: Times, *, snapshot: bool) -> None:
        self.cluster_time, self.operation_time = times
        self.snapshot = snapshot
        """Whether reads see one moment; not after a write, which they must see."""
        self.snapshot_time: Any = None
        self.wrote = False
        self.proven = False
        """Whether the deployment has responded, and so accepts the times."""
        self.dropped = False
        """Whether the deployment refused the times, so that they were dropped."""
        self._lock = threading.Lock()

    def advance_cluster_time(self, time: Mapping[str, Any]) -> None:
        self.advance((time, None))

    def advance_operation_time(self, time: Timestamp) -> None:
        self.advance((None, time))

    def advance(self, times: Times) -> None:
        cluster, operation = times
        with self._lock:
            known = self.cluster_time
            if cluster and (known is None or cluster["clusterTime"] > known["clusterTime"]):
                self.cluster_time = cluster
            if operation and (self.operation_time is None or operation > self.operation_time):
                self.operation_time = operation

    def drop(self) -> None:
        """Drop the times that the request came with: they are not this deployment's."""
        with self._lock:
            if not (self.proven or self.dropped):
                self.cluster_time = self.operation_time = None
                self.dropped = True

    def note_write(self) -> None:
        self.wrote = True
        self.snapshot = False

    def new_session(self, client: Any, server_session: Any) -> Any:
        """A session for one operation of ``client``, instead of the one that PyMongo would
        create."""
        # It does not become a CausalSession later, through __class__: such objects lose the
        # interpreter's fast paths, which costs a read 5 µs.
        causal = AsyncCausalSession if isinstance(client, AsyncMongoClient) else CausalSession
        session: Any = causal(client, server_session, _CAUSAL, True)
        session.djongo_services_clock = self
        if self.cluster_time is not None:
            session._advance_cluster_time(self.cluster_time)
        if self.operation_time is not None:
            session._advance_operation_time(self.operation_time)
        return session

    def take_from(self, session: Any, reply: Mapping[str, Any]) -> None:
        """Record the times of a response. Call it after each one."""
        self.proven = self.proven or bool(reply.get("ok"))
        self.advance((session.cluster_time, session.operation_time))
        if session.options.snapshot and self.snapshot_time is None:
            self.snapshot_time = session._snapshot_time

    def before(self, command: Mapping[str, Any], session: Any, connection: Any) -> None:
        """Prepare the session of a single operation whose command is about to be sent."""
        name = next(iter(command))
        if name not in _HARMLESS or _writes(command):
            self.note_write()
        elif self.snapshot and name in _SNAPSHOT_READS and _has_snapshots(connection):
            session._options = _SNAPSHOT
            session._snapshot_time = self.snapshot_time


def drop_times(session: Any, clock: Any, error: OperationFailure) -> bool:
    """Whether the error is about the causal times that a request came with: those of another
    cluster, or of this one before it was restored. Then they are dropped, and the operation may be
    sent again."""
    if not isinstance(clock, Clock) or clock.proven:
        return False
    is_about_them = error.code in NOT_THIS_CLUSTERS_TIME or (
        error.code == INVALID_OPTIONS and "afterClusterTime" in str(error)
    )
    if not is_about_them or (session.cluster_time is None and session.operation_time is None):
        return False
    clock.drop()
    session._cluster_time = session._operation_time = None
    return True


class CausalSession(ClientSession):
    """The session of a single operation in a request."""

    djongo_services_clock: Clock

    def _apply_to(self, command: Any, is_retryable: bool, read_preference: Any, conn: Any) -> None:
        self.djongo_services_clock.before(command, self, conn)
        super()._apply_to(command, is_retryable, read_preference, conn)

    def _process_response(self, reply: Mapping[str, Any]) -> None:
        super()._process_response(reply)
        self.djongo_services_clock.take_from(self, reply)


class AsyncCausalSession(AsyncClientSession):
    """The same for an AsyncMongoClient; a shared base class would prevent changing to one."""

    djongo_services_clock: Clock

    def _apply_to(self, command: Any, is_retryable: bool, read_preference: Any, conn: Any) -> None:
        self.djongo_services_clock.before(command, self, conn)
        super()._apply_to(command, is_retryable, read_preference, conn)

    def _process_response(self, reply: Mapping[str, Any]) -> None:
        super()._process_response(reply)
        self.djongo_services_clock.take_from(self, reply)


class Clocks:
    """The clocks of one request, each created when its connection is first used."""

    __slots__ = ("_by_key", "_times", "ended", "snapshots")

    def __init__(self, times: Mapping[Key, Times] | None = None) -> None:
        self._by_key: dict[Key, Clock] = {}
        self._times = times or {}
        self.snapshots: frozenset[Key] = frozenset()
        self.ended = False
        """Whether the request is over: a task that was started in it and still runs has no
        clocks."""

    def known_times(self, key: Key) -> Times:
        """The initial times, for example those of an earlier request."""
        return self._times.get(key, (None, None))

    def __getitem__(self, key: Key) -> Clock:
        clock = self._by_key.get(key)
        if clock is None:
            made = Clock(self.known_times(key), snapshot=key in self.snapshots)
            clock = self._by_key.setdefault(key, made)
        return clock

    def used(self) -> dict[Key, Clock]:
        return dict(self._by_key)

    def read_snapshots(self, keys: frozenset[Key]) -> None:
        """From now on, reads on these connections see one moment, until the request writes."""
        self.snapshots = keys
        for key, clock in self.used().items():
            clock.snapshot = key in keys and not clock.wrote


CLOCKS: ContextVar[Clocks | None] = ContextVar("djongo_services_clocks", default=None)
"""The clocks of the request that this context serves."""


def current_clock(key: Key) -> Clock | None:
    clocks = CLOCKS.get()
    return None if clocks is None or clocks.ended else clocks[key]


def _writes(command: Mapping[str, Any]) -> bool:
    pipeline: Any = command.get("pipeline")
    return bool(pipeline) and ("$out" in pipeline[-1] or "$merge" in pipeline[-1])


def _has_snapshots(connection: Any) -> bool:
    """Whether the server is a replica set or sharded cluster from 5.0 on."""
    wire_version: int = connection.max_wire_version
    return wire_version >= _SNAPSHOT_WIRE_VERSION and (connection.is_repl or connection.is_mongos)
