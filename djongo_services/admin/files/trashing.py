"""Moving files to the trash on a user's request, and deleting them from there for good.

This uses the collector's own order: an entry in the trash, then the files document is removed if it
is unchanged. A process that dies in between leaves a file that is in both collections; then the
file in the bucket counts. The collector treats these entries like its own, and restores and purges
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from django.db import connections as databases
from pymongo.errors import BulkWriteError

from djongo_services.admin.deadline import Mongo
from djongo_services.connections import Connection
from djongo_services.server_errors import DUPLICATE_KEY
from djongo_services.storage.collector import References, references_for
from djongo_services.storage.collector.bson_order import sort_key
from djongo_services.storage.collector.collecting import lease_of
from djongo_services.storage.collector.collections import BucketCollections
from djongo_services.storage.collector.decoding import names_of
from djongo_services.storage.collector.trash import delete_for_good, missed_of

KIND = "deleted"
"""The kind of entries that the collector did not create."""
AT_ONCE = 500

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """Who removes files, and whether they go to the trash."""

    run: ObjectId
    by: str
    for_good: bool = False


def remove_files(database: Mongo, bucket: str, ids: Sequence[Any], removal: Removal) -> int:
    """Remove files, and return how many of them existed and no longer do."""
    collections = BucketCollections.of(database, bucket)
    removed = 0
    for some in batches(ids):
        removed += _remove(collections, some, removal)
    return removed


def purge_entries(connection: Connection, bucket: str, ids: Sequence[Any]) -> int:
    """Delete entries of the trash with their chunks, except those that something refers to, and
    return the number of deleted ones.

    Call it in a thread of its own: its connections to databases are closed at the end. Raises
    Locked while a run of the collector or a restore is in progress, ReferencesUnreadable, and what
    databases raise.
    """
    collections = BucketCollections.of(connection.database, bucket)
    purged = 0
    try:
        references = references_for(connection, bucket, search=False)
        with lease_of(collections) as lease:
            for some in batches(ids):
                lease.check()
                gone = _unneeded(collections, references, some)
                delete_for_good(collections, gone)
                purged += len(gone)
    finally:
        databases.close_all()
    return purged


def _unneeded(
    collections: BucketCollections, references: References, ids: Sequence[Any]
) -> list[Any]:
    """The existing entries that nothing refers to."""
    fields = {"file.filename": 1, "file.metadata.aliases": 1}
    entries = [
        (entry["_id"], names_of(entry.get("file", {})))
        for entry in collections.trash.find(_any_of(ids), fields)
    ]
    missed = missed_of(collections, references, entries)
    return [id for id, _ in entries if sort_key(id) not in missed]


def batches(ids: Iterable[Any], size: int = AT_ONCE) -> Iterator[list[Any]]:
    source = iter(ids)
    while batch := list(islice(source, size)):
        yield batch


def _remove(collections: BucketCollections, ids: Sequence[Any], removal: Removal) -> int:
    documents = list(collections.raw(collections.files).find(_any_of(ids)))
    if not documents:
        return 0
    there = [document["_id"] for document in documents]
    if not removal.for_good:
        _note(collections, documents, removal)
    removed = [document["_id"] for document in documents if _delete(collections, document)]
    if removal.for_good:
        delete_for_good(collections, removed)
    elif len(removed) < len(there):
        _forget_those_still_there(collections, there)
    return len(removed)


def _note(
    collections: BucketCollections, documents: Sequence[RawBSONDocument], removal: Removal
) -> None:
    now = collections.now()
    entries = [
        {
            "_id": document["_id"],
            "file": document,
            "kind": KIND,
            "reason": f"by {removal.by}",
            "trashedAt": now,
            "run": removal.run,
        }
        for document in documents
    ]
    # An earlier one is void, because the file is in the bucket.
    collections.trash.delete_many(_any_of([entry["_id"] for entry in entries]))
    try:
        collections.raw(collections.trash).insert_many(entries, ordered=False)  # type: ignore[arg-type]  # dicts are encoded too
    except BulkWriteError as error:
        # The collector was faster, with an entry of its own.
        if any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"]):
            raise


def _delete(collections: BucketCollections, document: Mapping[str, Any]) -> bool:
    """Delete a file unless it was renamed or replaced since it was read."""
    query: Document = {
        "_id": {"$eq": document["_id"]},
        "filename": {"$eq": document.get("filename")},
        "uploadDate": {"$eq": document.get("uploadDate")},
    }
    return collections.raw(collections.files).delete_one(query).deleted_count == 1


def _forget_those_still_there(collections: BucketCollections, ids: Sequence[Any]) -> None:
    living = [each["_id"] for each in collections.files.find(_any_of(ids), {"_id": 1})]
    collections.trash.delete_many(_any_of(living))


def _any_of(ids: Sequence[Any]) -> Document:
    """A query for these ids; no id can be a pattern, or have operators as names."""
    return {"_id": {"$in": [*ids]}}
