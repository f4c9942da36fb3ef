"""Estimating how long the index builds of a plan will take.

A build reads every document of its collection and writes one key per document into each of its
indexes. So its work is measured in bytes and in keys, and its time is between what a slow server
and a fast one need for that. If this database has built indexes before, the history shows the
actual speed of its server, and the range is narrower.
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
    """Bytes of documents that are read per second."""
    keys: float
    """Keys that are written into indexes per second."""

    def seconds(self, size: CollectionSize, indexes: int) -> float:
        return size.bytes / self.bytes + size.documents * indexes / self.keys


FAST = Speed(bytes=1e9, keys=600e3)
SLOW = Speed(bytes=20e6, keys=40e3)
"""Usual speeds: for documents in memory on a server that is otherwise idle, and for documents that
come from a busy network disk. Between them is what was measured with MongoDB 6.0 on a machine with
two busy cores: 300,000 documents of 180 bytes in 2.8 s, 100,000 of 2 kB in 0.3 to 1.6 s."""

MEASURED = 20
"""The number of latest builds in the history that are used."""
_WORTH_SECONDS = 1.0
"""Only builds for which a slow server would need more time than this are used: shorter ones mostly
wait."""
_MARGIN = 1.5
"""The measured range is widened by this factor, because collections differ in their documents."""
_TRIMMED = 4
"""From this number of builds on, the fastest and the slowest are ignored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildEstimate:
    """An estimate between :attr:`low` and :attr:`high` seconds."""

    low: float
    high: float
    documents: int
    """The number of documents in all collections together."""
    bytes: int
    builds: int
    """The number of builds of this database that it is based on; 0: the usual speeds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimates:
    """What is known about the builds of a plan; without any information there are no estimates."""

    sizes: Mapping[str, CollectionSize] = field(default_factory=dict)
    """Sizes of the collections that exist, by name."""
    measured: tuple[MeasuredBuild, ...] = ()

    @property
    def builds(self) -> int:
        """The number of builds of this database that estimates are based on; 0: the usual
        speeds."""
        return len(_telling(self.measured))

    def of(self, operations: Iterable[Operation]) -> BuildEstimate | None:
        """How long the builds among the operations take, one after the other.

        None if none of them is on a collection with documents, or if a size is unknown.
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
    """The information about these operations' builds; nothing is queried if there are none.

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
    """The time of each sufficiently long build, as a share of a slow server's time; fastest
    first."""
    slow = [(build, SLOW.seconds(build.size, build.indexes)) for build in measured]
    return sorted(build.seconds / seconds for build, seconds in slow if seconds > _WORTH_SECONDS)
