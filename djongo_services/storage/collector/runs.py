"""Runs of the collector: the report of one, and the bucket's history of earlier ones.

Renderers show a report and compute nothing. Runs are kept in ``<bucket>.gc``, with the position
where an interrupted one continues, beside the marks of restored files, whose ``_id`` is
``{restored: <id>}``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, Self

from bson import ObjectId
from pymongo import DESCENDING, UpdateOne
from pymongo.database import Database

from djongo_services.lease import holder_text
from djongo_services.storage.collector.collections import BucketCollections, Document
from djongo_services.storage.collector.kinds import Candidate, Kind

Status = Literal["running", "done", "failed", "interrupted"]

EXAMPLES = 5
"""Examples of each kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    id: Any
    """The files_id, of any BSON type."""
    filename: str | None
    """None for chunks without a file."""
    bytes: int
    since: datetime | None
    """Its most recent activity; None if it has no date."""
    reason: str
    """The reason as a phrase, if the kind alone is not specific enough; otherwise empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KindTotal:
    """The total of one kind."""

    kind: Kind
    count: int = 0
    """Files, uploads, or files_id of orphan chunks."""
    bytes: int = 0
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TrashSummary:
    entries: int
    bytes: int
    oldest: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectorReport:
    bucket: str
    database: str
    dry_run: bool
    run: ObjectId | None
    """None for a dry run, which is not recorded."""
    started: datetime
    """The time by the server's clock."""
    seconds: float
    older_than: timedelta
    kinds: frozenset[Kind]
    """The kinds that were searched for."""
    verified: bool
    """Whether every byte was read and compared with the checksums."""
    sizes_read: bool
    """Whether the sizes of all chunks were compared too; otherwise only their numbers."""
    files: int
    """Files that were checked."""
    chunks: int
    found: Mapping[Kind, KindTotal]
    """What was moved to the trash or deleted; in a dry run, what would be."""
    kept: KindTotal
    """Broken files that stay, because they are or may be in use."""
    young: int
    """Files that are kept only because of their age."""
    restored: int
    """Files that were restored from the trash because something refers to them again."""
    deleted: bool
    """Whether what was collected is deleted for good, not in the trash."""
    trash: TrashSummary
    """The trash after the run."""
    notes: tuple[str, ...] = field(default=())
    """Sentences about what was not searched for, and why."""

    @property
    def count(self) -> int:
        return sum(found.count for found in self.found.values())

    @property
    def bytes(self) -> int:
        return sum(found.bytes for found in self.found.values())

    @property
    def is_clean(self) -> bool:
        """Whether there was nothing to collect and no broken file."""
        return not self.count and not self.kept.count


class KindTally:
    """Counts, bytes and the first examples of each kind."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        counts: Mapping[Kind, int] = MappingProxyType({}),
        bytes: Mapping[Kind, int] = MappingProxyType({}),
    ) -> None:
        """``counts`` and ``bytes`` are from the earlier part of the run."""
        order = [kind for kind in Kind if kind in set(kinds)]
        self.counts = {kind: counts.get(kind, 0) for kind in order}
        self.bytes = {kind: bytes.get(kind, 0) for kind in order}
        self._examples: dict[Kind, list[Example]] = {kind: [] for kind in order}

    def add(self, candidates: Iterable[Candidate]) -> None:
        for each in candidates:
            self.counts[each.kind] += 1
            self.bytes[each.kind] += each.bytes
            examples = self._examples[each.kind]
            if len(examples) < EXAMPLES:
                examples.append(
                    Example(
                        id=each.id,
                        filename=each.filename,
                        bytes=each.bytes,
                        since=each.since,
                        reason=each.reason,
                    )
                )

    def found(self) -> dict[Kind, KindTotal]:
        return {
            kind: KindTotal(
                kind=kind,
                count=self.counts[kind],
                bytes=self.bytes[kind],
                examples=tuple(self._examples[kind]),
            )
            for kind in self.counts
        }


# The bucket's history of runs.
KEPT = 100
"""The number of runs in the history; older ones are deleted."""

MARKS_KEPT = timedelta(days=90)
"""The minimum time for which a restored file is marked as such, whatever age runs use."""

_RUNS: Document = {"_id": {"$type": "objectId"}}


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectorRun:
    id: ObjectId
    started: datetime
    finished: datetime | None
    status: Status
    """``running`` is also the status of a run whose process died."""
    by: str
    """``user@host, process 123``."""
    older_than: timedelta
    kinds: frozenset[Kind]
    """The kinds that it searched for."""
    asked: frozenset[Kind]
    """The kinds that the user named."""
    verified: bool
    deleted: bool
    """Whether what it collected is deleted for good."""
    files: int
    chunks: int
    counts: Mapping[Kind, int]
    bytes: Mapping[Kind, int]
    error: str | None
    position: tuple[Any] | None = field(default=None)
    """The id up to which it is done, in a tuple because the id may be None itself."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        found: Mapping[str, Any] = document.get("found", {})
        position = document.get("position")
        return cls(
            id=document["_id"],
            started=document["startedAt"],
            finished=document.get("finishedAt"),
            status=document["status"],
            by=document["by"],
            older_than=timedelta(seconds=document["olderThan"]),
            kinds=frozenset(Kind(kind) for kind in document["kinds"]),
            asked=frozenset(Kind(kind) for kind in document["asked"]),
            verified=document["verified"],
            deleted=document["deleted"],
            files=document["files"],
            chunks=document["chunks"],
            counts={Kind(kind): each["count"] for kind, each in found.items()},
            bytes={Kind(kind): each["bytes"] for kind, each in found.items()},
            error=document.get("error"),
            position=None if position is None else (position["id"],),
        )


def list_runs(database: Database[Any], bucket: str, *, limit: int = 20) -> list[CollectorRun]:
    """The runs, newest first."""
    journal = BucketCollections.of(database, bucket).journal
    found = journal.find(_RUNS, sort=[("_id", DESCENDING)], limit=limit)
    return [CollectorRun.of(document) for document in found]


class Journal:
    """Records one run."""

    def __init__(self, collections: BucketCollections) -> None:
        self._collections = collections
        self._journal = collections.journal

    def unfinished(self) -> CollectorRun | None:
        """The latest run, if it did not finish."""
        latest = self._journal.find_one(_RUNS, sort=[("_id", DESCENDING)])
        return CollectorRun.of(latest) if latest and latest["status"] != "done" else None

    def begin(
        self,
        now: datetime,
        *,
        older_than: timedelta,
        kinds: Collection[Kind],
        asked: Collection[Kind],
        verified: bool,
        deleted: bool,
    ) -> ObjectId:
        run = ObjectId()
        self._journal.insert_one(
            {
                "_id": run,
                "startedAt": now,
                "status": "running",
                "by": holder_text(),
                "olderThan": older_than.total_seconds(),
                "kinds": sorted(kinds),
                "asked": sorted(asked),
                "verified": verified,
                "deleted": deleted,
                "files": 0,
                "chunks": 0,
                "found": {},
                "position": None,
            }
        )
        self._forget_old(now - max(older_than, MARKS_KEPT))
        return run

    def take_up(self, run: ObjectId) -> None:
        self._set(run, {"status": "running", "by": holder_text(), "error": None})

    def note_found(
        self, run: ObjectId, counts: Mapping[Kind, int], bytes: Mapping[Kind, int]
    ) -> None:
        """Record what was removed so far."""
        found = {kind.value: {"count": counts[kind], "bytes": bytes[kind]} for kind in counts}
        self._set(run, {"found": found})

    def note(self, run: ObjectId, files: int, chunks: int, position: tuple[Any] | None) -> None:
        """Record how much was checked, and the id after which an interrupted run continues."""
        place = {} if position is None else {"position": {"id": position[0]}}
        self._set(run, {"files": files, "chunks": chunks, **place})

    def end(self, run: ObjectId, status: Status, error: str | None = None) -> None:
        self._set(run, {"status": status, "error": error, "finishedAt": self._collections.now()})

    def mark_restored(self, ids: Iterable[Any]) -> None:
        now = self._collections.now()
        marks = [
            UpdateOne({"_id": {"restored": id}}, {"$set": {"at": now}}, upsert=True) for id in ids
        ]
        if marks:
            self._journal.bulk_write(marks, ordered=False)

    def _set(self, run: ObjectId, values: Document) -> None:
        self._journal.update_one({"_id": run}, {"$set": values})

    def _forget_old(self, cutoff: datetime) -> None:
        """Delete runs beyond the limit, and marks that no longer protect anything."""
        self._journal.delete_many({"_id": {"$type": "object"}, "at": {"$lte": cutoff}})
        oldest = self._journal.find_one(_RUNS, {"_id": 1}, sort=[("_id", DESCENDING)], skip=KEPT)
        if oldest is not None:
            self._journal.delete_many({"_id": {"$type": "objectId", "$lte": oldest["_id"]}})
