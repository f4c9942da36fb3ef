"""What was removed and can come back.

An entry of ``<bucket>.trash`` has the ``_id`` of what was removed, and in ``file`` the whole files
document, or in ``upload`` the whole entry of an upload. The chunks stay where they are, under that
files_id: an entry accounts for them, and a file in the bucket with its id makes it void.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import DESCENDING
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from djongo_services.storage.collector.candidates import is_sendable
from djongo_services.storage.collector.file_rows import NAMES, bytes_of, names_of
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.order import Key, sort_key
from djongo_services.storage.collector.places import Document, Places
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.report import TrashSummary

DUPLICATE_KEY = 11000
FILE_KINDS = (Kind.UNREFERENCED, Kind.SUPERSEDED, Kind.BROKEN)

_FILE_BYTES: Document = {
    "$convert": {"input": "$file.length", "to": "long", "onError": 0, "onNull": 0}
}
BYTES: Document = {"$ifNull": ["$bytes", _FILE_BYTES]}
"""An expression for the bytes of an entry's chunks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrashEntry:
    id: Any
    """The files_id, of any BSON type."""
    kind: Kind | str
    """A kind of a later version is a plain text."""
    names: tuple[str, ...]
    """The filename, and the aliases of a shared file; empty for chunks without a file."""
    bytes: int
    trashed_at: datetime
    run: ObjectId | None
    reason: str

    @property
    def filename(self) -> str | None:
        return self.names[0] if self.names else None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        file = document.get("file") or document.get("upload") or {}
        kind, size = document.get("kind", ""), document.get("bytes", file.get("length"))
        return cls(
            id=document["_id"],
            kind=Kind(kind) if kind in set(Kind) else str(kind),
            names=names_of(file),
            bytes=bytes_of(size),
            trashed_at=document["trashedAt"],
            run=document.get("run"),
            reason=document.get("reason", ""),
        )


def list_trash(
    database: Database[Any], bucket: str, *, skip: int = 0, limit: int = 100
) -> list[TrashEntry]:
    """A page of the trash, what was removed last first."""
    trash = Places.of(database, bucket).trash
    order = [("trashedAt", DESCENDING), ("_id", DESCENDING)]
    with trash.find(sort=order, skip=skip, limit=limit, allow_disk_use=True) as cursor:
        return [TrashEntry.of(document) for document in cursor]


def count_trash(database: Database[Any], bucket: str) -> TrashSummary:
    return summary(Places.of(database, bucket))


def summary(places: Places) -> TrashSummary:
    group: Document = {
        "_id": None,
        "entries": {"$sum": 1},
        "bytes": {"$sum": BYTES},
        "oldest": {"$min": "$trashedAt"},
    }
    for found in places.trash.aggregate([{"$group": group}]):
        return TrashSummary(
            entries=found["entries"], bytes=int(found["bytes"]), oldest=found["oldest"]
        )
    return TrashSummary(entries=0, bytes=0, oldest=None)


def may_come_back(entry: Mapping[str, Any]) -> bool:
    """Whether it is a file that the collector removed: what somebody deleted stays deleted."""
    return "file" in entry and entry.get("kind") in FILE_KINDS


def put_back(places: Places, ids: Sequence[Any]) -> set[Key]:
    """Make files of entries again, byte by byte as they were; those that are in the bucket now.

    Not there is a file whose name, which only one file may have, is another's now.
    """
    query = {"_id": {"$in": list(ids)}, "file": {"$exists": True}}
    documents = [entry["file"] for entry in places.raw(places.trash).find(query)]
    if not documents:
        return set()
    refused = {sort_key(document["_id"]) for document in _insert(places, documents)}
    there = [document for document in documents if sort_key(document["_id"]) not in refused]
    places.trash.delete_many({"_id": {"$in": [document["_id"] for document in there]}})
    return {sort_key(document["_id"]) for document in there}


def rescue(
    places: Places, references: References, entries: Sequence[tuple[Any, tuple[str, ...]]]
) -> set[Key]:
    """Put back those, of ids and names, that something refers to by a name that no file has.

    It began to refer to them while they were removed, or afterwards.
    """
    names = {name for _, some in entries for name in some if is_sendable(name)}
    used = references.referenced(names)
    lost = used - names_taken(places, used) if used else set()
    return put_back(places, [id for id, names in entries if lost.intersection(names)])


def names_taken(places: Places, names: Collection[str]) -> set[str]:
    """Those of the names that a file in the bucket has, as its filename or as an alias."""
    asked = list(names)
    by_name = places.files.find({"filename": {"$in": asked}}, NAMES)
    taken = {name for document in by_name for name in names_of(document)}
    if left := [name for name in asked if name not in taken]:
        by_alias = places.files.find({"metadata.aliases.name": {"$in": left}}, NAMES)
        taken |= {name for document in by_alias for name in names_of(document)}
    return taken.intersection(asked)


def delete_for_good(places: Places, ids: Sequence[Any]) -> None:
    """Chunks first, so that a process that dies in between leaves an entry to go on from.

    Of a file that is in the bucket, only the entry.
    """
    living = places.files.find({"_id": {"$in": list(ids)}}, {"_id": 1})
    keys = {sort_key(document["_id"]) for document in living}
    dead = [id for id in ids if sort_key(id) not in keys]
    places.chunks.delete_many({"files_id": {"$in": dead}})
    places.trash.delete_many({"_id": {"$in": list(ids)}})


def _insert(places: Places, documents: Sequence[RawBSONDocument]) -> list[RawBSONDocument]:
    """Those that could not be inserted because of a unique index on names."""
    try:
        places.raw(places.files).insert_many(documents, ordered=False)
    except BulkWriteError as error:
        failed = error.details["writeErrors"]
        if any(each["code"] != DUPLICATE_KEY for each in failed):
            raise
        refused = [documents[each["index"]] for each in failed]
        ids = [document["_id"] for document in refused]
        found = places.files.find({"_id": {"$in": ids}}, {"_id": 1})
        there = {sort_key(document["_id"]) for document in found}
        return [document for document in refused if sort_key(document["_id"]) not in there]
    return []
