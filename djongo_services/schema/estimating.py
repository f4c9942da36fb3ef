"""How long the index builds of a plan will take, about.

A build reads every document of its collection and writes a key a document into each of its indexes.
So its work is measured in bytes and in keys, and its time lies between what a slow server and what
a fast one needs for that. Where this database has built indexes before, the history says how fast
its server was in truth, and the range is narrower.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.schema.applying.history import History, MeasuredBuild
from djongo_services.schema.operations import BuildIndexes, CreateCollection, Operation
from djongo_services.schema.sizes import CollectionSize, collection_sizes

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """How fast a server builds indexes."""

    bytes: float
    """Bytes of documents that are read in a second."""
    keys: float
    """Keys that are written into indexes in a second."""

    def seconds(self, size: CollectionSize, indexes: int) -> float:
        return size.bytes / self.bytes + size.documents * indexes / self.keys


FAST = Speed(bytes=1e9, keys=600e3)
SLOW = Speed(bytes=20e6, keys=40e3)
"""Usual speeds: of documents in memory on a server that does nothing else, and of documents that
come from a busy network disk. Between them is what was measured with MongoDB 6.0 on a machine of
two busy cores: 300,000 documents of 180 bytes in 2.8 s, 100,000 of 2 kB in 0.3 to 1.6 s."""

MEASURED = 20
"""So many of the latest builds of the history count."""
_WORTH_SECONDS = 1.0
"""Only builds that a slow server would take longer for: shorter ones mostly wait."""
_MARGIN = 1.5
"""Collections differ in their documents: the range of what was measured is widened by so much."""
_TRIMMED = 4
"""From so many builds on, the fastest and the slowest do not count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildEstimate:
    """Between :attr:`low` and :attr:`high` seconds, about."""

    low: float
    high: float
    documents: int
    """How many the collections have together."""
    bytes: int
    builds: int
    """How many builds of this database it was estimated from; 0: from the usual speeds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimates:
    """What is known about the builds of a plan; without anything known there are no estimates."""

    sizes: Mapping[str, CollectionSize] = field(default_factory=dict)
    """By collection, of those that exist."""
    measured: tuple[MeasuredBuild, ...] = ()

    @property
    def builds(self) -> int:
        """By how many builds of this database is estimated; 0: by the usual speeds."""
        return len(_telling(self.measured))

    def of(self, operations: Iterable[Operation]) -> BuildEstimate | None:
        """How long the builds among the operations take, one after the other.

        None where none is of a collection with documents, or where a size is unknown.
        """
        builds = [
            step
            for step in operations
            if isinstance(step, BuildIndexes) and self._documents(step.collection)
        ]
        if not builds:
            return None
        low, high = self._range([(self.sizes[one.collection], len(one.indexes)) for one in builds])
        sizes = [self.sizes[name] for name in {step.collection for step in builds}]
        return BuildEstimate(
            low=low,
            high=high,
            documents=sum(size.documents for size in sizes),
            bytes=sum(size.bytes for size in sizes),
            builds=self.builds,
        )

    def _documents(self, collection: str) -> int:
        size = self.sizes.get(collection)
        return 0 if size is None else size.documents

    def _range(self, work: Sequence[tuple[CollectionSize, int]]) -> tuple[float, float]:
        slow = sum(SLOW.seconds(size, indexes) for size, indexes in work)
        shares = _telling(self.measured)
        if not shares:
            return sum(FAST.seconds(size, indexes) for size, indexes in work), slow
        if len(shares) >= _TRIMMED:
            shares = shares[1:-1]
        return slow * shares[0] / _MARGIN, slow * shares[-1] * _MARGIN


UNKNOWN = Estimates()


def read_estimates(database: Database[Document], operations: Iterable[Operation]) -> Estimates:
    """What is to be known of these operations' builds; asks nothing where there are none.

    What the user may not read is left out. Raises PyMongo's errors when the connection is lost.
    """
    operations = list(operations)
    names = {step.collection for step in operations if isinstance(step, BuildIndexes)}
    names -= {step.collection for step in operations if isinstance(step, CreateCollection)}
    sizes = collection_sizes(database, names) if names else {}
    if not any(size.documents for size in sizes.values()):
        return Estimates(sizes=sizes)
    measured: list[MeasuredBuild] = []
    with contextlib.suppress(OperationFailure):
        measured = History(database).builds(MEASURED)
    return Estimates(sizes=sizes, measured=tuple(measured))


def _telling(measured: Iterable[MeasuredBuild]) -> list[float]:
    """Which share of a slow server's time each build took that was long enough; the fastest
    first."""
    slow = [(build, SLOW.seconds(build.size, build.indexes)) for build in measured]
    return sorted(build.seconds / seconds for build, seconds in slow if seconds > _WORTH_SECONDS)
