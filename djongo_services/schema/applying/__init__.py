"""Applying a plan: under a lease, step by step, with a history, and repeatable."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pymongo
from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services import lease
from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection import read_catalog
from djongo_services.lease import SECONDS, LeaseLost, Locked
from djongo_services.schema.applying.history import History, RunStep, SchemaRun, StepStatus
from djongo_services.schema.applying.running import (
    ApplyingInterrupted,
    OperationRefused,
    RunStopped,
    run_operation,
)
from djongo_services.schema.operations import BuildIndexes, Operation
from djongo_services.schema.plan import Plan, fingerprint
from djongo_services.schema.sizes import CollectionSize, collection_sizes

__all__ = [
    "ApplyProgress",
    "ApplyingInterrupted",
    "History",
    "LeaseLost",
    "Locked",
    "OperationRefused",
    "PlanOutdated",
    "RunStep",
    "RunStopped",
    "SchemaLease",
    "SchemaRun",
    "apply",
]

Document = dict[str, Any]

LOOK_SECONDS = 0.5
"""The interval at which a run checks whether a user has asked for it to stop."""
_LOOK_TIMEOUT = 5.0
"""The time limit for one check; a run that has ended waits for the last one."""

logger = logging.getLogger("djongo_services.schema")


class PlanOutdated(DjongoServicesError):
    """The database has changed since the plan was made; make a new one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyProgress:
    run: ObjectId
    number: int
    """The number of the operation, counted from 0."""
    total: int
    operation: Operation
    done: int = 0
    """The progress of an index build: documents or keys processed, out of :attr:`of`."""
    of: int = 0


ApplyHook: TypeAlias = Callable[[ApplyProgress], None]


def apply(
    database: Database[Document],
    plan: Plan,
    *,
    progress: ApplyHook | None = None,
    stop: threading.Event | None = None,
    lease_seconds: float = SECONDS,
    rolls_back: Sequence[ObjectId] = (),
    lease: SchemaLease | None = None,
) -> ObjectId:
    """Carry out the plan's operations in order, and return the id of the run.

    ``rolls_back`` are the runs that the plan undoes. ``lease`` is a lease that the caller already
    holds, and keeps.

    Raises Locked when another run is in progress, PlanOutdated when the database has changed since
    the plan was made, OperationRefused when the server refuses a step, ApplyingInterrupted after
    ``stop``, its subclass RunStopped after a request by :meth:`History.ask_to_stop`, and LeaseLost
    when another run took over. Completed steps are kept; a new plan continues from there.
    """
    held = (
        SchemaLease(database, seconds=lease_seconds)
        if lease is None
        else contextlib.nullcontext(lease)
    )
    with held as lease:
        _check_fingerprint(database, plan)
        execution = _Execution(database, lease, progress, stop)
        return execution.run(plan.operations, made_for=plan.fingerprint, rolls_back=rolls_back)


def _check_fingerprint(database: Database[Document], plan: Plan) -> None:
    catalog = read_catalog(database, statistics=False, usage=False, multikey=False)
    if fingerprint(catalog, plan.collections) != plan.fingerprint:
        raise PlanOutdated


class _Execution:
    """One run: its operations in order, each recorded before and after."""

    def __init__(
        self,
        database: Database[Document],
        lease: SchemaLease,
        progress: ApplyHook | None,
        stop: threading.Event | None,
    ) -> None:
        self.database = database
        self.history = History(database)
        self.lease = lease
        self.progress = progress
        self.stop = stop or threading.Event()
        self.stopped_by: str | None = None
        """Who asked in the history for a stop; the owner of ``stop`` is not recorded."""

    def run(
        self,
        operations: Sequence[Operation],
        *,
        made_for: str,
        rolls_back: Sequence[ObjectId],
    ) -> ObjectId:
        run = self.history.begin(operations, fingerprint=made_for, rolls_back=rolls_back)
        try:
            with self._heeding(run):
                for number, operation in enumerate(operations):
                    self._step(run, number, operation, len(operations))
            # No other run may have worked beside it: then the last step, too, was its own.
            self.lease.check()
        except BaseException as error:
            ended = self._ended(error)
            failed = isinstance(ended, (DjongoServicesError, PyMongoError))
            interrupted = isinstance(ended, ApplyingInterrupted) or not failed
            with contextlib.suppress(PyMongoError):  # The first error is the one that matters.
                self.history.end(run, "interrupted" if interrupted else "failed", str(ended))
            if ended is not error:
                raise ended from error
            raise
        self.history.end(run, "done")
        return run

    def _ended(self, error: BaseException) -> BaseException:
        if isinstance(error, ApplyingInterrupted) and self.stopped_by is not None:
            return RunStopped(self.stopped_by)
        return error

    @contextlib.contextmanager
    def _heeding(self, run: ObjectId) -> Iterator[None]:
        """Set ``stop`` when the history contains a request to stop, from any process."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(LOOK_SECONDS):
                with contextlib.suppress(PyMongoError), pymongo.timeout(_LOOK_TIMEOUT):
                    by = self.history.stop_asked_by(run)
                    if by is not None:
                        self.stopped_by = by
                        self.stop.set()
                        return

        looking = threading.Thread(target=look, name="djongo_services-stop", daemon=True)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()

    def _step(self, run: ObjectId, number: int, operation: Operation, total: int) -> None:
        def tell(done: int = 0, of: int = 0) -> None:
            if self.progress is not None:
                self.progress(
                    ApplyProgress(
                        run=run, number=number, total=total, operation=operation, done=done, of=of
                    )
                )

        if self.stop.is_set():
            raise ApplyingInterrupted
        self.history.start_step(run, number)
        tell()
        size = _size_of(self.database, operation)
        try:
            run_operation(
                self.database, operation, stop=self.stop, check=self.lease.check, progress=tell
            )
        except (DjongoServicesError, PyMongoError) as error:
            ended = self._ended(error)
            status: StepStatus = "failed"
            if isinstance(ended, ApplyingInterrupted):
                status = "interrupted"
            with contextlib.suppress(PyMongoError):
                self.history.end_step(run, number, status, error=str(ended))
            raise
        self.history.end_step(run, number, built=size)
        logger.info("%s: %s", operation.collection, operation.words())


def _size_of(
    database: Database[Document], operation: Operation
) -> tuple[CollectionSize, int] | None:
    """The size of a build's collection and the number of its indexes, from which later builds are
    estimated. None for other operations, and if the size cannot be read."""
    if not isinstance(operation, BuildIndexes):
        return None
    with contextlib.suppress(PyMongoError):
        size = collection_sizes(database, [operation.collection]).get(operation.collection)
        return None if size is None else (size, len(operation.indexes))
    return None


class SchemaLease(lease.Lease):
    """The lease of the database's schema."""

    def __init__(self, database: Database[dict[str, Any]], *, seconds: float = SECONDS) -> None:
        super().__init__(database, "schema", doing="changing the schema", seconds=seconds)
