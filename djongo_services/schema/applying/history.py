"""What was done to a schema, by whom and when: one document a run, one a step.

Steps are documents of their own, so that a run of any length stays below the size of a document.
Operations are kept as JSON text: they hold keys with dots and dollars that older servers refuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bson import ObjectId
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads
from pymongo import ASCENDING, DESCENDING, IndexModel, WriteConcern
from pymongo.database import Database

from djongo_services.lease import holder_text
from djongo_services.schema.operations import Operation
from djongo_services.schema.rendering import operation_document, operation_from

RUNS = "djongo_services_runs"
STEPS = "djongo_services_run_steps"

Status = Literal["running", "done", "failed", "interrupted"]
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    number: int
    operation: Operation
    status: Literal["pending", "running", "done", "failed"]
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    id: ObjectId
    started: datetime
    finished: datetime | None
    status: Status
    """``running`` also when the process died: nobody was left to say more."""
    by: str
    """``user@host, process 123``."""
    steps: int
    done: int
    rolls_back: ObjectId | None = None
    error: str | None = None


class History:
    """The runs of one database, written with majority concern."""

    def __init__(self, database: Database[Document]) -> None:
        majority = WriteConcern("majority")
        self._runs = database.get_collection(RUNS, write_concern=majority)
        self._steps = database.get_collection(STEPS, write_concern=majority)

    def begin(
        self, operations: Sequence[Operation], *, fingerprint: str, rolls_back: ObjectId | None
    ) -> ObjectId:
        self._steps.create_indexes([IndexModel([("run", ASCENDING), ("number", ASCENDING)])])
        run = ObjectId()
        if operations:
            self._steps.insert_many(
                {"run": run, "number": n, "status": "pending", "operation": _text(operation)}
                for n, operation in enumerate(operations)
            )
        # The steps first: a run that is seen has all of them.
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
                        "rolls_back": rolls_back,
                    }
                }
            ],
            upsert=True,
        )
        return run

    def start_step(self, run: ObjectId, number: int) -> None:
        self._set_step(run, number, {"status": "running"})

    def end_step(self, run: ObjectId, number: int, error: str | None = None) -> None:
        status = "done" if error is None else "failed"
        self._set_step(run, number, {"status": status, "error": error})
        if error is None:
            self._runs.update_one({"_id": run}, {"$inc": {"done": 1}})

    def end(self, run: ObjectId, status: Status, error: str | None = None) -> None:
        changed = {"finished": "$$NOW", "status": status, "error": {"$literal": error}}
        self._runs.update_one({"_id": run}, [{"$set": changed}])

    def runs(self, limit: int = 20) -> list[Run]:
        """Newest first."""
        found = self._runs.find().sort("_id", DESCENDING).limit(limit)
        return [_run(document) for document in found]

    def run(self, run: ObjectId) -> Run | None:
        document = self._runs.find_one({"_id": run})
        return _run(document) if document else None

    def steps(self, run: ObjectId) -> Iterator[Step]:
        for document in self._steps.find({"run": run}).sort("number", ASCENDING):
            yield Step(
                number=document["number"],
                operation=operation_from(
                    loads(document["operation"], json_options=CANONICAL_JSON_OPTIONS)
                ),
                status=document["status"],
                error=document.get("error"),
            )

    def _set_step(self, run: ObjectId, number: int, values: Document) -> None:
        self._steps.update_one({"run": run, "number": number}, {"$set": values})


def _run(document: Document) -> Run:
    return Run(
        id=document["_id"],
        started=document["started"],
        finished=document.get("finished"),
        status=document["status"],
        by=document["by"],
        steps=document["steps"],
        done=document["done"],
        rolls_back=document.get("rolls_back"),
        error=document.get("error"),
    )


def _text(operation: Operation) -> str:
    return dumps(operation_document(operation), json_options=CANONICAL_JSON_OPTIONS)
