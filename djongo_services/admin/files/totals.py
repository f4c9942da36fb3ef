"""The totals of a bucket, by content type and by month.

For these, the server reads all files documents. Small buckets are counted while the page waits; for
large ones the last count is stored, and shown with its date.

``{"_id": {"totals": "media"}, "run": {"started", "by", "status", "error"}, "kept": {"counted",
"seconds", "files", "bytes", "types": [{"name", "files", "bytes"}], "months": [...]}}`` in
:data:`~djongo_services.admin.jobs.slot.COLLECTION`. Every date in it is the server's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from bson import DatetimeMS
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from djongo_services.admin.jobs.slot import COLLECTION

SECONDS = 600
"""The time limit of a count; an older one has died with its process."""
SMALL = 20_000
"""The number of files that are counted while a page waits: about 0.1 s."""
MOST_TYPES = 200
MOST_MONTHS = 1_200

Document = dict[str, Any]
Mongo = Database[Document]
Status = Literal["running", "done", "failed", "lost"]

_LONGEST_TYPE = 100
_YEAR_10000 = DatetimeMS(253_402_300_800_000)
_YEAR_0 = DatetimeMS(-62_135_596_800_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketShare:
    """A part of a bucket."""

    name: str | None
    """A content type, or a month (``2026-11``); None for files without one."""
    files: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    files: int
    bytes: int
    types: tuple[BucketShare, ...]
    """Types, most bytes first; if there are many, only the largest ones."""
    months: tuple[BucketShare, ...]
    """Months in order."""
    counted: datetime | None = None
    """The time of the count; None: just now."""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CountRun:
    started: datetime
    by: str
    status: Status
    error: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known about a bucket without counting."""

    totals: Totals | None = None
    run: CountRun | None = None


def count_totals(files: Collection[Any], *, seconds: float | None = None) -> Totals:
    """Count in one pass over all files documents."""
    options: Document = {} if seconds is None else {"maxTimeMS": round(seconds * 1000)}
    pipeline = [_BY_TYPE_AND_MONTH, {"$facet": {"types": _TYPES, "months": _MONTHS, "all": _ALL}}]
    begun = time.monotonic()
    (found,) = files.aggregate(pipeline, allowDiskUse=True, **options)
    whole = next(iter(found["all"]), {"files": 0, "bytes": 0})
    return Totals(
        files=int(whole["files"]),
        bytes=int(whole["bytes"]),
        types=_shares(found["types"]),
        months=_shares(found["months"]),
        seconds=time.monotonic() - begun,
    )


def known_totals(database: Mongo, buckets: Sequence[str]) -> dict[str, Known]:
    """What is known, by bucket."""
    found: dict[str, Known] = {}
    asked: list[Document] = [{"totals": bucket} for bucket in buckets]
    stages: list[Document] = [{"$match": {"_id": {"$in": asked}}}, {"$set": {"lost": _IS_LOST}}]
    for document in database[COLLECTION].aggregate(stages):
        found[document["_id"]["totals"]] = Known(totals=_kept(document), run=_run(document))
    return found


def begin_count(database: Mongo, bucket: str, *, by: str) -> bool:
    """Begin a count, and return whether no other one is running on the bucket."""
    kept = database[COLLECTION]
    key: Document = {"totals": bucket}
    with contextlib.suppress(DuplicateKeyError):
        # $expr is refused in the filter of an upsert, so the document is created first.
        kept.insert_one({"_id": key})
    begun = {"started": "$$NOW", "by": {"$literal": by}, "status": "running", "error": None}
    free = {"$or": [{"$ne": ["$run.status", "running"]}, _IS_LOST]}
    query: Document = {"_id": {"$eq": key}, "$expr": free}
    return kept.update_one(query, [{"$set": {"run": begun}}]).matched_count == 1


def count_and_keep(database: Mongo, bucket: str) -> None:
    """Do the count that :func:`begin_count` began. Raises PyMongo's errors, which are recorded as
    well."""
    kept, query = database[COLLECTION], {"_id": {"$eq": {"totals": bucket}}}
    try:
        totals = count_totals(database[f"{bucket}.files"], seconds=SECONDS)
    except PyMongoError as error:
        values = {"run.status": "failed", "run.error": {"$literal": str(error)[:500]}}
        with contextlib.suppress(PyMongoError):
            kept.update_one(query, [{"$set": values}])
        raise
    document: Document = {
        "files": totals.files,
        "bytes": totals.bytes,
        "seconds": totals.seconds,
        "types": [_document(share) for share in totals.types],
        "months": [_document(share) for share in totals.months],
    }
    whole = {**{name: {"$literal": value} for name, value in document.items()}, "counted": "$$NOW"}
    stages: list[Document] = [{"$unset": "kept"}, {"$set": {"kept": whole, "run.status": "done"}}]
    kept.update_one(query, stages)


_IS_LOST: Document = {
    "$gt": [{"$subtract": ["$$NOW", "$run.started"]}, (SECONDS + 30) * 1000],
}

_DECLARED: Document = {"$ifNull": ["$metadata.contentType", "$contentType"]}
_TYPE: Document = {
    # It may be text of any length, or a value of any type.
    "$cond": [
        {"$eq": [{"$type": _DECLARED}, "string"]},
        {
            "$cond": [
                {"$lte": [{"$strLenBytes": _DECLARED}, _LONGEST_TYPE]},
                _DECLARED,
                "?",
            ]
        },
        None,
    ]
}
_MONTH: Document = {
    "$cond": [
        {
            "$and": [
                {"$eq": [{"$type": "$uploadDate"}, "date"]},
                {"$gte": ["$uploadDate", _YEAR_0]},
                {"$lt": ["$uploadDate", _YEAR_10000]},
            ]
        },
        {"$dateToString": {"date": "$uploadDate", "format": "%Y-%m"}},
        None,
    ]
}
_LENGTH: Document = {
    "$cond": [{"$and": [{"$isNumber": "$length"}, {"$gt": ["$length", 0]}]}, "$length", 0]
}
_BY_TYPE_AND_MONTH: Document = {
    "$group": {
        "_id": {"type": _TYPE, "month": _MONTH},
        "files": {"$sum": 1},
        "bytes": {"$sum": _LENGTH},
    }
}
_SUMMED: Document = {"files": {"$sum": "$files"}, "bytes": {"$sum": "$bytes"}}
_TYPES: list[Document] = [
    {"$group": {"_id": {"$ifNull": ["$_id.type", ""]}, **_SUMMED}},
    {"$sort": {"bytes": -1, "files": -1, "_id": 1}},
    {"$limit": MOST_TYPES},
]
_MONTHS: list[Document] = [
    {"$group": {"_id": "$_id.month", **_SUMMED}},
    {"$sort": {"_id": -1}},
    {"$limit": MOST_MONTHS},
    {"$sort": {"_id": 1}},
]
_ALL: list[Document] = [{"$group": {"_id": None, **_SUMMED}}]


def _shares(found: Iterable[Mapping[str, Any]]) -> tuple[BucketShare, ...]:
    return tuple(
        BucketShare(name=each["_id"] or None, files=int(each["files"]), bytes=int(each["bytes"]))
        for each in found
    )


def _document(share: BucketShare) -> Document:
    return {"name": share.name, "files": share.files, "bytes": share.bytes}


def _kept(document: Document) -> Totals | None:
    kept = document.get("kept")
    if not kept:
        return None
    return Totals(
        files=kept["files"],
        bytes=kept["bytes"],
        types=tuple(BucketShare(**each) for each in kept["types"]),
        months=tuple(BucketShare(**each) for each in kept["months"]),
        counted=_aware(kept["counted"]),
        seconds=kept["seconds"],
    )


def _run(document: Document) -> CountRun | None:
    run = document.get("run")
    if not run:
        return None
    is_lost = run["status"] == "running" and document["lost"]
    return CountRun(
        started=_aware(run["started"]),
        by=run["by"],
        status="lost" if is_lost else run["status"],
        error=run["error"],
    )


def _aware(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=UTC)
