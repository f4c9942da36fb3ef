"""Looking through the trash for what is referred to again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from bson import ObjectId

from djongo_services.storage.collector.file_rows import names_of
from djongo_services.storage.collector.places import Document, Places
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.trash import (
    FILE_KINDS,
    delete_for_good,
    may_come_back,
    rescue,
)

AT_ONCE = 1_000


def rescue_recent(places: Places, references: References, since: datetime) -> int:
    """Put back what was removed after ``since`` and is referred to again; how many files.

    What a transaction did while a file was removed is seen only after its commit: a look right
    after the removal is not enough.
    """
    query = {"trashedAt": {"$gte": since}, "kind": {"$in": list(FILE_KINDS)}}
    back = 0
    for batch in batches(places, query):
        entries = [(each["_id"], names_of(each["file"])) for each in batch if may_come_back(each)]
        back += len(rescue(places, references, entries))
    return back


def delete_rest(places: Places, run: ObjectId) -> None:
    """Delete for good what a run that keeps nothing had moved to the trash when it was
    interrupted."""
    for batch in batches(places, {"run": run}):
        delete_for_good(places, [entry["_id"] for entry in batch])


def batches(places: Places, query: Document, size: int = AT_ONCE) -> Iterator[list[Document]]:
    """Entries of the trash, without what is not needed to judge them."""
    fields: Any = {
        "kind": 1,
        "bytes": 1,
        "chunks": 1,
        "trashedAt": 1,
        "file._id": 1,
        "file.filename": 1,
        "file.length": 1,
        "file.metadata.aliases": 1,
    }
    batch: list[Document] = []
    with places.trash.find(query, fields, batch_size=size) as cursor:
        for entry in cursor:
            batch.append(entry)
            if len(batch) >= size:
                yield batch
                batch = []
    if batch:
        yield batch
