"""Restoring entries of the trash."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from bson import ObjectId
from bson.json_util import loads
from pymongo import DESCENDING
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from djongo_services.bson_decoding import NOT_EXTENDED_JSON
from djongo_services.formatting import value_text
from djongo_services.lease import SECONDS
from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.storage.collector.collecting import lease_of, refuse_transaction
from djongo_services.storage.collector.collections import BucketCollections, Document
from djongo_services.storage.collector.decoding import expected_chunks
from djongo_services.storage.collector.errors import NotInTrash, NotRestored
from djongo_services.storage.collector.kinds import Kind, can_be_named
from djongo_services.storage.collector.runs import Journal
from djongo_services.storage.collector.trash import TrashEntry, put_back

AT_ONCE = 1_000


def restore(
    database: Database[Any],
    bucket: str = "fs",
    *,
    ids: Sequence[Any],
    lease_seconds: float = SECONDS,
) -> list[TrashEntry]:
    """Restore entries by their ids; their grace period begins again.

    Raises NotInTrash for an unknown id, before anything is done; NotRestored if a file cannot be
    restored, because its chunks were deleted or another file has its name now. What was restored
    before that stays restored. Raises Locked, and PyMongo's errors.
    """
    refuse_transaction(database)
    collections = BucketCollections.of(database, bucket)
    with lease_of(collections, lease_seconds) as lease:
        entries = _entries(collections, ids)
        for at in range(0, len(entries), AT_ONCE):
            lease.check()
            _restore(collections, entries[at : at + AT_ONCE])
        return [TrashEntry.of(entry) for entry in entries]


def find_in_trash(database: Database[Any], bucket: str, text: str) -> list[Any]:
    """The ids of the entries that ``text`` refers to: an id as it is displayed, otherwise a
    filename.

    An ObjectId is hexadecimal; any other id is Extended JSON (``12``, ``{"$uuid": "..."}``) or, if
    it is text, the text itself. For a filename, the entry that was removed last is meant.
    """
    trash = BucketCollections.of(database, bucket).trash
    meant = list(_readings(text))
    found = [each["_id"] for each in trash.find({"_id": {"$in": meant}}, {"_id": 1})]
    if found:
        return found
    newest = trash.find_one({"file.filename": text}, {"_id": 1}, sort=[("trashedAt", DESCENDING)])
    return [newest["_id"]] if newest else []


def _readings(text: str) -> Iterator[Any]:
    yield text
    if ObjectId.is_valid(text):
        yield ObjectId(text)
    with contextlib.suppress(*NOT_EXTENDED_JSON):
        value = loads(text)
        if value is not None and can_be_named(value):
            yield value


def _entries(collections: BucketCollections, ids: Sequence[Any]) -> list[Document]:
    found: dict[Key, Document] = {}
    for at in range(0, len(ids), AT_ONCE):
        query = {"_id": {"$in": list(ids[at : at + AT_ONCE])}}
        found |= {sort_key(each["_id"]): each for each in collections.trash.find(query)}
    missing = [id for id in ids if sort_key(id) not in found]
    if missing:
        raise NotInTrash(
            f"There is no {value_text(missing[0])} in the trash of the bucket "
            f"{collections.name!r}; nothing was restored."
        )
    return list(found.values())


def _restore(collections: BucketCollections, entries: Sequence[Document]) -> None:
    files = [each for each in entries if "file" in each]
    _refuse_without_chunks(collections, files)
    # First, so that no run of the collector can interfere.
    Journal(collections).mark_restored(each["_id"] for each in entries)
    there = put_back(collections, [each["_id"] for each in files])
    # No other process deletes chunks during the lease; but it may have been lost just now.
    _take_back_without_chunks(collections, files)
    for each in files:
        if sort_key(each["_id"]) not in there:
            name = value_text(each["file"].get("filename"))
            raise NotRestored(
                f"{value_text(each['_id'])} cannot be restored: another file of the bucket "
                f"{collections.name!r} has its name {name} now; rename or delete that first."
            )
    uploads = [each["upload"] for each in entries if "upload" in each]
    if uploads:
        with contextlib.suppress(BulkWriteError):  # It exists already.
            collections.uploads.insert_many(uploads, ordered=False)
    rest = [each["_id"] for each in entries if "file" not in each]
    collections.trash.delete_many({"_id": {"$in": rest}})


def _take_back_without_chunks(collections: BucketCollections, entries: Sequence[Document]) -> None:
    try:
        _refuse_without_chunks(collections, entries)
    except NotRestored:
        lost = [each["_id"] for each in _without_chunks(collections, entries)]
        collections.files.delete_many({"_id": {"$in": lost}})
        raise


def _refuse_without_chunks(collections: BucketCollections, entries: Sequence[Document]) -> None:
    """Refuse entries without chunks: deleting a file while the collector moves it to the trash
    deletes its chunks."""
    for each in _without_chunks(collections, entries):
        raise NotRestored(
            f"{value_text(each['_id'])} cannot be restored: its chunks were deleted from the "
            f"bucket {collections.name!r} meanwhile; purge it."
        )


def _without_chunks(
    collections: BucketCollections, entries: Sequence[Document]
) -> Iterator[Document]:
    whole = [each for each in entries if each.get("kind") != Kind.BROKEN]
    pipeline: list[Document] = [
        {"$match": {"files_id": {"$in": [each["_id"] for each in whole]}}},
        {"$group": {"_id": "$files_id", "chunks": {"$sum": 1}}},
    ]
    counts = {
        sort_key(each["_id"]): each["chunks"] for each in collections.chunks.aggregate(pipeline)
    }
    for each in whole:
        expected = expected_chunks(each["file"])
        if counts.get(sort_key(each["_id"]), 0) < (expected or 0):
            yield each
