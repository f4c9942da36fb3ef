"""Files into the trash because somebody said so, and out of it for good.

In the collector's own order: an entry in the trash, then the files document is removed if it is
still the same. A process that dies in between leaves a file that is in both places; the file in the
bucket counts then. The collector knows these entries as it knows its own, restores and purges them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError

from djongo_services.admin.patience import Mongo
from djongo_services.storage.collector.places import Places
from djongo_services.storage.collector.trash import delete_for_good

KIND = "deleted"
"""Of entries that the collector did not make."""
AT_ONCE = 500
_DUPLICATE_KEY = 11000

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """Who removes files, and what becomes of them."""

    run: ObjectId
    by: str
    for_good: bool = False


def remove_files(database: Mongo, bucket: str, ids: Sequence[Any], removal: Removal) -> int:
    """How many of the files there were, and are not any more."""
    places = Places.of(database, bucket)
    removed = 0
    for some in batches(ids):
        removed += _remove(places, some, removal)
    return removed


def purge_entries(database: Mongo, bucket: str, ids: Sequence[Any]) -> int:
    """Delete entries of the trash with their chunks; how many there were."""
    places = Places.of(database, bucket)
    purged = 0
    for some in batches(ids):
        query = _any_of(some)
        there = [entry["_id"] for entry in places.trash.find(query, {"_id": 1})]
        delete_for_good(places, there)
        purged += len(there)
    return purged


def batches(ids: Iterable[Any], size: int = AT_ONCE) -> Iterator[list[Any]]:
    source = iter(ids)
    while batch := list(islice(source, size)):
        yield batch


def _remove(places: Places, ids: Sequence[Any], removal: Removal) -> int:
    documents = list(places.raw(places.files).find(_any_of(ids)))
    if not documents:
        return 0
    there = [document["_id"] for document in documents]
    if not removal.for_good:
        _note(places, documents, removal)
    removed = [document["_id"] for document in documents if _delete(places, document)]
    if removal.for_good:
        delete_for_good(places, removed)
    elif len(removed) < len(there):
        _forget_those_still_there(places, there)
    return len(removed)


def _note(places: Places, documents: Sequence[RawBSONDocument], removal: Removal) -> None:
    now = places.now()
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
    # One of before is void, because the file is in the bucket.
    places.trash.delete_many(_any_of([entry["_id"] for entry in entries]))
    try:
        places.raw(places.trash).insert_many(entries, ordered=False)  # type: ignore[arg-type]  # dicts are encoded too
    except BulkWriteError as error:
        # The collector was faster, with an entry of its own.
        if any(each["code"] != _DUPLICATE_KEY for each in error.details["writeErrors"]):
            raise


def _delete(places: Places, document: Mapping[str, Any]) -> bool:
    """Unless it was renamed or replaced since it was read."""
    query: Document = {
        "_id": {"$eq": document["_id"]},
        "filename": {"$eq": document.get("filename")},
        "uploadDate": {"$eq": document.get("uploadDate")},
    }
    return places.raw(places.files).delete_one(query).deleted_count == 1


def _forget_those_still_there(places: Places, ids: Sequence[Any]) -> None:
    living = [each["_id"] for each in places.files.find(_any_of(ids), {"_id": 1})]
    places.trash.delete_many(_any_of(living))


def _any_of(ids: Sequence[Any]) -> Document:
    """No id of a document can be a pattern or have operators for names."""
    return {"_id": {"$in": [*ids]}}
