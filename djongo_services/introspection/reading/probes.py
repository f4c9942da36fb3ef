"""Further queries: statistics, usage, builds, multikey; and how to interpret the responses."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.introspection.catalog import Index, IndexBuild, IndexUsage, Statistics
from djongo_services.introspection.reading.listing import Answer, Document, ListedCollection
from djongo_services.server_errors import UNKNOWN_STAGE

_OF_STORAGE = ("count", "size", "storageSize", "totalIndexSize", "indexSizes", "timeseries")

# One aggregation for many collections.
#
# `$unionWith` accepts `$collStats`, `$indexStats` and `$listCatalog` as the first stage of its
# pipeline, so instead of a command for each collection there is one for a batch of them. Measured
# on 500 collections with three indexes: `$indexStats` takes 23 ms instead of 117 ms.
BATCH = 50
"""The number of collections in one aggregation: far below the server's limits of stages and message
size."""

_OF = "collection"


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """A stage that reports about a collection, and the fields of its result that are needed."""

    stage: Document
    fields: tuple[str, ...]

    def pipeline(self, name: str) -> list[Document]:
        wanted: Document = dict.fromkeys(self.fields, 1)
        return [self.stage, {"$project": {**wanted, _OF: {"$literal": name}}}]


def read_batch(
    database: Database[Document], batch: Sequence[ListedCollection], probe: Probe
) -> dict[str, Answer]:
    """The result of the probe by collection name, or the server's refusal.

    If one collection is dropped or forbidden, a whole aggregation fails; then each one of the batch
    is queried alone. Raises PyMongo's errors when the connection is lost.
    """
    try:
        documents = _aggregate(database, [(entry.name, entry.storage) for entry in batch], probe)
    except OperationFailure as error:
        if error.code == UNKNOWN_STAGE:
            return {entry.name: error for entry in batch}
        return {entry.name: _read_alone(database, entry, probe) for entry in batch}
    answers: dict[str, Answer] = {}
    found: dict[str, list[Document]] = {entry.name: [] for entry in batch}
    for document in documents:
        found[document[_OF]].append(document)
    answers.update(found)
    return answers


def _read_alone(database: Database[Document], entry: ListedCollection, probe: Probe) -> Answer:
    # The buckets of a time-series collection have privileges of their own, and roles often lack
    # them; the server then accepts the collection itself, which a union does not.
    refusal: OperationFailure | None = None
    for source in dict.fromkeys((entry.storage, entry.name)):
        try:
            return _aggregate(database, [(entry.name, source)], probe)
        except OperationFailure as error:
            refusal = error
    assert refusal is not None
    return refusal


def _aggregate(
    database: Database[Document], sources: Sequence[tuple[str, str]], probe: Probe
) -> list[Document]:
    (name, first), *others = sources
    pipeline = probe.pipeline(name)
    for name, source in others:
        pipeline.append({"$unionWith": {"coll": source, "pipeline": probe.pipeline(name)}})
    # As a plain command, because PyMongo's Collection refuses names that the server accepts.
    options: dict[str, Any] = {"pipeline": pipeline, "cursor": {"batchSize": 10_000}}
    cursor = database.cursor_command(
        "aggregate",
        first,
        read_preference=database.read_preference,
        codec_options=database.codec_options,
        **options,
    )
    return list(cursor)


STATISTICS = Probe(
    stage={"$collStats": {"storageStats": {}}},
    fields=tuple(f"storageStats.{name}" for name in _OF_STORAGE),
)
USAGE = Probe(stage={"$indexStats": {}}, fields=("name", "host", "accesses"))
MULTIKEY = Probe(stage={"$listCatalog": {}}, fields=("md.indexes.spec.name", "md.indexes.multikey"))


def statistics_of(entry: ListedCollection, documents: Sequence[Document]) -> Statistics:
    """The sum over the shards, each of which returns one document."""
    stats = [document["storageStats"] for document in documents]
    return Statistics(
        count=None if entry.type == "timeseries" else sum(map(_documents, stats)),
        size=_sum(stats, "size"),
        storage_size=_sum(stats, "storageSize"),
        index_size=_sum(stats, "totalIndexSize"),
    )


def index_sizes(documents: Sequence[Document]) -> dict[str, int]:
    """Sizes in bytes by index name, summed over the shards."""
    sizes: dict[str, int] = {}
    for document in documents:
        for name, size in document["storageStats"].get("indexSizes", {}).items():
            sizes[name] = sizes.get(name, 0) + int(size)
    return sizes


def usage_of(documents: Iterable[Document]) -> dict[str, tuple[IndexUsage, ...]]:
    """Usage by index name, with the hosts in order."""
    usage: dict[str, list[IndexUsage]] = {}
    for document in sorted(documents, key=lambda document: str(document["host"])):
        accesses = document["accesses"]
        usage.setdefault(document["name"], []).append(
            IndexUsage(
                host=document["host"], operations=int(accesses["ops"]), since=accesses["since"]
            )
        )
    return {name: tuple(counts) for name, counts in usage.items()}


def multikey_of(documents: Sequence[Document]) -> dict[str, bool]:
    """Multikey flags by index name; multikey on any shard counts.

    ``$listCatalog`` returns the server's internal metadata, whose form may change: unexpected
    entries are left out.
    """
    found: dict[str, bool] = {}
    for document in documents:
        for entry in document.get("md", {}).get("indexes", ()):
            name, multikey = entry.get("spec", {}).get("name"), entry.get("multikey")
            if isinstance(name, str) and isinstance(multikey, bool):
                found[name] = found.get(name, False) or multikey
    return found


def _documents(stats: Document) -> int:
    # The collection with a time-series collection's buckets counts under another name.
    buckets = stats.get("timeseries", {}).get("bucketCount", 0)
    return int(stats.get("count", buckets))


def _sum(stats: Sequence[Document], name: str) -> int:
    return sum(int(one.get(name, 0)) for one in stats)


# The progress of index builds.
Builds = dict[tuple[str, str], IndexBuild]
"""Builds by collection and index name."""


def read_builds(database: Database[Document], collections: Names[str]) -> Builds | OperationFailure:
    """The progress of the builds on ``collections``; one command for all.

    Indexes that one command builds share one scan, so they have the same numbers; shards are
    summed.
    """
    namespaces = [f"{database.name}.{name}" for name in collections]
    running: Document = {"ns": {"$in": namespaces}, "progress.total": {"$exists": True}}
    pipeline: list[Document] = [
        {"$currentOp": {"allUsers": True}},
        {"$match": {**running, "command.createIndexes": {"$exists": True}}},
        {"$project": {"ns": 1, "progress": 1, "command.indexes.name": 1}},
    ]
    try:
        operations = list(database.client.admin.aggregate(pipeline))
    except OperationFailure as error:
        return error
    builds: Builds = {}
    for operation in operations:
        collection = operation["ns"].removeprefix(f"{database.name}.")
        for index in operation["command"].get("indexes", ()):
            key = collection, index["name"]
            builds[key] = _add(builds.get(key), operation["progress"])
    return builds


def _add(build: IndexBuild | None, progress: Document) -> IndexBuild:
    before = build or IndexBuild(done=0, total=0)
    return IndexBuild(
        done=(before.done or 0) + int(progress["done"]),
        total=(before.total or 0) + int(progress["total"]),
    )


# Whether an index is multikey, according to the query planner: servers before 6.0 report it only
# there.
def explain_multikey(
    database: Database[Document], collection: str, indexes: Sequence[Index]
) -> dict[str, bool]:
    """Multikey flags by index name; one planned (not executed) query for each index that accepts a
    hint."""
    found = {}
    for index in indexes:
        if _takes_hint(index):
            multikey = _explain(database, collection, index.name)
            if multikey is not None:
                found[index.name] = multikey
    return found


def never_multikey(index: Index) -> bool:
    """Whether it is the index on ``_id``, which cannot be an array."""
    return index.is_id or index.clustered


def _takes_hint(index: Index) -> bool:
    plannable = index.kind.takes_hint and not index.hidden and index.build is None
    return plannable and not never_multikey(index)


def _explain(database: Database[Document], collection: str, name: str) -> bool | None:
    query = {"find": collection, "filter": {}, "hint": name, "limit": 1}
    try:
        plan = database.command(
            "explain",
            query,
            verbosity="queryPlanner",
            read_preference=database.read_preference,
            codec_options=database.codec_options,
        )
    except OperationFailure:
        return None
    scans = list(_scans(plan.get("queryPlanner"), name))
    return any(scans) if scans else None


def _scans(plan: Any, name: str) -> list[bool]:
    """A flag of every index scan in the plan, which differs between engines and is nested by
    shards."""
    if isinstance(plan, list):
        return [scan for part in plan for scan in _scans(part, name)]
    if not isinstance(plan, dict):
        return []
    own = [bool(plan["isMultiKey"])] if _is_scan(plan, name) else []
    return own + [scan for part in plan.values() for scan in _scans(part, name)]


def _is_scan(plan: dict[str, Any], name: str) -> bool:
    return plan.get("indexName") == name and "isMultiKey" in plan
