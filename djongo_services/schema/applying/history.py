"""The history of a schema's changes, by whom and when: one document for each run and step.

Steps are separate documents, so that a run of any length stays below the size limit of a document.
Operations are kept as BSON within a binary value: they contain keys with dots and dollars, which a
document of an older server cannot have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bson import ObjectId
from bson.binary import Binary
from pymongo import ASCENDING, DESCENDING, IndexModel, ReadPreference, WriteConcern
from pymongo.database import Database

from djongo_services.lease import holder_text
from djongo_services.schema.operations import Operation
from djongo_services.schema.serialization import operation_bytes, operation_from
from djongo_services.schema.sizes import CollectionSize
from djongo_services.schema.summary import RunSummary, summarize

RUNS = "djongo_services_runs"
STEPS = "djongo_services_run_steps"

Status = Literal["running", "done", "failed", "interrupted"]
StepStatus = Literal["pending", "running", "done", "failed", "interrupted"]
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredBuild:
    """An index build that was completed."""

    size: CollectionSize
    """The size of the collection when the build began."""
    indexes: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStep:
    number: int
    operation: Operation
    status: StepStatus
    error: str | None = None
    started: datetime | None = None
    finished: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took; None if it has not ended."""
        return _seconds(self.started, self.finished)

    @property
    def was_begun(self) -> bool:
        """Whether it may have changed something: also if it failed or lost its connection."""
        return self.status != "pending"


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaRun:
    id: ObjectId
    started: datetime
    finished: datetime | None
    status: Status
    """``running`` is also the status of a run whose process died."""
    by: str
    """``user@host, process 123``."""
    steps: int
    done: int
    rolls_back: tuple[ObjectId, ...] = ()
    """The runs that it undoes, newest first."""
    error: str | None = None
    summary: RunSummary
    stopped_by: str | None = None
    """Who asked for it to stop, for display; None if no one has."""

    @property
    def seconds(self) -> float | None:
        """How long it took; None if it has not ended."""
        return _seconds(self.started, self.finished)


class History:
    """The runs of one database, written with majority write concern."""

    def __init__(self, database: Database[Document]) -> None:
        majority = WriteConcern("majority")
        self._runs = database.get_collection(RUNS, write_concern=majority)
        self._steps = database.get_collection(STEPS, write_concern=majority)

    def begin(
        self,
        operations: Sequence[Operation],
        *,
        fingerprint: str,
        rolls_back: Sequence[ObjectId] = (),
    ) -> ObjectId:
        self._steps.create_indexes(
            [
                IndexModel([("run", ASCENDING), ("number", ASCENDING)]),
                IndexModel(
                    [("finished", DESCENDING)],
                    partialFilterExpression={"built": {"$exists": True}},
                ),
            ]
        )
        run = ObjectId()
        if operations:
            self._steps.insert_many(
                {
                    "run": run,
                    "number": n,
                    "status": "pending",
                    "collection": operation.collection,
                    "words": operation.words(),
                    "operation": Binary(operation_bytes(operation)),
                }
                for n, operation in enumerate(operations)
            )
        # The steps first: a run that is visible has all of them.
        self._runs.update_one(
            {"_id": run},
            [
                {
                    "$set": {
                        "started": "$$NOW",
                        "status": "running",
                        "by": {"$literal": holder_text()},
                        "fingerprint": fingerprint,
                        "steps": len(operations),
                        "done": 0,
                        "rolls_back": list(rolls_back),
                        "summary": {"$literal": summarize(operations).document()},
                    }
                }
            ],
            upsert=True,
        )
        return run

    def start_step(self, run: ObjectId, number: int) -> None:
        self._set_step(run, number, {"status": "running", "started": "$$NOW"})

    def end_step(
        self,
        run: ObjectId,
        number: int,
        status: StepStatus = "done",
        *,
        error: str | None = None,
        built: tuple[CollectionSize, int] | None = None,
    ) -> None:
        """``built``: the size of the collection whose indexes were built, and the number of
        indexes."""
        values: Document = {"status": status, "finished": "$$NOW", "error": {"$literal": error}}
        if built is not None:
            size, indexes = built
            values["built"] = {"documents": size.documents, "bytes": size.bytes, "indexes": indexes}
        self._set_step(run, number, values)
        if status == "done":
            self._runs.update_one({"_id": run}, {"$inc": {"done": 1}})

    def end(self, run: ObjectId, status: Status, error: str | None = None) -> None:
        changed = {"finished": "$$NOW", "status": status, "error": {"$literal": error}}
        self._runs.update_one({"_id": run}, [{"$set": changed}])

    def ask_to_stop(self, run: ObjectId, *, by: str) -> bool:
        """Ask a run to stop, and return whether there was one; it ends soon, in whatever process it
        is.

        The current step ends or is undone, as after Ctrl-C. ``by`` is who asks, for display.
        """
        asked = {"by": by}
        found = self._runs.update_one({"_id": run, "status": "running"}, {"$set": {"stop": asked}})
        return found.matched_count == 1

    def stop_asked_by(self, run: ObjectId) -> str | None:
        """Who asked for the run to stop; None if no one has."""
        primary = self._runs.with_options(read_preference=ReadPreference.PRIMARY)
        return _stopped_by(primary.find_one({"_id": run}, {"stop": 1}) or {})

    def builds(self, limit: int) -> list[MeasuredBuild]:
        """The latest completed index builds, with their durations."""
        built: Document = {"built": {"$exists": True}}
        wanted = {"built": 1, "started": 1, "finished": 1}
        found = self._steps.find(built, wanted).sort("finished", DESCENDING).limit(limit)
        return [one for one in map(_build, found) if one is not None]

    def runs(self, limit: int = 20) -> list[SchemaRun]:
        """The runs, newest first."""
        found = self._runs.find().sort("_id", DESCENDING).limit(limit)
        return [_run(document) for document in found]

    def later(self, run: SchemaRun) -> Iterator[SchemaRun]:
        """The runs that began after it, oldest first."""
        # By the server's clock, because clients create ids; no two runs overlap.
        after = {"started": {"$gte": run.started}, "_id": {"$ne": run.id}}
        for document in self._runs.find(after).sort([("started", ASCENDING), ("_id", ASCENDING)]):
            yield _run(document)

    def run(self, run: ObjectId) -> SchemaRun | None:
        document = self._runs.find_one({"_id": run})
        return _run(document) if document else None

    def steps(self, run: ObjectId) -> Iterator[RunStep]:
        for _, step in self.steps_of([run]):
            yield step

    def some_steps(self, run: ObjectId, first: int, limit: int) -> list[RunStep]:
        """The steps from the number ``first`` on. Raises Unreadable for a run of another
        version."""
        found = self._steps.find({"run": run, "number": {"$gte": first, "$lt": first + limit}})
        return [_step(document) for document in found.sort("number", ASCENDING)]

    def begun_steps(self, run: ObjectId) -> Iterator[RunStep]:
        """The steps that may have changed something, in order."""
        found = self._steps.find({"run": run, "status": {"$ne": "pending"}})
        for document in found.sort("number", ASCENDING):
            yield _step(document)

    def current(self, run: ObjectId) -> RunStep | None:
        """The current step; None between two steps."""
        found = self._steps.find_one({"run": run, "status": "running"})
        return None if found is None else _step(found)

    def steps_of(self, runs: Sequence[ObjectId]) -> Iterator[tuple[ObjectId, RunStep]]:
        """The steps of several runs, each run in order. Raises Unreadable for a run of another
        version."""
        found = self._steps.find({"run": {"$in": list(runs)}})
        for document in found.sort([("run", ASCENDING), ("number", ASCENDING)]):
            yield document["run"], _step(document)

    def _set_step(self, run: ObjectId, number: int, values: Document) -> None:
        self._steps.update_one({"run": run, "number": number}, [{"$set": values}])


def _run(document: Document) -> SchemaRun:
    steps = document["steps"]
    return SchemaRun(
        id=document["_id"],
        started=document["started"],
        finished=document.get("finished"),
        status=document["status"],
        by=document["by"],
        steps=steps,
        done=document["done"],
        rolls_back=tuple(document["rolls_back"]),
        error=document.get("error"),
        summary=RunSummary.from_document(document.get("summary"), steps=steps),
        stopped_by=_stopped_by(document),
    )


def _step(document: Document) -> RunStep:
    return RunStep(
        number=document["number"],
        operation=operation_from(document["operation"]),
        status=document["status"],
        error=document.get("error"),
        started=document.get("started"),
        finished=document.get("finished"),
    )


def _build(document: Document) -> MeasuredBuild | None:
    seconds = _seconds(document.get("started"), document.get("finished"))
    match document["built"]:
        case {"documents": int(documents), "bytes": int(size), "indexes": int(indexes)} if seconds:
            measured = CollectionSize(documents=documents, bytes=size)
            return MeasuredBuild(size=measured, indexes=indexes, seconds=seconds)
    return None


def _stopped_by(document: Document) -> str | None:
    stop = document.get("stop")
    return str(stop.get("by", "")) if isinstance(stop, dict) else None


def _seconds(started: datetime | None, finished: datetime | None) -> float | None:
    if started is None or finished is None:
        return None
    # After an election, the new primary's clock may be behind.
    return max((finished - started).total_seconds(), 0.0)
