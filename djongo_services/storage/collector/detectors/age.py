"""How old an item is, by its most recent activity, and whether it may be collected.

Source of the rule: GridFS writes the files document last, so that an upload in progress looks like
orphan chunks. Chunks have no date; the ObjectId that every driver gives them has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId

from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.storage.collector.collections import BucketCollections, Document
from djongo_services.storage.collector.kinds import Candidate


@dataclass(frozen=True, kw_only=True, slots=True)
class GracePeriod:
    """How long garbage stays."""

    end: datetime
    """Younger items stay."""
    undated_stay: bool
    """Whether items without any date stay."""


@dataclass(kw_only=True, slots=True)
class Verdict:
    """The result for one window."""

    candidates: list[Candidate] = field(default_factory=list)
    kept: list[Candidate] = field(default_factory=list)
    """Broken files that stay."""
    young: int = 0
    undated: int = 0
    """Items that stay because their age is unknown."""
    unnameable: int = 0
    """Orphan chunks whose files_id cannot be used in a query."""
    excluded: int = 0
    """Files that would be candidates if the project did not exclude them."""

    def add(self, candidate: Candidate, until: datetime | None, grace: GracePeriod) -> None:
        """Add a candidate, unless ``until``, its last activity, is within the grace period."""
        if until is None and grace.undated_stay:
            self.undated += 1
        elif until is not None and until > grace.end:
            self.young += 1
        else:
            self.candidates.append(candidate)


@dataclass(frozen=True, kw_only=True, slots=True)
class OrphanRun:
    """The chunks of a files_id without a file."""

    id: Any
    chunks: int
    bytes: int
    since: datetime | None
    """The date of the newest chunk; None if one of them has an id without a date."""


def orphan_runs(collections: BucketCollections, ids: Sequence[Any]) -> list[OrphanRun]:
    """The existing chunks with these files_id, grouped."""
    is_dated = {"$eq": [{"$type": "$_id"}, "objectId"]}
    is_bytes = {"$eq": [{"$type": "$data"}, "binData"]}
    pipeline: list[dict[str, Any]] = [
        {"$match": {"files_id": {"$in": list(ids)}}},
        {
            "$group": {
                "_id": "$files_id",
                "chunks": {"$sum": 1},
                "bytes": {"$sum": {"$cond": [is_bytes, {"$binarySize": "$data"}, 0]}},
                "newest": {"$max": {"$cond": [is_dated, "$_id", None]}},
                "dated": {"$min": is_dated},
            }
        },
    ]
    return [
        OrphanRun(
            id=found["_id"],
            chunks=found["chunks"],
            bytes=found["bytes"],
            since=found["newest"].generation_time if found["dated"] else None,
        )
        for found in collections.chunks.aggregate(pipeline, allowDiskUse=True)
    ]


def last_chunks(collections: BucketCollections, ids: Sequence[Any]) -> dict[Key, datetime]:
    """The date of each file's last chunk. The server reads no other chunks."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"files_id": {"$in": list(ids)}}},
        # This order turns the group into a DISTINCT_SCAN of the index.
        {"$sort": {"files_id": -1, "n": -1}},
        {"$group": {"_id": "$files_id", "chunk": {"$first": "$_id"}}},
    ]
    return {
        sort_key(found["_id"]): found["chunk"].generation_time
        for found in collections.chunks.aggregate(pipeline, allowDiskUse=True)
        if isinstance(found["chunk"], ObjectId)
    }


def file_traces(document: Mapping[str, Any]) -> list[datetime]:
    """The dates in a files document itself."""
    metadata = document.get("metadata")
    aliases = metadata.get("aliases") if isinstance(metadata, Mapping) else None
    dates: list[Any] = [document.get("uploadDate")]
    if isinstance(aliases, list):
        dates += [alias.get("addedAt") for alias in aliases if isinstance(alias, Mapping)]
    return [date for date in dates if isinstance(date, datetime)]


def newest(dates: Iterable[datetime | None]) -> datetime | None:
    return max((date for date in dates if date is not None), default=None)


def restored_at(collections: BucketCollections, ids: Sequence[Any]) -> dict[Key, datetime]:
    """When files were restored from the trash: from then on they are as safe as new ones."""
    asked: list[Document] = [{"restored": id} for id in ids]
    found = collections.journal.find({"_id": {"$in": asked}})
    return {sort_key(mark["_id"]["restored"]): mark["at"] for mark in found}
