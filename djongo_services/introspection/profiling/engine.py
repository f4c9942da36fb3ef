"""Profiling one collection: from its sample to exact counts, or with one query if it is small."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pymongo.collection import Collection
from pymongo.errors import PyMongoError
from pymongo.read_preferences import _ServerMode

from djongo_services.introspection.catalog import Collection as Described
from djongo_services.introspection.profiling.assembly import (
    Counted,
    Estimated,
    Exact,
    Figures,
    at_least,
    counted,
    fields_of,
)
from djongo_services.introspection.profiling.counting import Scan, Tally, plan_scans
from djongo_services.introspection.profiling.folding import fold
from djongo_services.introspection.profiling.interruption import ProfilingInterrupted, ThreadPool
from djongo_services.introspection.profiling.proof import Proof
from djongo_services.introspection.profiling.ranges import Bound, Range, in_order, split
from djongo_services.introspection.profiling.shape import SAMPLED, ObjectShape
from djongo_services.introspection.profiling.source import CollectionSource, Identity, reason
from djongo_services.introspection.profiling.walk import learn
from djongo_services.introspection.report import Coverage, Depth, Profile
from djongo_services.progress import Progress, ProgressHook, Stop

DOCUMENTS_PER_RANGE: Final = 10_000
"""Small enough to show progress and to stop quickly, and large enough to make the cost of starting
a query negligible."""

MAXIMUM_RANGES: Final = 256
"""Cuts come from the sample; with more of them, ranges would have very different sizes."""


def profile(
    collection: Collection[Any],
    depth: Depth = "sample",
    *,
    sample: int = 1000,
    read_preference: _ServerMode | None = None,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> Profile:
    """The shape of a collection's documents.

    - ``sample``: the shape and the counts of ``sample`` random documents.
    - ``complete``: types and presence are proven for every document that existed from start to
      end and was not changed in the meantime; counts are estimates.
    - ``exact``: complete, and the server counts every document.

    A collection of at most twice ``sample`` documents is read completely, which is exact at any
    depth.

    Counts of a ``complete`` profile are the sample's shares of the whole collection. The count of a
    type that only the proof found is the number of fetched values: a lower bound.

    A schema does not distinguish subtypes of binary values: ``complete`` knows those of the
    documents read, ``exact`` counts those of values of up to 64 bytes and divides longer ones.

    Raises PyMongo's errors until the sample was read; from then on a failure, a drop of the
    collection or ``stop`` leads to the result so far, and ``coverage.stopped`` contains the reason.
    """
    work = _ProfileInTheMaking(collection, depth, max(sample, 1), read_preference, progress, stop)
    return work.run()


class _ProfileInTheMaking:
    """A profile under construction; only the thread of the caller changes its attributes."""

    def __init__(
        self,
        collection: Collection[Any],
        depth: Depth,
        size: int,
        read_preference: _ServerMode | None,
        progress: ProgressHook | None,
        stop: Stop | None,
    ) -> None:
        self._depth = depth
        self._size = size
        self._progress = progress
        self._pool = ThreadPool(stop, self._tell)
        self._source = CollectionSource.of(collection, self._pool.halt, read_preference)
        self._shape = ObjectShape()
        self._proof = Proof(self._source, self._shape)
        self._tally = Tally()
        self._bounds: list[Bound] = []
        self._documents = 0
        self._phase = "sample"
        self._done = 0.0
        self._read_whole = False
        self._proven = False
        self._counted = False
        self._stopped: str | None = None
        self._began = time.monotonic()

    def run(self) -> Profile:
        try:
            self._sample()
            if self._depth != "sample" and not self._read_whole:
                self._go_deeper()
        except ProfilingInterrupted:
            self._stopped = f"The profile of {self._source.name} was stopped before its end."
        profile = self._result()
        if profile.coverage.reached != "exact" or self._stopped is not None:
            return profile
        # If this fails, the lower bounds stay.
        with suppress(ProfilingInterrupted, PyMongoError):
            count = partial(counted, profile, self._source.collection, self._pool.halt)
            (profile,) = self._pool.run([count])
        return profile

    def _sample(self) -> None:
        for _ in self._pool.run([self._take_sample]):
            self._tell()

    def _take_sample(self) -> None:
        self._documents = self._source.count()
        self._read_whole = self._documents <= READ_WHOLE * self._size
        source = self._source
        documents = source.everything() if self._read_whole else source.sample(self._size)
        deeper = self._depth != "sample" and not self._read_whole
        for document in documents:
            learn(self._shape, document, SAMPLED)
            self._done += 1
            if deeper and (bound := Bound.of(document)) is not None:
                self._bounds.append(bound)
        fold(self._shape)

    def _go_deeper(self) -> None:
        identity = Identity()
        try:
            identity = self._source.identity()
            self._prove(identity)
            if self._depth == "exact":
                self._count(identity)
            self._check_identity(identity)
        except PyMongoError as error:
            self._stopped = f"The {self._phase} ended early: {reason(self._source.name, error)}"
            self._check_identity(identity)

    def _prove(self, identity: Identity) -> None:
        self._phase, self._done = "proof", 0.0
        if not identity.by_id:
            for _ in self._pool.run([self._proof.search_unordered]):
                self._tell()
        else:
            parts = self._parts(identity)
            for _ in self._pool.run([partial(self._proof.search, part) for part in parts]):
                self._done += self._documents / len(parts)
        self._proven = True

    def _parts(self, identity: Identity) -> list[Range]:
        bounds = in_order(self._bounds, strings=not identity.collated)
        wanted = min(self._documents // DOCUMENTS_PER_RANGE, len(bounds) // 3, MAXIMUM_RANGES)
        return split(bounds, max(wanted, 1))

    def _count(self, identity: Identity) -> None:
        self._phase, self._done = "counts", 0.0
        scans = plan_scans(self._shape)
        parts = self._parts(identity) if identity.by_id else [Range()]
        scopes = set()
        tasks = []
        for scan in scans:
            rows = id(scan.scope) not in scopes
            scopes.add(id(scan.scope))
            tasks += [partial(self._scan, scan, part, rows) for part in parts]
        for scan, groups, rows in self._pool.run(tasks):
            self._tally.add(scan, groups, rows=rows)
            self._done += self._documents / len(tasks)
        self._documents = self._tally.rows.get(id(self._shape), 0)
        self._counted = True

    def _scan(self, scan: Scan, part: Range, rows: bool) -> tuple[Scan, list[dict[str, Any]], bool]:
        query = part.query()
        match = [{"$match": query}] if query else []
        return scan, self._source.group([*match, *scan.pipeline()]), rows

    def _check_identity(self, before: Identity) -> None:
        """Check that the collection was not dropped: then it looks empty, and what was proven is
        worthless."""
        try:
            after = self._source.identity()
        except PyMongoError:
            return
        if after.exists and after.uuid == before.uuid:
            return
        self._proven = self._counted = False
        self._stopped = (
            f"The collection {self._source.name} was dropped or replaced while it was read."
        )

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(
                Progress(
                    collection=self._source.name,
                    phase=self._phase,
                    done=min(round(self._done), self._documents),
                    total=self._documents,
                    rounds=self._proof.rounds,
                )
            )

    def _result(self) -> Profile:
        sampled = self._shape.objects[SAMPLED]
        figures: Figures
        if self._counted:
            documents, figures = self._documents, Exact(self._tally)
        elif self._depth == "sample" or self._read_whole or not sampled:
            documents, figures = sampled, Counted(SAMPLED)
        else:
            documents, figures = max(self._documents, sampled), Estimated()
        profile = Profile(
            collection=self._source.name,
            fields=fields_of(self._shape, documents, figures),
            coverage=self._coverage(),
        )
        return profile if self._read_whole and self._stopped is None else at_least(profile)

    def _coverage(self) -> Coverage:
        sampled = self._shape.objects[SAMPLED]
        whole = self._read_whole and self._stopped is None
        reached: Depth = "sample"
        if whole:
            reached = self._depth
        elif self._counted:
            reached = "exact"
        elif self._proven:
            reached = "complete"
        documents = sampled if whole else max(self._documents, 0)
        return Coverage(
            requested=self._depth,
            reached=reached,
            documents=documents,
            examined=sampled + self._proof.fetched,
            proven=whole or self._proven,
            rounds=self._proof.rounds,
            margin=None if whole or self._counted else _margin(sampled, documents),
            seconds=time.monotonic() - self._began,
            stopped=self._stopped,
        )


def _margin(sampled: int, documents: int) -> float | None:
    """Half-width of the 95 % interval of a share of one half, for a finite population."""
    if not sampled:
        return None
    if documents <= sampled or documents < 2:
        return 0.0
    correction = math.sqrt((documents - sampled) / (documents - 1))
    return 1.96 * 0.5 / math.sqrt(sampled) * correction


# Profiling a collection that is small enough to be read at once: with one query, in one thread.
READ_WHOLE: Final = 2
"""A multiple of the sample: ``$sample`` of most of a collection sorts all of it, and reading all
documents is more useful."""

MOST_BYTES: Final = 4_000_000
"""The size of documents, so that a few collections at a time fit into memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    profile: Profile
    documents: Sequence[bytes]
    """All documents, raw."""


def is_small(described: Described, sample: int) -> bool:
    """Whether it is small according to the catalog; False for views and time series, whose
    documents are not counted."""
    statistics = described.statistics
    if statistics is None or statistics.count is None or described.type != "collection":
        return False
    return statistics.count <= READ_WHOLE * sample and statistics.size <= MOST_BYTES


def profile_whole(
    collection: Collection[Any], depth: Depth, *, sample: int, stop: Stop
) -> Whole | None:
    """The result of :func:`profile`; None if the collection has grown in the meantime.

    Raises ProfilingInterrupted and PyMongo's errors.
    """
    began = time.monotonic()
    documents: list[bytes] = []
    size = 0
    most = READ_WHOLE * sample
    for document in CollectionSource.of(collection, stop, None).first(most + 1):
        documents.append(document)
        size += len(document)
        if len(documents) > most or size > 2 * MOST_BYTES:
            return None
    shape = ObjectShape()
    for document in documents:
        learn(shape, document, SAMPLED)
    fold(shape)
    number = len(documents)
    profile = Profile(
        collection=collection.name,
        fields=fields_of(shape, number, Counted(SAMPLED)),
        coverage=Coverage(
            requested=depth,
            reached=depth,
            documents=number,
            examined=number,
            proven=True,
            seconds=time.monotonic() - began,
        ),
    )
    if depth == "exact":
        profile = counted(profile, collection, stop)
    return Whole(profile=profile, documents=documents)
