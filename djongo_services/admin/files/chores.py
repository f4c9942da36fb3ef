"""What is done to many files at once: one chore of a bucket at a time, whatever process it is in.

``{"_id": {"chore": "media"}, "run": {"id", "what", "words", "by", "status", "started", "beat",
"finished", "phase", "done", "total", "stop", "said"}, "past": [...]}`` in
:data:`~djongo_services.admin.files.totals.COLLECTION`. Every date in it is the server's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from bson import ObjectId
from pymongo import ReturnDocument, WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from djongo_services.admin.files.totals import COLLECTION
from djongo_services.introspection.progress import Progress

LOST_SECONDS = 20.0
"""Without a sign of life for so long, the process has died."""
KEPT = 20
"""Chores of a bucket that are remembered."""

Document = dict[str, Any]
Mongo = Database[Document]
What = Literal["dry-run", "collect", "purge", "delete", "restore"]
Status = Literal["running", "done", "stopped", "failed", "lost"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chore:
    id: ObjectId
    what: What
    words: str
    """What it is about, for people."""
    by: str
    status: Status
    """``lost``: its process died."""
    started: datetime
    finished: datetime | None
    phase: str
    done: int
    total: int | None
    is_stopping: bool
    said: str
    """How it ended, in a sentence."""

    @classmethod
    def of(cls, run: Mapping[str, Any], *, is_lost: bool = False) -> Self:
        is_running = run["status"] == "running"
        return cls(
            id=run["id"],
            what=run["what"],
            words=run["words"],
            by=run["by"],
            status="lost" if is_running and is_lost else run["status"],
            started=_aware(run["started"]),
            finished=_aware(run["finished"]) if run.get("finished") else None,
            phase=run["phase"],
            done=run["done"],
            total=run["total"],
            is_stopping=bool(run["stop"]),
            said=run.get("said") or "",
        )


class Chores:
    """Of one bucket. Everything raises PyMongo's errors."""

    def __init__(self, database: Mongo, bucket: str) -> None:
        self._kept = database.get_collection(COLLECTION, write_concern=WriteConcern("majority"))
        self._query: Document = {"_id": {"$eq": {"chore": bucket}}}
        self._key: Document = {"chore": bucket}

    def begin(self, what: What, *, words: str, by: str) -> ObjectId | None:
        """The id of a new chore; None while another is at work."""
        with contextlib.suppress(DuplicateKeyError):
            # $expr is refused in the filter of an upsert, so the document is made first.
            self._kept.insert_one({"_id": self._key})
        run = ObjectId()
        begun = {
            "id": run,
            "what": {"$literal": what},
            "words": {"$literal": words},
            "by": {"$literal": by},
            "status": "running",
            "started": "$$NOW",
            "beat": "$$NOW",
            "phase": "",
            "done": {"$literal": 0},
            "total": None,
            "stop": {"$literal": False},
            "said": "",
        }
        free = {"$or": [{"$ne": ["$run.status", "running"]}, _IS_LOST]}
        before = {"$cond": [{"$eq": [{"$type": "$run"}, "object"]}, ["$run"], []]}
        past = {"$concatArrays": [before, {"$ifNull": ["$past", []]}]}
        taken = self._kept.update_one(
            {**self._query, "$expr": free},
            [
                {"$set": {"past": {"$slice": [past, KEPT]}}},
                {"$unset": "run"},
                {"$set": {"run": begun}},
            ],
        )
        return run if taken.matched_count else None

    def beat(self, run: ObjectId, progress: Progress | None) -> bool:
        """Say that it is alive and where it is; False when it is to stop."""
        values: Document = {"run.beat": "$$NOW"}
        if progress is not None:
            values |= {
                "run.phase": {"$literal": progress.phase},
                "run.done": {"$literal": progress.done},
                "run.total": {"$literal": progress.total},
            }
        found = self._kept.find_one_and_update(
            {**self._query, "run.id": run},
            [{"$set": values}],
            projection={"run.stop": 1},
            return_document=ReturnDocument.AFTER,
        )
        return found is not None and not found["run"].get("stop")

    def ask_to_stop(self) -> bool:
        """Whether there was one to be told; it ends soon, in whatever process it is."""
        asked = self._kept.update_one(
            {**self._query, "run.status": "running"}, {"$set": {"run.stop": True}}
        )
        return asked.matched_count == 1

    def end(self, run: ObjectId, status: Status, said: str) -> None:
        values: Document = {
            "run.status": status,
            "run.finished": "$$NOW",
            "run.said": {"$literal": said},
        }
        self._kept.update_one({**self._query, "run.id": run}, [{"$set": values}])

    def read(self) -> list[Chore]:
        """The latest first."""
        stages: list[Document] = [{"$match": self._query}, {"$set": {"lost": _IS_LOST}}]
        for found in self._kept.aggregate(stages):
            run, past = found.get("run"), found.get("past") or []
            latest = [Chore.of(run, is_lost=found["lost"])] if run else []
            return [*latest, *(Chore.of(each, is_lost=True) for each in past)]
        return []


_IS_LOST: Document = {
    "$gt": [{"$subtract": ["$$NOW", "$run.beat"]}, round(LOST_SECONDS * 1000)],
}


def _aware(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=UTC)
