"""Profiles are taken in threads of this process, and stored in a collection that all processes
read.

There is one document for each collection profiled: ``{"_id": "notes", "run": {"depth", "error",
...}, "kept": {"finished", "requested", "reached", "documents", "warnings", "by"}, "profile":
<bytes>}``, a :class:`~djongo_services.admin.jobs.slot.Slot`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection as Names
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from bson import ObjectId
from django.utils.translation import gettext as _
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.admin.deadline import error_text
from djongo_services.admin.jobs.background import Background, Room
from djongo_services.admin.jobs.slot import Slot, Status
from djongo_services.admin.profiles.documents import packed
from djongo_services.admin.profiles.series import Series
from djongo_services.conf import settings
from djongo_services.connections import Connection
from djongo_services.formatting import size
from djongo_services.introspection import inspect_database
from djongo_services.introspection.muting import parse_mutes
from djongo_services.introspection.report import CollectionReport, Depth
from djongo_services.progress import Progress
from djongo_services.schema.declared import declared_on

MOST_AT_ONCE = 4
"""The maximum number in this process."""

logger = logging.getLogger("djongo_services.admin")
room = Room(MOST_AT_ONCE)


@dataclass(kw_only=True, eq=False)
class Order(Background):
    """What to profile, how, and for whom."""

    connection: Connection
    collection: str
    depth: Depth
    by: str
    run: ObjectId
    """The result of :meth:`Profiles.begin`."""


def run_in_background(order: Order) -> None:
    """Begin; ``order.ended`` is set at the end. The place must have been reserved."""
    order.begin(partial(_run, order), name="profile")


def _run(order: Order) -> None:
    try:
        carry_out(order)
    finally:
        room.release()


def carry_out(order: Order) -> Status | None:
    """Take the profile, and record and return its status; None if it could not be recorded."""
    try:
        profiles = Profiles(order.connection.database, order.collection)
        status, error, report = _done(order, profiles.slot)
        result = None
        if report is not None and report.profile is not None:
            result = (summary(report, by=order.by), packed(report))
            if (length := len(result[1])) > LARGEST:
                status, result = "failed", None
                error = _("The profile is too large to be stored (%(size)s).") % {
                    "size": size(length)
                }
        if result is not None and status == "done":  # Only whole profiles are compared.
            _add_to_series(order, *result)
        profiles.end(order.run, status, error=error, result=result)
        return status
    except PyMongoError:
        # The end cannot be recorded either; without beats the run soon counts as lost.
        logger.warning("The profile of %r could not be kept.", order.collection, exc_info=True)
        return None


def _add_to_series(order: Order, summed: Document, data: bytes) -> None:
    """Call it before the profile is shown as done. A failure here leaves the profile unchanged."""
    try:
        Series(order.connection.database, order.collection).add(order.run, summed, data)
    except PyMongoError:
        logger.warning("The profile of %r is not in its series.", order.collection, exc_info=True)


def _done(order: Order, slot: Slot) -> tuple[Status, str | None, CollectionReport | None]:
    latest: Progress | None = None

    def tell(progress: Progress) -> None:
        nonlocal latest
        latest = progress

    try:
        with slot.beating(order.run, order.stop, lambda: latest):
            report = inspect_database(
                order.connection.database,
                collections=[order.collection],
                depth=order.depth,
                declared=declared_on(order.connection),
                mute=parse_mutes(settings.inspection.mute),
                progress=tell,
                stop=order.stop,
            )
    except Exception as error:  # noqa: BLE001 (any error is shown on the page)
        return "failed", error_text(error, order.connection), None
    found = report.collections[0]
    if order.stop.is_set():
        return "stopped", None, found
    if found.profile is None:
        said = [report.stopped, *(one.message for one in found.warnings)]
        return "failed", " ".join(filter(None, said)), None
    return "done", None, found


# The collection that stores profiles: one document for each profiled collection.
COLLECTION = "djongo_services_profiles"
LARGEST = 12_000_000
"""The size in bytes of a profile that safely fits into a document."""

Document = dict[str, Any]
Mongo = Database[Document]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileRun:
    """The profile in progress, or the last requested one."""

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
    """What a list of collections shows about a profile."""

    finished: str
    warnings: int


class Profiles:
    """The profiles of one collection. All methods raise PyMongo's errors."""

    def __init__(self, database: Mongo, name: str) -> None:
        self.slot = Slot(database[COLLECTION], name)

    def begin(self, *, depth: Depth, by: str, waits: bool = False) -> ObjectId | None:
        """Begin a run and return its id; None while another one is running."""
        return self.slot.begin({"depth": depth}, by=by, waits=waits)

    def end(
        self,
        run: ObjectId,
        status: Status,
        *,
        error: str | None,
        result: tuple[Document, bytes] | None,
    ) -> None:
        """``result`` replaces the previous profile; see :func:`summary`."""
        stages: list[Document] = []
        if result is not None:
            summed, data = result
            kept = {name: {"$literal": value} for name, value in summed.items()}
            stages += [
                {"$unset": "kept"},
                {"$set": {"kept": {**kept, "finished": "$$NOW"}, "profile": {"$literal": data}}},
            ]
        self.slot.end(run, status, {"error": error}, *stages)

    def read(self, *, whole: bool = True) -> tuple[ProfileRun | None, Kept | None]:
        """The last run and the last profile; with ``whole=False``, only the run."""
        document = self.slot.read(*(() if whole else ("profile", "kept"))) or {}
        return _run_of(document), _kept(document)


def summary(report: CollectionReport, *, by: str) -> Document:
    """A summary that can be shown without reading the profile."""
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
    """Notes by collection; none if the user may not read them."""
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


def _run_of(document: Document) -> ProfileRun | None:
    run = document.get("run")
    if run is None:
        return None
    return ProfileRun(
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
