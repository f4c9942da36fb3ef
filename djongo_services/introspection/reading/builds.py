"""How far the indexes are that are being built."""

from __future__ import annotations

from collections.abc import Collection as Names

from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.introspection.catalog import IndexBuild
from djongo_services.introspection.reading.listing import Document

Builds = dict[tuple[str, str], IndexBuild]
"""By collection and index name."""


def read_builds(database: Database[Document], collections: Names[str]) -> Builds | OperationFailure:
    """Progress of the builds that run on ``collections``; one command for all.

    Indexes built by one command share one scan, so they have the same numbers; shards are summed.
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
