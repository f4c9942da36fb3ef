"""The collection in which profiles are kept: one document for each collection profiled.

``{"_id": "notes", "run": {"id", "depth", "status", "started", "beat", "finished", "phase", "done",
"total", "by", "stop", "error"}, "kept": {"run", "finished", "requested", "reached", "documents",
"warnings", "by"}, "profile": <bytes>}``. Every time in it is the server's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection as Names
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bson import ObjectId
from pymongo import ReturnDocument, WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure

from djongo_services.introspection.progress import Progress
from djongo_services.introspection.report import CollectionReport, Depth

COLLECTION = "djongo_services_profiles"
LOST_SECONDS = 15.0
"""Without a sign of life for so long, the process that took a profile has died."""
LARGEST = 12_000_000
"""Bytes of a profile that fits into a document with room to spare."""

Document = dict[str, Any]
Mongo = Database[Document]
Status = Literal["running", "done", "stopped", "failed", "lost"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The profile that is being taken, or the last that was asked for."""

    id: ObjectId
    depth: Depth
    status: Status
    """``lost``: the process died."""
    started: datetime
    phase: str
    done: int
    total: int | None
    by: str
    is_stopping: bool
    error: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """The last profile."""

    finished: datetime
    by: str
    data: bytes
    """:func:`djongo_services.admin.profiles.documents.unpacked` reads it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileNote:
    """What a list of collections says of a profile."""

    finished: str
    warnings: int


class Profiles:
    """Of one collection. Everything raises PyMongo's errors."""

    def __init__(self, database: Mongo, name: str) -> None:
        self._profiles = database.get_collection(COLLECTION, write_concern=WriteConcern("majority"))
        self._name = name

    def begin(self, *, depth: Depth, by: str) -> ObjectId | None:
        """The id of a new run; None while another is at work."""
        with contextlib.suppress(DuplicateKeyError):
            # $expr is refused in the filter of an upsert, so the document is made first.
            self._profiles.insert_one({"_id": self._name})
        run = ObjectId()
        free = {"$or": [{"$ne": ["$run.status", "running"]}, _is_lost()]}
        begun = {
            "id": run,
            "depth": {"$literal": depth},
            "status": "running",
            "started": "$$NOW",
            "beat": "$$NOW",
            "phase": "",
            "done": {"$literal": 0},
            "total": None,
            "by": {"$literal": by},
            "stop": {"$literal": False},
        }
        taken = self._profiles.update_one(
            # A run of before is taken away first: $set merges documents.
            {"_id": self._name, "$expr": free},
            [{"$unset": "run"}, {"$set": {"run": begun}}],
        )
        return run if taken.matched_count else None

    def beat(self, run: ObjectId, progress: Progress | None) -> bool:
        """Say that the run is alive and where it is; False when it is to stop."""
        values: Document = {"run.beat": "$$NOW"}
        if progress is not None:
            values |= {
                "run.phase": {"$literal": progress.phase},
                "run.done": {"$literal": progress.done},
                "run.total": {"$literal": progress.total},
            }
        found = self._profiles.find_one_and_update(
            {"_id": self._name, "run.id": run},
            [{"$set": values}],
            projection={"run.stop": 1},
            return_document=ReturnDocument.AFTER,
        )
        return found is not None and not found["run"].get("stop")

    def ask_to_stop(self) -> bool:
        """Whether there was a run to be told; it ends soon, in whatever process it is."""
        asked = self._profiles.update_one(
            {"_id": self._name, "run.status": "running"}, {"$set": {"run.stop": True}}
        )
        return asked.matched_count == 1

    def end(
        self,
        run: ObjectId,
        status: Status,
        *,
        error: str | None,
        result: tuple[Document, bytes] | None,
    ) -> None:
        """``result``: what to keep in place of the profile of before; see :func:`summary`."""
        values: Document = {
            "run.status": status,
            "run.finished": "$$NOW",
            "run.error": {"$literal": error},
        }
        stages: list[Document] = [{"$set": values}]
        if result is not None:
            summed, data = result
            kept = {name: {"$literal": value} for name, value in summed.items()}
            stages += [
                {"$unset": "kept"},
                {"$set": {"kept": {**kept, "finished": "$$NOW"}, "profile": {"$literal": data}}},
            ]
        self._profiles.update_one({"_id": self._name, "run.id": run}, stages)

    def read(self, *, whole: bool = True) -> tuple[Run | None, Kept | None]:
        """The last run and the last profile; without ``whole``, of the run alone."""
        stages: list[Document] = [
            {"$match": {"_id": self._name}},
            {"$set": {"lost": _is_lost()}},
        ]
        if not whole:
            stages.append({"$unset": ["profile", "kept"]})
        for document in self._profiles.aggregate(stages):
            return _run(document), _kept(document)
        return None, None


def summary(report: CollectionReport, *, by: str) -> Document:
    """What is said of a profile without reading it."""
    assert report.profile is not None
    coverage = report.profile.coverage
    return {
        "requested": coverage.requested,
        "reached": coverage.reached,
        "documents": coverage.documents,
        "warnings": len(report.warnings),
        "by": by,
    }


def profile_notes(database: Mongo, names: Names[str]) -> dict[str, ProfileNote]:
    """By collection; none where the user may not read them."""
    wanted = {"kept.finished": 1, "kept.warnings": 1}
    try:
        found = list(
            database[COLLECTION].find({"_id": {"$in": [*names]}, "kept": {"$exists": True}}, wanted)
        )
    except OperationFailure:
        return {}
    return {
        document["_id"]: ProfileNote(
            finished=moment(document["kept"]["finished"]), warnings=document["kept"]["warnings"]
        )
        for document in found
    }


def moment(when: datetime) -> str:
    """``2026-11-26 21:15 UTC``."""
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _is_lost() -> Document:
    age = {"$subtract": ["$$NOW", "$run.beat"]}
    return {"$gt": [age, round(LOST_SECONDS * 1000)]}


def _run(document: Document) -> Run | None:
    run = document.get("run")
    if run is None:
        return None
    is_lost = run["status"] == "running" and document["lost"]
    return Run(
        id=run["id"],
        depth=run["depth"],
        status="lost" if is_lost else run["status"],
        started=run["started"],
        phase=run["phase"],
        done=run["done"],
        total=run["total"],
        by=run["by"],
        is_stopping=bool(run["stop"]),
        error=run.get("error"),
    )


def _kept(document: Document) -> Kept | None:
    kept = document.get("kept")
    if kept is None:
        return None
    return Kept(finished=kept["finished"], by=kept["by"], data=document["profile"])
