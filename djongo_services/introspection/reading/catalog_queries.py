"""The queries about the collections of a database, run in a pool of threads.

Data in the memory of a replica set's members is queried from each of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pymongo
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_preferences import Nearest
from pymongo.server_description import ServerDescription

from djongo_services.abilities import Abilities
from djongo_services.introspection.catalog import Direction, Index, IndexBuild, Unavailable
from djongo_services.introspection.reading.assembly import Answers
from djongo_services.introspection.reading.listing import (
    Answer,
    Document,
    ListedCollection,
    list_indexes,
)
from djongo_services.introspection.reading.probes import (
    BATCH,
    MULTIKEY,
    STATISTICS,
    USAGE,
    Builds,
    Probe,
    explain_multikey,
    multikey_of,
    read_batch,
    read_builds,
)
from djongo_services.server_errors import NAMESPACE_NOT_FOUND

WORKERS = 8
"""The number of parallel commands; the client's pool of connections may allow fewer."""

_LISTINGS = 10
"""The number of ``listIndexes`` commands that one worker sends in a row."""

Told = dict[str, Answer]
"""Responses by collection name."""
T = TypeVar("T")


@contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """Threads without the caller's bound session or transaction.

    An error or Ctrl-C cancels what has not begun.
    """
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="catalog")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


class Questions:
    """First send all queries; then wait for the responses in the order in which they are used."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        database: Database[Document],
        entries: Sequence[ListedCollection],
    ) -> None:
        self._pool = pool
        self._database = database
        self._entries = entries
        self._statistics: list[Future[Told]] | None = None
        self._multikey: list[Future[Told]] | None = None
        self._usage: list[tuple[Database[Document], list[Future[Told]]]] | None = None
        self._indexes = [
            pool.submit(_list_many, database, chunk) for chunk in _chunks(entries, _LISTINGS)
        ]

    def ask_statistics(self) -> None:
        self._statistics = self._ask(self._database, STATISTICS)

    def ask_multikey(self) -> None:
        self._multikey = self._ask(self._database, MULTIKEY)

    def ask_usage(self, server: Abilities) -> list[Unavailable]:
        """Read the usage of every member, and return the members that cannot be reached."""
        reached, missing = self._pool.submit(each_member, self._database, server).result()
        self._usage = [(member, self._ask(member, USAGE)) for member in reached]
        return missing

    def answers(self) -> tuple[dict[str, Answers], list[Unavailable]]:
        """Responses by collection, without those that were dropped in the meantime; and the
        unreachable members."""
        usage, lost = self._told_usage()
        statistics = None if self._statistics is None else _merged(self._statistics)
        indexes = {name: _definitions(told) for name, told in _merged(self._indexes).items()}
        entries = [
            entry
            for entry in self._entries
            if not _is_dropped(indexes[entry.name])
            and not (statistics is not None and _is_dropped(statistics[entry.name]))
        ]
        builds = self._told_builds(entries, indexes)
        multikey = self._told_multikey(entries, indexes)
        found = {
            entry.name: Answers(
                indexes=indexes[entry.name],
                statistics=None if statistics is None else statistics[entry.name],
                usage=None if usage is None else [told[entry.name] for told in usage],
                multikey=None if multikey is None else multikey[entry.name],
                builds=builds,
            )
            for entry in entries
        }
        return found, lost

    def _ask(self, database: Database[Document], probe: Probe) -> list[Future[Told]]:
        return [
            self._pool.submit(read_batch, database, batch, probe)
            for batch in _chunks(self._entries, BATCH)
        ]

    def _told_usage(self) -> tuple[list[Told] | None, list[Unavailable]]:
        if self._usage is None:
            return None, []
        told: list[Told] = []
        lost: list[Unavailable] = []
        for member, batches in self._usage:
            try:
                told.append(_merged(batches))
            except PyMongoError as error:
                if not isinstance(member.read_preference, MemberPreference):
                    raise
                lost.append(without_member(member.read_preference.address, error))
        return told, lost

    def _told_builds(
        self,
        entries: Sequence[ListedCollection],
        indexes: dict[str, tuple[Index, ...] | OperationFailure],
    ) -> Builds | OperationFailure | None:
        building = [
            entry.storage
            for entry in entries
            if any(index.build for index in _readable(indexes[entry.name]))
        ]
        if not building:
            return None
        return self._pool.submit(read_builds, self._database, building).result()

    def _told_multikey(
        self,
        entries: Sequence[ListedCollection],
        indexes: dict[str, tuple[Index, ...] | OperationFailure],
    ) -> dict[str, dict[str, bool]] | None:
        if self._multikey is None:
            return None
        told = _merged(self._multikey)
        explained: dict[str, Future[dict[str, bool]]] = {}
        found: dict[str, dict[str, bool]] = {}
        for entry in entries:
            answer = told[entry.name]
            if isinstance(answer, OperationFailure):
                explained[entry.name] = self._pool.submit(
                    explain_multikey,
                    self._database,
                    entry.storage,
                    _readable(indexes[entry.name]),
                )
            else:
                found[entry.name] = multikey_of(answer)
        return found | {name: future.result() for name, future in explained.items()}


def _list_many(database: Database[Document], entries: Sequence[ListedCollection]) -> Told:
    return {entry.name: list_indexes(database, entry.name) for entry in entries}


def _definitions(answer: Answer) -> tuple[Index, ...] | OperationFailure:
    if isinstance(answer, OperationFailure):
        return answer
    return tuple(read_definition(document) for document in answer)


def _readable(indexes: tuple[Index, ...] | OperationFailure) -> tuple[Index, ...]:
    return () if isinstance(indexes, OperationFailure) else indexes


def _is_dropped(answer: object) -> bool:
    return isinstance(answer, OperationFailure) and answer.code == NAMESPACE_NOT_FOUND


def _merged(futures: Iterable[Future[Told]]) -> Told:
    told: Told = {}
    for future in futures:
        told |= future.result()
    return told


def _chunks(entries: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


Keys = tuple[tuple[str, Direction], ...]


def read_definition(document: Mapping[str, Any]) -> Index:
    """An index; an unfinished one is wrapped: ``{"spec": {...}, "buildUUID": ...}``."""
    building = "spec" in document
    definition: Mapping[str, Any] = document["spec"] if building else document
    return Index(
        name=definition["name"],
        keys=index_keys(definition),
        definition=definition,
        build=IndexBuild() if building else None,
    )


def index_keys(definition: Mapping[str, Any]) -> Keys:
    """The key pattern with normalised numbers, and text fields by name.

    The server stores all text fields of an index in one place of the key, as ``_fts`` and
    ``_ftsx``; their names are the keys of ``weights``, in alphabetical order.
    """
    keys: list[tuple[str, Direction]] = []
    for name, direction in definition["key"].items():
        if direction == "text" and name == "_fts":
            keys += [(field, "text") for field in definition.get("weights", {})]
        elif name != "_ftsx" or "weights" not in definition:
            keys.append((name, _direction(direction)))
    return tuple(keys)


def _direction(value: object) -> Direction:
    """The direction as the server interprets it: below zero is descending, a string names a special
    index.

    Indexes from before MongoDB 3.4 may contain other values (``true``, ``""``, a document), which
    all mean ascending.
    """
    match value:
        case str() if value:
            return value
        case bool():
            return 1
        case int():
            return int(value)
        case float() if math.isfinite(value):
            return int(value) if value.is_integer() else float(value)
    return 1


# Reading from each member of a replica set, for data in a member's memory.
PATIENCE_SECONDS = 2.0
"""The time limit for a member's response to a ping."""

_REPLICA_SETS = frozenset({"ReplicaSetWithPrimary", "ReplicaSetNoPrimary"})
_WITHOUT_DATA = frozenset({"RSArbiter", "RSGhost"})

Address = tuple[str, int | None]


class MemberPreference(Nearest):
    """Reads from one specific member; for the server it is ``nearest``.

    PyMongo calls a read preference with the servers to choose from, and again with those that it
    discovers until the time for server selection is over.
    """

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.address = address

    def __call__(self, selection: Any) -> Any:
        chosen = [
            server
            for server in selection.server_descriptions
            if server.address == self.address and server.is_readable
        ]
        return selection.with_server_descriptions(chosen)


def each_member(
    database: Database[Document], server: Abilities
) -> tuple[list[Database[Document]], list[Unavailable]]:
    """The database as read from each member that responds, and the others.

    For a standalone server, a sharded cluster (whose mongos queries every shard) and a client that
    is connected to one member directly, it is the database itself.
    """
    topology = database.client.topology_description
    if topology.topology_type_name not in _REPLICA_SETS:
        return [database], _beyond_direct_connection(server)
    reached: list[Database[Document]] = []
    missing: list[Unavailable] = []
    for address, description in sorted(topology.server_descriptions().items()):
        if description.server_type_name in _WITHOUT_DATA:
            continue
        one = database.with_options(read_preference=MemberPreference(address))
        reason = _why_silent(one, description)
        if reason is None:
            reached.append(one)
        else:
            missing.append(without_member(address, reason))
    return reached, missing


def without_member(address: Address, reason: object) -> Unavailable:
    host, port = address
    first_line = str(reason).partition("\n")[0][:200]
    return Unavailable(
        what="usage", reason=f"The member {host}:{port} does not answer: {first_line}"
    )


def _why_silent(database: Database[Document], description: ServerDescription) -> str | None:
    if description.error is not None and description.server_type_name == "Unknown":
        # Its monitor has just failed: selecting it would only cost time.
        return str(description.error)
    if description.server_type_name == "RSOther":
        # PyMongo would keep a connection from now for later, and never use sessions on it.
        return "it is starting or recovering"
    try:
        with pymongo.timeout(PATIENCE_SECONDS):
            database.command("ping", read_preference=database.read_preference)
    except PyMongoError as error:
        return str(error)
    return None


def _beyond_direct_connection(server: Abilities) -> list[Unavailable]:
    others = len(server.members) - 1
    if server.topology != "replica set" or others < 1:
        return []
    return [
        Unavailable(
            what="usage",
            reason=f"The client is connected to one member directly; "
            f"{others} more cannot be queried.",
        )
    ]
