"""What is done to many files at once: one chore of a bucket at a time, whatever process it is in.

``{"_id": {"chore": "media"}, "run": {"what", "words", "said", ...}, "past": [...]}``, a
:class:`~djongo_services.admin.slots.Slot` of the collection in which totals are kept too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from bson import ObjectId
from pymongo.database import Database

from djongo_services.admin.files.totals import COLLECTION
from djongo_services.admin.slots import Slot, Status

KEPT = 20
"""Chores of a bucket that are remembered."""

Document = dict[str, Any]
Mongo = Database[Document]
What = Literal["dry-run", "collect", "purge", "delete", "restore"]


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
    def of(cls, run: Mapping[str, Any], *, is_past: bool = False) -> Self:
        # Nobody takes the place of one that is alive.
        is_lost = is_past and run["status"] == "running"
        return cls(
            id=run["id"],
            what=run["what"],
            words=run["words"],
            by=run["by"],
            status="lost" if is_lost else run["status"],
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
        self.slot = Slot(database[COLLECTION], {"chore": bucket})

    def begin(self, what: What, *, words: str, by: str) -> ObjectId | None:
        """The id of a new chore; None while another is at work."""
        return self.slot.begin({"what": what, "words": words, "said": ""}, by=by, remember=KEPT)

    def end(self, run: ObjectId, status: Status, said: str) -> None:
        self.slot.end(run, status, {"said": said})

    def read(self) -> list[Chore]:
        """The latest first."""
        found = self.slot.read() or {}
        latest = [Chore.of(found["run"])] if found.get("run") else []
        return [*latest, *(Chore.of(each, is_past=True) for each in found.get("past") or [])]


def _aware(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=UTC)
