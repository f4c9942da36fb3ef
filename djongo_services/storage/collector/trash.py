"""What was removed and can be restored.

An entry of ``<bucket>.trash`` has the ``_id`` of what was removed, and in ``file`` the whole files
document, or in ``upload`` the whole entry of an upload. The chunks stay where they are, under that
files_id: the entry owns them, and a file in the bucket with its id makes the entry void.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeAlias

from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import DESCENDING
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from djongo_services.progress import Stop
from djongo_services.server_errors import DUPLICATE_KEY
from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.storage.collector.collections import BucketCollections, Document
from djongo_services.storage.collector.decoding import NAMES, bytes_of, names_of
from djongo_services.storage.collector.kinds import FILE_KINDS, Kind, is_sendable
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.references.sources import SEARCH_AT_ONCE, Sought
from djongo_services.storage.collector.runs import TrashSummary

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
    """The kind; one that only a later version knows is a plain text."""
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
    """A page of the trash, the most recently removed entries first."""
    trash = BucketCollections.of(database, bucket).trash
    order = [("trashedAt", DESCENDING), ("_id", DESCENDING)]
    with trash.find(sort=order, skip=skip, limit=limit, allow_disk_use=True) as cursor:
        return [TrashEntry.of(document) for document in cursor]


def count_trash(database: Database[Any], bucket: str) -> TrashSummary:
    return summary(BucketCollections.of(database, bucket))


def summary(collections: BucketCollections) -> TrashSummary:
    group: Document = {
        "_id": None,
        "entries": {"$sum": 1},
        "bytes": {"$sum": BYTES},
        "oldest": {"$min": "$trashedAt"},
    }
    for found in collections.trash.aggregate([{"$group": group}]):
        return TrashSummary(
            entries=found["entries"], bytes=int(found["bytes"]), oldest=found["oldest"]
        )
    return TrashSummary(entries=0, bytes=0, oldest=None)


def may_come_back(entry: Mapping[str, Any]) -> bool:
    """Whether it is a file that the collector removed: what a user deleted stays deleted."""
    return "file" in entry and entry.get("kind") in FILE_KINDS


def put_back(collections: BucketCollections, ids: Sequence[Any]) -> set[Key]:
    """Restore entries unchanged, byte by byte, and return those that are in the bucket now.

    A file is not restored if its name must be unique and another file has it now.
    """
    query = {"_id": {"$in": list(ids)}, "file": {"$exists": True}}
    documents = [entry["file"] for entry in collections.raw(collections.trash).find(query)]
    if not documents:
        return set()
    refused = {sort_key(document["_id"]) for document in _insert(collections, documents)}
    there = [document for document in documents if sort_key(document["_id"]) not in refused]
    collections.trash.delete_many({"_id": {"$in": [document["_id"] for document in there]}})
    return {sort_key(document["_id"]) for document in there}


Named: TypeAlias = tuple[Any, tuple[str, ...]]
"""The id of an entry, and the names of its file."""


def rescue(
    collections: BucketCollections, references: References, entries: Sequence[Named]
) -> set[Key]:
    """Restore the entries that something has referred to since, or just before, they were
    removed."""
    missed = missed_of(collections, references, entries)
    return put_back(collections, [id for id, _ in entries if sort_key(id) in missed])


def missed_of(
    collections: BucketCollections, references: References, entries: Sequence[Named]
) -> set[Key]:
    """The entries that something refers to by a name that no file has."""
    names = {name for _, some in entries for name in some if is_sendable(name)}
    used = references.referenced(names)
    lost = used - names_taken(collections, used) if used else set()
    return {sort_key(id) for id, names in entries if lost.intersection(names)}


def mentioned_of(
    collections: BucketCollections,
    references: References,
    entries: Sequence[Named],
    *,
    stop: Stop | None = None,
) -> set[Key]:
    """The entries that some text mentions, by a name that no file has or by the id."""
    if references.search is None or not entries:
        return set()
    names = {name for _, some in entries for name in some if is_sendable(name)}
    taken = names_taken(collections, names)
    sought = [
        Sought(key=sort_key(id), id=id, names=tuple(name for name in some if name not in taken))
        for id, some in entries
    ]
    return set(references.mentioned(sought, stop=stop))


def names_taken(collections: BucketCollections, names: Collection[str]) -> set[str]:
    """The names that a file in the bucket has, as its filename or as an alias."""
    asked = list(names)
    by_name = collections.files.find({"filename": {"$in": asked}}, NAMES)
    taken = {name for document in by_name for name in names_of(document)}
    if left := [name for name in asked if name not in taken]:
        by_alias = collections.files.find({"metadata.aliases.name": {"$in": left}}, NAMES)
        taken |= {name for document in by_alias for name in names_of(document)}
    return taken.intersection(asked)


def delete_for_good(collections: BucketCollections, ids: Sequence[Any]) -> None:
    """Delete chunks first, so that a process that dies in between leaves an entry to continue from.

    If the file is in the bucket, only its entry is deleted.
    """
    living = collections.files.find({"_id": {"$in": list(ids)}}, {"_id": 1})
    keys = {sort_key(document["_id"]) for document in living}
    dead = [id for id in ids if sort_key(id) not in keys]
    collections.chunks.delete_many({"files_id": {"$in": dead}})
    collections.trash.delete_many({"_id": {"$in": list(ids)}})


def _insert(
    collections: BucketCollections, documents: Sequence[RawBSONDocument]
) -> list[RawBSONDocument]:
    """The documents that could not be inserted because of a unique index on names."""
    try:
        collections.raw(collections.files).insert_many(documents, ordered=False)
    except BulkWriteError as error:
        failed = error.details["writeErrors"]
        if any(each["code"] != DUPLICATE_KEY for each in failed):
            raise
        refused = [documents[each["index"]] for each in failed]
        ids = [document["_id"] for document in refused]
        found = collections.files.find({"_id": {"$in": ids}}, {"_id": 1})
        there = {sort_key(document["_id"]) for document in found}
        return [document for document in refused if sort_key(document["_id"]) not in there]
    return []


# Searching the trash for files that are referred to again.
AT_ONCE = 1_000


def rescue_all(
    collections: BucketCollections, references: References, *, stop: Stop | None = None
) -> int:
    """Restore what the collector removed, however long ago, and is referred to again; returns how
    many files.

    The changes of a transaction that ran while a file was removed are visible only after its
    commit, perhaps in a later run: a check right after the removal is not enough.
    """
    query = {"kind": {"$in": list(FILE_KINDS)}}
    size = AT_ONCE if references.search is None else SEARCH_AT_ONCE
    back = 0
    for batch in batches(collections, query, size):
        entries = [(each["_id"], names_of(each["file"])) for each in batch if may_come_back(each)]
        there = rescue(collections, references, entries)
        rest = [each for each in entries if sort_key(each[0]) not in there]
        mentioned = mentioned_of(collections, references, rest, stop=stop)
        there |= put_back(collections, [id for id, _ in rest if sort_key(id) in mentioned])
        back += len(there)
    return back


def delete_rest(collections: BucketCollections, run: ObjectId) -> None:
    """Delete for good what an interrupted run without trash had moved there."""
    for batch in batches(collections, {"run": run}):
        delete_for_good(collections, [entry["_id"] for entry in batch])


def batches(
    collections: BucketCollections, query: Document, size: int = AT_ONCE
) -> Iterator[list[Document]]:
    """Entries of the trash, without the parts that judging them does not need."""
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
    with collections.trash.find(query, fields, batch_size=size) as cursor:
        for entry in cursor:
            batch.append(entry)
            if len(batch) >= size:
                yield batch
                batch = []
    if batch:
        yield batch
