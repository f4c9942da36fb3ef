"""The collection in which profiles are kept: one document for each collection profiled.

``{"_id": "notes", "run": {"depth", "error", ...}, "kept": {"finished", "requested", "reached",
"documents", "warnings", "by"}, "profile": <bytes>}``, a :class:`~djongo_services.admin.slots.Slot`.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.admin.slots import Slot, Status
from djongo_services.introspection.report import CollectionReport, Depth

COLLECTION = "djongo_services_profiles"
LARGEST = 12_000_000
"""Bytes of a profile that fits into a document with room to spare."""

Document = dict[str, Any]
Mongo = Database[Document]


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
        self.slot = Slot(database[COLLECTION], name)

    def begin(self, *, depth: Depth, by: str) -> ObjectId | None:
        """The id of a new run; None while another is at work."""
        return self.slot.begin({"depth": depth}, by=by)

    def end(
        self,
        run: ObjectId,
        status: Status,
        *,
        error: str | None,
        result: tuple[Document, bytes] | None,
    ) -> None:
        """``result``: what to keep in place of the profile of before; see :func:`summary`."""
        stages: list[Document] = []
        if result is not None:
            summed, data = result
            kept = {name: {"$literal": value} for name, value in summed.items()}
            stages += [
                {"$unset": "kept"},
                {"$set": {"kept": {**kept, "finished": "$$NOW"}, "profile": {"$literal": data}}},
            ]
        self.slot.end(run, status, {"error": error}, *stages)

    def read(self, *, whole: bool = True) -> tuple[Run | None, Kept | None]:
        """The last run and the last profile; without ``whole``, of the run alone."""
        document = self.slot.read(*(() if whole else ("profile", "kept"))) or {}
        return _run(document), _kept(document)


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


def _run(document: Document) -> Run | None:
    run = document.get("run")
    if run is None:
        return None
    return Run(
        id=run["id"],
        depth=run["depth"],
        status=run["status"],
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
