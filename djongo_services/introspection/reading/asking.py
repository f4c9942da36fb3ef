"""The questions about the collections of a database, under way in a pool of threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.abilities import Abilities
from djongo_services.introspection.catalog import Index, Unavailable
from djongo_services.introspection.reading.assembly import Answers
from djongo_services.introspection.reading.batches import BATCH, Probe, read_batch
from djongo_services.introspection.reading.builds import Builds, read_builds
from djongo_services.introspection.reading.definitions import read_definition
from djongo_services.introspection.reading.explaining import explain_multikey
from djongo_services.introspection.reading.listing import Answer, Document, Listed, list_indexes
from djongo_services.introspection.reading.members import (
    MemberPreference,
    each_member,
    without_member,
)
from djongo_services.introspection.reading.probes import MULTIKEY, STATISTICS, USAGE, multikey_of
from djongo_services.introspection.reading.reasons import NAMESPACE_NOT_FOUND

WORKERS = 8
"""Commands under way at a time; the client's pool of connections may allow fewer."""

_LISTINGS = 10
"""``listIndexes`` commands that one worker sends in a row."""

Told = dict[str, Answer]
"""By collection name."""
T = TypeVar("T")


@contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """Threads that see neither a session nor a transaction that the caller has bound.

    An error or Ctrl-C cancels what has not begun.
    """
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="catalog")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


class Questions:
    """Ask first, all of it; then the answers are waited for in the order in which they are used."""

    def __init__(
        self, pool: ThreadPoolExecutor, database: Database[Document], entries: Sequence[Listed]
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
        """Of every member; returns those that cannot be asked."""
        reached, missing = self._pool.submit(each_member, self._database, server).result()
        self._usage = [(member, self._ask(member, USAGE)) for member in reached]
        return missing

    def answers(self) -> tuple[dict[str, Answers], list[Unavailable]]:
        """By collection, without those that were dropped meanwhile; and the members lost."""
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
        self, entries: Sequence[Listed], indexes: dict[str, tuple[Index, ...] | OperationFailure]
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
        self, entries: Sequence[Listed], indexes: dict[str, tuple[Index, ...] | OperationFailure]
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


def _list_many(database: Database[Document], entries: Sequence[Listed]) -> Told:
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
