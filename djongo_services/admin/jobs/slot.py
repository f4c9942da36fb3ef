"""Work that continues after its page has responded: only one at a time for each slot, in one
process, but visible and stoppable from every process.

A slot is a document with ``{"run": {"id", "by", "status", "started", "beat", "finished", "phase",
"done", "total", "stop", "waits", ...}}``. All dates in it are from the server's clock.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from bson import ObjectId
from pymongo import ReturnDocument, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from djongo_services.progress import Progress, Stop

COLLECTION = "djongo_services_files"
"""The pages' data about buckets: running jobs, totals and findings."""
BEAT_SECONDS = 0.5
LOST_SECONDS = 15.0
"""Seconds without a beat after which the process counts as dead."""

WAITING_SECONDS = 3_600.0
"""Seconds of waiting in the project's queue after which a job counts as lost."""
WAITING = "queue"
"""The phase of a run that waits there."""

Document = dict[str, Any]
Status = Literal["running", "done", "stopped", "failed", "lost"]

_IS_LOST: Document = {
    "$gt": [
        {"$subtract": ["$$NOW", "$run.beat"]},
        {"$cond": ["$run.waits", round(WAITING_SECONDS * 1000), round(LOST_SECONDS * 1000)]},
    ],
}


class Slot:
    """One slot. All methods raise PyMongo's errors."""

    def __init__(self, collection: Collection[Document], key: Any) -> None:
        self._slots = collection.with_options(write_concern=WriteConcern("majority"))
        self._key = key
        # A key may be a document, whose names are not operators.
        self._query: Document = {"_id": {"$eq": key}}

    def begin(
        self, about: Mapping[str, Any], *, by: str, remember: int = 0, waits: bool = False
    ) -> ObjectId | None:
        """Begin a run and return its id; None while another one is running.

        A run that ``waits`` begins when a worker takes it (:meth:`take`). ``about`` are its other
        fields, of which ``arguments`` are kept only while it runs. Earlier runs are in ``past``,
        latest first, as many as ``remember`` says.
        """
        with contextlib.suppress(DuplicateKeyError):
            # $expr is refused in the filter of an upsert, so the document is created first.
            self._slots.insert_one({"_id": self._key})
        run = ObjectId()
        begun = {
            **{name: {"$literal": value} for name, value in about.items()},
            "id": run,
            "by": {"$literal": by},
            "status": "running",
            "started": "$$NOW",
            "beat": "$$NOW",
            "phase": WAITING if waits else "",
            "waits": waits,
            "done": {"$literal": 0},
            "total": None,
            "stop": {"$literal": False},
        }
        stages: list[Document] = []
        if remember:
            before = {"$cond": [{"$eq": [{"$type": "$run"}, "object"]}, ["$run"], []]}
            past = {"$concatArrays": [before, {"$ifNull": ["$past", []]}]}
            stages.append({"$set": {"past": {"$slice": [past, remember]}}})
        # The previous run is removed first, because $set merges documents.
        stages += [{"$unset": "run"}, {"$set": {"run": begun}}]
        free = {"$or": [{"$ne": ["$run.status", "running"]}, _IS_LOST]}
        taken = self._slots.update_one({**self._query, "$expr": free}, stages)
        return run if taken.matched_count else None

    def take(self, run: ObjectId) -> Document | None:
        """Begin a run that has waited, and return it; None if it should no longer be done.

        If several workers take it, only the first one gets it: a queue may deliver twice.
        """
        now = [{"$set": {"run.waits": False, "run.beat": "$$NOW", "run.phase": ""}}]
        waiting = {"run.id": run, "run.status": "running", "run.waits": True}
        found = self._slots.find_one_and_update({**self._query, **waiting}, now)
        return None if found is None else found["run"]

    def beat(self, run: ObjectId, progress: Progress | None) -> bool:
        """Record that it is alive, and its progress; returns False if it should stop."""
        values: Document = {"run.beat": "$$NOW"}
        if progress is not None:
            values |= {
                "run.phase": {"$literal": progress.phase},
                "run.done": {"$literal": progress.done},
                "run.total": {"$literal": progress.total},
            }
        found = self._slots.find_one_and_update(
            {**self._query, "run.id": run},
            [{"$set": values}],
            projection={"run.stop": 1},
            return_document=ReturnDocument.AFTER,
        )
        return found is not None and not found["run"].get("stop")

    @contextlib.contextmanager
    def beating(
        self, run: ObjectId, stop: Stop, progress: Callable[[], Progress | None]
    ) -> Iterator[None]:
        """Beat in a thread within the block; ``stop`` is set on request."""
        finished = threading.Event()

        def beat() -> None:
            while not finished.wait(BEAT_SECONDS):
                try:
                    goes_on = self.beat(run, progress())
                except PyMongoError:
                    continue
                if not goes_on:
                    stop.set()

        heart = threading.Thread(target=beat, daemon=True)
        heart.start()
        try:
            yield
        finally:
            finished.set()
            heart.join()

    def ask_to_stop(self) -> bool:
        """Ask the run to stop, and return whether there was one; it ends soon, in whatever process
        it is.

        A waiting run ends immediately, because a worker may never take it.
        """
        ended = {"run.status": "stopped", "run.finished": "$$NOW", "run.waits": False}
        now = {name: {"$cond": ["$run.waits", value, f"${name}"]} for name, value in ended.items()}
        asked = self._slots.update_one(
            {**self._query, "run.status": "running"}, [{"$set": {"run.stop": True, **now}}]
        )
        return asked.matched_count == 1

    def end(
        self, run: ObjectId, status: Status, about: Mapping[str, Any], *stages: Document
    ) -> None:
        """Record the end; ``about`` are further fields of the result. ``stages`` also change the
        document."""
        values: Document = {
            **{f"run.{name}": {"$literal": value} for name, value in about.items()},
            "run.status": status,
            "run.finished": "$$NOW",
        }
        over = {"$unset": "run.arguments"}
        self._slots.update_one({**self._query, "run.id": run}, [{"$set": values}, over, *stages])

    def read(self, *without: str) -> Document | None:
        """The document without these fields; the status of a run whose process died is ``lost``."""
        stages: list[Document] = [{"$match": self._query}, {"$set": {"lost": _IS_LOST}}]
        if without:
            stages.append({"$unset": [*without]})
        for document in self._slots.aggregate(stages):
            is_lost = document.pop("lost")
            run = document.get("run")
            if run is not None and run["status"] == "running" and is_lost:
                run["status"] = "lost"
            return document
        return None
