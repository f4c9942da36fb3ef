"""What the last dry run of the collector found in a bucket, kept for the pages.

The report is ``{"_id": {"survey": "media"}, ...}`` in :data:`totals.COLLECTION`; each thing found,
up to :data:`MOST` of a kind, is a document of :data:`COLLECTION`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo.database import Database

from djongo_services.admin.files.totals import COLLECTION as KEPT
from djongo_services.storage.collector.candidates import Candidate
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.report import Report

COLLECTION = "djongo_services_file_findings"
MOST = 100_000
"""Of a kind that are kept; the report counts all."""

_KEYS = [("bucket", 1), ("survey", 1), ("kind", 1), ("_id", 1)]

Document = dict[str, Any]
Mongo = Database[Document]


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    kind: str
    count: int
    bytes: int
    kept: int = 0
    """Of broken files: those that stay, because they are or may be in use."""
    kept_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """The last dry run."""

    id: ObjectId
    finished: datetime
    seconds: float
    older_than: timedelta
    verified: bool
    files: int
    chunks: int
    young: int
    shares: tuple[Share, ...]
    notes: tuple[str, ...]
    by: str

    @property
    def is_clean(self) -> bool:
        return not any(share.count or share.kept for share in self.shares)


class Notes:
    """Keeps what a dry run finds, while it finds it."""

    def __init__(self, database: Mongo, bucket: str, survey: ObjectId) -> None:
        self._database = database
        self._found = database[COLLECTION]
        self._bucket = bucket
        self._survey = survey
        self._left = dict.fromkeys((kind.value for kind in Kind), MOST)
        self._found.create_index(_KEYS)

    def add(self, candidates: Sequence[Candidate], kept: Sequence[Candidate]) -> None:
        """A hook for :func:`~djongo_services.storage.collector.collect`."""
        documents = [
            *(self._document(each, is_kept=False) for each in candidates if self._has_room(each)),
            *(self._document(each, is_kept=True) for each in kept if self._has_room(each)),
        ]
        if documents:
            self._found.insert_many(documents, ordered=False)

    def finish(self, report: Report, by: str) -> None:
        """From now on this is the last one; the one before is forgotten."""
        whole: Document = {"$literal": _report(report, self._survey, by)}
        self._database[KEPT].update_one(
            {"_id": {"$eq": {"survey": self._bucket}}},
            [{"$replaceWith": {"$mergeObjects": [{"_id": "$_id"}, whole, {"finished": "$$NOW"}]}}],
            upsert=True,
        )
        self._found.delete_many({"bucket": self._bucket, "survey": {"$ne": self._survey}})

    def give_up(self) -> None:
        self._found.delete_many({"bucket": self._bucket, "survey": self._survey})

    def _has_room(self, candidate: Candidate) -> bool:
        self._left[candidate.kind.value] -= 1
        return self._left[candidate.kind.value] >= 0

    def _document(self, candidate: Candidate, *, is_kept: bool) -> Document:
        return {
            "bucket": self._bucket,
            "survey": self._survey,
            "kind": candidate.kind.value,
            "id": candidate.id,
            "filename": _sendable(candidate.filename),
            "bytes": candidate.bytes,
            "since": candidate.since,
            "reason": candidate.reason,
            "kept": is_kept,
        }


def last_survey(database: Mongo, bucket: str) -> Survey | None:
    found = database[KEPT].find_one({"_id": {"$eq": {"survey": bucket}}})
    if found is None:
        return None
    return Survey(
        id=found["run"],
        finished=_aware(found["finished"]),
        seconds=found["seconds"],
        older_than=timedelta(seconds=found["older"]),
        verified=found["verified"],
        files=found["files"],
        chunks=found["chunks"],
        young=found["young"],
        shares=tuple(Share(**each) for each in found["shares"]),
        notes=tuple(found["notes"]),
        by=found["by"],
    )


def found_query(bucket: str, survey: Survey, kind: str) -> Document:
    return {"bucket": bucket, "survey": survey.id, "kind": kind}


def _report(report: Report, survey: ObjectId, by: str) -> Document:
    return {
        "run": survey,
        "seconds": report.seconds,
        "older": report.older_than.total_seconds(),
        "verified": report.verified,
        "files": report.files,
        "chunks": report.chunks,
        "young": report.young,
        "shares": [_share(kind, report) for kind in report.found],
        "notes": list(report.notes),
        "by": by,
    }


def _share(kind: Kind, report: Report) -> Mapping[str, Any]:
    found = report.found[kind]
    is_broken = kind is Kind.BROKEN
    return {
        "kind": kind.value,
        "count": found.count,
        "bytes": found.bytes,
        "kept": report.kept.count if is_broken else 0,
        "kept_bytes": report.kept.bytes if is_broken else 0,
    }


def _sendable(name: str | None) -> str | None:
    """Text that was no UTF-8 cannot be sent back as it is."""
    return None if name is None else name.encode("utf-8", "replace").decode("utf-8")


def _aware(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=UTC)
