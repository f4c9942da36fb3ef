"""Runs of the collector: what each did, and where an interrupted one goes on.

Kept in ``<bucket>.gc``, beside the marks of files that were restored, whose ``_id`` is
``{restored: <id>}``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from bson import ObjectId
from pymongo import DESCENDING, UpdateOne
from pymongo.database import Database

from djongo_services.lease import holder_text
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.places import Document, Places
from djongo_services.storage.collector.report import Status

KEPT = 100
"""Runs; older ones are forgotten."""

MARKS_KEPT = timedelta(days=90)
"""How long it is known at least that a file was restored, whatever ages runs are told."""

_RUNS: Document = {"_id": {"$type": "objectId"}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    id: ObjectId
    started: datetime
    finished: datetime | None
    status: Status
    """``running`` also when the process died: nobody was left to say more."""
    by: str
    """``user@host, process 123``."""
    older_than: timedelta
    kinds: frozenset[Kind]
    """What it looked for."""
    asked: frozenset[Kind]
    """Those that the user named."""
    verified: bool
    deleted: bool
    """Whether what it collected is gone for good."""
    files: int
    chunks: int
    counts: Mapping[Kind, int]
    bytes: Mapping[Kind, int]
    error: str | None
    position: tuple[Any] | None = field(default=None)
    """The id up to which it is done, in a tuple because it may be None itself."""

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


def list_runs(database: Database[Any], bucket: str, *, limit: int = 20) -> list[Run]:
    """Newest first."""
    journal = Places.of(database, bucket).journal
    found = journal.find(_RUNS, sort=[("_id", DESCENDING)], limit=limit)
    return [Run.of(document) for document in found]


class Journal:
    """Writes one run."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._journal = places.journal

    def unfinished(self) -> Run | None:
        """The latest run, if it did not come to its end."""
        latest = self._journal.find_one(_RUNS, sort=[("_id", DESCENDING)])
        return Run.of(latest) if latest and latest["status"] != "done" else None

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
        """What was removed so far."""
        found = {kind.value: {"count": counts[kind], "bytes": bytes[kind]} for kind in counts}
        self._set(run, {"found": found})

    def note(self, run: ObjectId, files: int, chunks: int, position: tuple[Any] | None) -> None:
        """How much was looked at, and behind which id an interrupted run goes on."""
        place = {} if position is None else {"position": {"id": position[0]}}
        self._set(run, {"files": files, "chunks": chunks, **place})

    def end(self, run: ObjectId, status: Status, error: str | None = None) -> None:
        self._set(run, {"status": status, "error": error, "finishedAt": self._places.now()})

    def mark_restored(self, ids: Iterable[Any]) -> None:
        now = self._places.now()
        marks = [
            UpdateOne({"_id": {"restored": id}}, {"$set": {"at": now}}, upsert=True) for id in ids
        ]
        if marks:
            self._journal.bulk_write(marks, ordered=False)

    def _set(self, run: ObjectId, values: Document) -> None:
        self._journal.update_one({"_id": run}, {"$set": values})

    def _forget_old(self, cutoff: datetime) -> None:
        """Runs beyond the latest, and marks that protect nothing any more."""
        self._journal.delete_many({"_id": {"$type": "object"}, "at": {"$lte": cutoff}})
        oldest = self._journal.find_one(_RUNS, {"_id": 1}, sort=[("_id", DESCENDING)], skip=KEPT)
        if oldest is not None:
            self._journal.delete_many({"_id": {"$type": "objectId", "$lte": oldest["_id"]}})
