"""The results of the last dry run of the collector in a bucket, stored for the pages.

The report is ``{"_id": {"survey": "media"}, ...}`` in :data:`totals.COLLECTION`; each item, up to
:data:`MOST` of a kind, is a document of :data:`COLLECTION`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from django.utils.translation import gettext as _

from djongo_services.admin.deadline import Mongo
from djongo_services.admin.files.address import BucketAddress
from djongo_services.admin.files.buckets import files_of
from djongo_services.admin.files.filters import Filters
from djongo_services.admin.files.listing import LENIENT, PER_PAGE, ListPosition
from djongo_services.admin.files.rows import FileRow, file_row, moment_text, projection
from djongo_services.admin.jobs.slot import COLLECTION as KEPT
from djongo_services.formatting import printable
from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.storage.collector.kinds import Candidate, Kind
from djongo_services.storage.collector.runs import CollectorReport

COLLECTION = "djongo_services_file_findings"
MOST = 100_000
"""The number of stored items of a kind; the report counts all of them."""

_KEYS = [("bucket", 1), ("survey", 1), ("kind", 1), ("_id", 1)]

# Files that the last dry run of the collector found, page by page.
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingShare:
    kind: str
    count: int
    bytes: int
    kept: int = 0
    """The number of broken files that stay, because they are or may be in use."""
    kept_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DryRun:
    """The last dry run."""

    id: ObjectId
    finished: datetime
    seconds: float
    older_than: timedelta
    verified: bool
    files: int
    chunks: int
    young: int
    shares: tuple[FindingShare, ...]
    notes: tuple[str, ...]
    by: str

    @property
    def is_clean(self) -> bool:
        return not any(share.count or share.kept for share in self.shares)


class Notes:
    """Stores what a dry run finds during the run."""

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

    def finish(self, report: CollectorReport, by: str) -> None:
        """Make this the last dry run, and delete the previous one."""
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


def last_survey(database: Mongo, bucket: str) -> DryRun | None:
    found = database[KEPT].find_one({"_id": {"$eq": {"survey": bucket}}})
    if found is None:
        return None
    return DryRun(
        id=found["run"],
        finished=_aware(found["finished"]),
        seconds=found["seconds"],
        older_than=timedelta(seconds=found["older"]),
        verified=found["verified"],
        files=found["files"],
        chunks=found["chunks"],
        young=found["young"],
        shares=tuple(FindingShare(**each) for each in found["shares"]),
        notes=tuple(found["notes"]),
        by=found["by"],
    )


def found_query(bucket: str, survey: DryRun, kind: str) -> Document:
    return {"bucket": bucket, "survey": survey.id, "kind": kind}


def _report(report: CollectorReport, survey: ObjectId, by: str) -> Document:
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


def _share(kind: Kind, report: CollectorReport) -> Mapping[str, Any]:
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
    """The text, unless it was not UTF-8 and so cannot be sent back unchanged."""
    return None if name is None else name.encode("utf-8", "replace").decode("utf-8")


def _aware(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundList:
    """A page of found files."""

    survey: DryRun | None
    """The dry run; None: not scanned yet."""
    found: list[Document]
    files: dict[Key, Document]
    """The files that are still in the bucket."""
    next: ListPosition | None


def list_found(
    database: Mongo,
    bucket: str,
    filters: Filters,
    place: ListPosition | None,
    *,
    per_page: int = PER_PAGE,
) -> FoundList:
    """A page of the list; at most 3 commands."""
    survey = last_survey(database, bucket)
    if survey is None:
        return FoundList(survey=None, found=[], files={}, next=None)
    kept = database.get_collection(COLLECTION, codec_options=LENIENT)
    query = finding_query(bucket, survey, filters)
    if place is not None and len(place.values) == 1 and isinstance(place.values[0], ObjectId):
        query["_id"] = {"$gt": place.values[0]}
    found = list(kept.find(query, sort={"_id": 1}, limit=per_page + 1))
    page = found[:per_page]
    ids = [each["id"] for each in page]
    files = files_of(database, bucket).find({"_id": {"$in": ids}}, projection())
    return FoundList(
        survey=survey,
        found=page,
        files={sort_key(each["id"]): each for each in files if each["id"] is not None},
        next=ListPosition(values=(page[-1]["_id"],)) if len(found) > per_page else None,
    )


def finding_query(bucket: str, survey: DryRun, filters: Filters) -> Document:
    query: Document = found_query(bucket, survey, filters.state)
    if filters.begins:
        query["filename"] = {"$regex": f"^{re.escape(filters.begins)}"}
    return query


def found_rows(address: BucketAddress, listed: FoundList) -> list[FileRow]:
    return [_row(address, listed, each) for each in listed.found]


def _row(address: BucketAddress, listed: FoundList, finding: Document) -> FileRow:
    document = listed.files.get(sort_key(finding["id"]))
    if document is None:
        gone = {"id": finding["id"], "filename": finding["filename"], "length": finding["bytes"]}
        return file_row(address, gone, note=_("no longer exists"))
    return file_row(address, document, note=_why(finding))


def _why(finding: Document) -> str:
    said = [_("since %(when)s") % {"when": moment_text(finding["since"])}]
    if finding["reason"]:
        said.insert(0, printable(finding["reason"]))
    if finding["kept"]:
        said.append(_("kept, because it is or may be in use"))
    return "; ".join(said)
