"""Carrying out a plan: under a lease, step by step, with a history, again and again if need be."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection import read_catalog
from djongo_services.lease import SECONDS, LeaseLost, Locked
from djongo_services.schema.applying.history import History, Run, Step
from djongo_services.schema.applying.lease import Lease
from djongo_services.schema.applying.running import (
    Interrupted,
    OperationRefused,
    run_operation,
)
from djongo_services.schema.operations import Operation
from djongo_services.schema.plan import Plan, fingerprint

__all__ = [
    "ApplyProgress",
    "History",
    "Interrupted",
    "Lease",
    "LeaseLost",
    "Locked",
    "OperationRefused",
    "PlanOutdated",
    "Run",
    "Step",
    "apply",
    "inverses",
    "roll_back",
]

Document = dict[str, Any]

logger = logging.getLogger("djongo_services.schema")


class PlanOutdated(DjongoServicesError):
    """The database has changed since the plan was made; make a new one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyProgress:
    number: int
    """Of the operation, from 0."""
    total: int
    operation: Operation
    done: int = 0
    """Of an index build: documents or keys passed, out of :attr:`of`."""
    of: int = 0


ApplyHook: TypeAlias = Callable[[ApplyProgress], None]


def apply(
    database: Database[Document],
    plan: Plan,
    *,
    progress: ApplyHook | None = None,
    stop: threading.Event | None = None,
    lease_seconds: float = SECONDS,
) -> ObjectId:
    """Carry out the plan's operations in order, and return the id of the run.

    Raises Locked when another run is at work, PlanOutdated when the database is no longer what
    the plan was made for, OperationRefused when the server says no, Interrupted after ``stop``,
    LeaseLost when another run took over. What was done stays done; a new plan goes on from there.
    """
    with Lease(database, seconds=lease_seconds) as lease:
        _check_fingerprint(database, plan)
        execution = _Execution(database, lease, progress, stop)
        return execution.run(plan.operations, made_for=plan.fingerprint)


def inverses(steps: Sequence[Step]) -> tuple[list[Operation], list[Operation]]:
    """What undoes the steps that were done, last first, and those that nothing undoes."""
    undo: list[Operation] = []
    final: list[Operation] = []
    for step in reversed(steps):
        if step.status not in ("done", "running"):
            continue
        inverse = step.operation.inverse()
        if inverse:
            undo += inverse
        else:
            final.append(step.operation)
    return undo, final


def roll_back(
    database: Database[Document],
    run: ObjectId,
    *,
    progress: ApplyHook | None = None,
    stop: threading.Event | None = None,
    lease_seconds: float = SECONDS,
) -> ObjectId:
    """Undo a run, last step first, as a run of its own; raises as :func:`apply` does."""
    with Lease(database, seconds=lease_seconds) as lease:
        undo, _ = inverses(list(History(database).steps(run)))
        return _Execution(database, lease, progress, stop).run(undo, rolls_back=run)


def _check_fingerprint(database: Database[Document], plan: Plan) -> None:
    catalog = read_catalog(database, statistics=False, usage=False, multikey=False)
    if fingerprint(catalog, plan.collections) != plan.fingerprint:
        raise PlanOutdated


class _Execution:
    """One run: its operations in order, each noted before and after."""

    def __init__(
        self,
        database: Database[Document],
        lease: Lease,
        progress: ApplyHook | None,
        stop: threading.Event | None,
    ) -> None:
        self.database = database
        self.history = History(database)
        self.lease = lease
        self.progress = progress
        self.stop = stop or threading.Event()

    def run(
        self,
        operations: Sequence[Operation],
        *,
        made_for: str = "",
        rolls_back: ObjectId | None = None,
    ) -> ObjectId:
        run = self.history.begin(operations, fingerprint=made_for, rolls_back=rolls_back)
        try:
            for number, operation in enumerate(operations):
                self._step(run, number, operation, len(operations))
        except BaseException as error:
            failed = isinstance(error, (DjongoServicesError, PyMongoError))
            interrupted = isinstance(error, Interrupted) or not failed
            with contextlib.suppress(PyMongoError):  # What went wrong first is what counts.
                self.history.end(run, "interrupted" if interrupted else "failed", str(error))
            raise
        self.history.end(run, "done")
        return run

    def _step(self, run: ObjectId, number: int, operation: Operation, total: int) -> None:
        def tell(done: int = 0, of: int = 0) -> None:
            if self.progress is not None:
                self.progress(
                    ApplyProgress(number=number, total=total, operation=operation, done=done, of=of)
                )

        if self.stop.is_set():
            raise Interrupted
        self.history.start_step(run, number)
        tell()
        try:
            run_operation(
                self.database, operation, stop=self.stop, check=self.lease.check, progress=tell
            )
        except (DjongoServicesError, PyMongoError) as error:
            with contextlib.suppress(PyMongoError):
                self.history.end_step(run, number, str(error))
            raise
        self.history.end_step(run, number)
        logger.info("%s: %s", operation.collection, operation.words())
