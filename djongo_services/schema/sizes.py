"""The sizes of collections, from the server's own metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.introspection.reading.listing import ListedCollection, list_collections
from djongo_services.introspection.reading.probes import (
    BATCH,
    STATISTICS,
    read_batch,
    statistics_of,
)

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionSize:
    documents: int
    bytes: int
    """The size of the documents, uncompressed."""


def collection_sizes(
    database: Database[Document], names: Iterable[str]
) -> dict[str, CollectionSize]:
    """The sizes by name, of those that exist and whose documents the server counts: a view has
    none, and a time-series collection counts buckets.

    One aggregation for each 50 of them. What the user may not read is left out; raises PyMongo's
    errors when the connection is lost.
    """
    wanted = set(names)
    try:
        listed = list_collections(database, wanted) if wanted else []
    except OperationFailure:
        return {}
    sizes: dict[str, CollectionSize] = {}
    for batch in _batches([entry for entry in listed if entry.name in wanted]):
        answers = read_batch(database, batch, STATISTICS)
        for entry in batch:
            answer = answers[entry.name]
            if isinstance(answer, OperationFailure):
                continue
            found = statistics_of(entry, answer)
            if found.count is not None:
                sizes[entry.name] = CollectionSize(documents=found.count, bytes=found.size)
    return sizes


def _batches(listed: Sequence[ListedCollection]) -> Iterator[Sequence[ListedCollection]]:
    collections = [entry for entry in listed if entry.type == "collection"]
    for start in range(0, len(collections), BATCH):
        yield collections[start : start + BATCH]
