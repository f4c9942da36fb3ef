"""Work that goes on when its page has been answered: in one process, one at a time for each slot,
seen and stopped from every process.

A slot is a document with ``{"run": {"id", "by", "status", "started", "beat", "finished", "phase",
"done", "total", "stop", "waits", ...}}``. Every date in it is the server's.
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
"""What the pages know about buckets: jobs under way, totals and findings."""
BEAT_SECONDS = 0.5
LOST_SECONDS = 15.0
"""Without a sign of life for so long, the process has died."""

WAITING_SECONDS = 3_600.0
"""After waiting in the project's queue for so long, a job counts as lost."""
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
    """Everything raises PyMongo's errors."""

    def __init__(self, collection: Collection[Document], key: Any) -> None:
        self._slots = collection.with_options(write_concern=WriteConcern("majority"))
        self._key = key
        # A key may be a document, whose names are no operators.
        self._query: Document = {"_id": {"$eq": key}}

    def begin(
        self, about: Mapping[str, Any], *, by: str, remember: int = 0, waits: bool = False
    ) -> ObjectId | None:
        """The id of a new run; None while another is at work.

        One that ``waits`` begins when a worker takes it (:meth:`take`). ``about`` is what else is
        kept of it, ``arguments`` among it no longer than it runs. The runs of before are in
        ``past``, the latest first, as many as ``remember`` says.
        """
        with contextlib.suppress(DuplicateKeyError):
            # $expr is refused in the filter of an upsert, so the document is made first.
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
        # The run of before is taken away first: $set merges documents.
        stages += [{"$unset": "run"}, {"$set": {"run": begun}}]
        free = {"$or": [{"$ne": ["$run.status", "running"]}, _IS_LOST]}
        taken = self._slots.update_one({**self._query, "$expr": free}, stages)
        return run if taken.matched_count else None

    def take(self, run: ObjectId) -> Document | None:
        """The run, which has waited and begins now; None when it is no longer to be done.

        Only the first of several that take it gets it: a queue may deliver twice.
        """
        now = [{"$set": {"run.waits": False, "run.beat": "$$NOW", "run.phase": ""}}]
        waiting = {"run.id": run, "run.status": "running", "run.waits": True}
        found = self._slots.find_one_and_update({**self._query, **waiting}, now)
        return None if found is None else found["run"]

    def beat(self, run: ObjectId, progress: Progress | None) -> bool:
        """Say that it is alive and where it is; False when it is to stop."""
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
        """Beat in a thread meanwhile; ``stop`` is set when somebody asks for it."""
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
        """Whether there was a run to be told; it ends soon, in whatever process it is.

        A run that waits ends at once, because a worker may never take it.
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
        """``about``: what else is kept of how it ended. ``stages`` change the document besides."""
        values: Document = {
            **{f"run.{name}": {"$literal": value} for name, value in about.items()},
            "run.status": status,
            "run.finished": "$$NOW",
        }
        over = {"$unset": "run.arguments"}
        self._slots.update_one({**self._query, "run.id": run}, [{"$set": values}, over, *stages])

    def read(self, *without: str) -> Document | None:
        """The document, but for these fields; the status of a run that died is ``lost``."""
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
