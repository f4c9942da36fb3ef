"""One run over a bucket."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services.exceptions import DjongoServicesError
from djongo_services.lease import SECONDS, Lease
from djongo_services.progress import ProgressHook, Stop
from djongo_services.storage.collector.collections import BucketCollections
from djongo_services.storage.collector.errors import CollectorInterrupted
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.removing import (
    CountingSink,
    FoundHook,
    Remover,
    RemovingSink,
    Sink,
)
from djongo_services.storage.collector.runs import CollectorReport, CollectorRun, Journal, KindTally
from djongo_services.storage.collector.scan import Scope, scope_of
from djongo_services.storage.collector.survey import Survey
from djongo_services.storage.collector.trash import delete_rest, rescue_all, summary
from djongo_services.transaction import TransactionManagementError
from djongo_services.transaction.current import joined

BATCH_SIZE = 5_000
"""Files that are judged together, and names that are looked up together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Options:
    older_than: timedelta
    only: frozenset[Kind]
    verify: bool
    keep: bool
    """Whether to keep it in the trash."""


def collect(
    database: Database[Any],
    bucket: str = "fs",
    *,
    references: References,
    older_than: timedelta,
    only: Collection[Kind] = (),
    verify: bool = False,
    dry_run: bool = False,
    keep_in_trash: bool = True,
    resume: bool = False,
    batch_size: int = BATCH_SIZE,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
    lease_seconds: float = SECONDS,
    found: FoundHook | None = None,
) -> CollectorReport:
    """Find garbage in a bucket and, unless ``dry_run``, move it to the trash.

    Nothing whose most recent activity is younger than ``older_than`` is touched. ``only`` restricts
    the run to these kinds. ``verify`` reads every byte and compares checksums.
    ``keep_in_trash=False`` deletes for good. ``resume`` continues the latest run with its options
    if that did not finish, and begins a new one otherwise. ``found`` is called with everything that
    a dry run finds; the report has only examples.

    Call it outside of transactions, including those of the database that contains the references:
    inside one that reads a snapshot, new references are invisible. Raises
    TransactionManagementError in a transaction of MongoDB; BucketUnusable; ReferencesUnreadable;
    Locked when another run is in progress on the bucket; CollectorInterrupted after ``stop``, and
    PyMongo's errors. Completed work is kept.
    """
    refuse_transaction(database)
    collections = BucketCollections.of(database, bucket)
    collections.check()
    options = _Options(
        older_than=older_than, only=frozenset(only), verify=verify, keep=keep_in_trash
    )
    work = _Work(collections, references, batch_size=batch_size, progress=progress, stop=stop)
    if dry_run:
        return work.count(options, found)
    with lease_of(collections, lease_seconds) as lease:
        before = Journal(collections).unfinished() if resume else None
        return work.remove(options, lease, before)


def lease_of(collections: BucketCollections, seconds: float = SECONDS) -> Lease:
    """The lease that allows only one run at a time to change a bucket."""
    return Lease(
        collections.database,
        f"gridfs_gc {collections.name}",
        doing=f"collecting garbage in the bucket {collections.name!r}",
        seconds=seconds,
    )


def refuse_transaction(database: Database[Any]) -> None:
    """Raises TransactionManagementError within a transaction of this client."""
    if joined(database.client) is not None:
        raise TransactionManagementError(
            "Garbage cannot be collected inside of a transaction, which does not see what others "
            "begin to refer to; do it outside."
        )


class _Work:
    """The steps that a counting run and a removing run have in common."""

    def __init__(
        self,
        collections: BucketCollections,
        references: References,
        *,
        batch_size: int,
        progress: ProgressHook | None,
        stop: Stop | None,
    ) -> None:
        self._collections = collections
        self._references = references
        self._batch_size = batch_size
        self._progress = progress
        self._stop = stop
        self._clock = time.monotonic()

    def count(self, options: _Options, found: FoundHook | None = None) -> CollectorReport:
        scope = self._scope(options)
        started = self._collections.now()
        tally, survey = KindTally(scope.kinds), self._survey(scope, options, started)
        survey.run(CountingSink(tally, found), after=None)
        return self._report(options, scope, survey, tally, started=started, run=None)

    def remove(
        self, options: _Options, lease: Lease, before: CollectorRun | None
    ) -> CollectorReport:
        """``before`` is the run to continue, which has options of its own."""
        if before is not None:
            options = _Options(
                older_than=before.older_than,
                only=before.asked,
                verify=before.verified,
                keep=not before.deleted,
            )
        scope = self._scope(options)
        self._collections.prepare_trash()
        journal = Journal(self._collections)
        started = self._collections.now() if before is None else before.started
        run = _begun(journal, before, options, scope, started)
        tally = KindTally(
            scope.kinds, before.counts if before else {}, before.bytes if before else {}
        )
        survey = self._survey(scope, options, started, before)
        remover = Remover(
            self._collections,
            self._references,
            run=run,
            cutoff=started - options.older_than,
            keep=options.keep,
            check=lease.check,
        )
        try:
            sink: Sink = RemovingSink(tally, remover, journal, run)
            survey.run(sink, after=before.position if before else None)
            lease.check()
            if not options.keep:
                delete_rest(self._collections, run)
            restored = rescue_all(self._collections, self._references, stop=self._stop)
        except BaseException as error:
            failed = isinstance(error, DjongoServicesError | PyMongoError)
            interrupted = isinstance(error, CollectorInterrupted) or not failed
            with contextlib.suppress(PyMongoError):  # The first error is the one that matters.
                journal.end(run, "interrupted" if interrupted else "failed", str(error) or None)
            raise
        journal.end(run, "done")
        return self._report(
            options, scope, survey, tally, started=started, run=run, restored=restored
        )

    def _scope(self, options: _Options) -> Scope:
        return scope_of(
            self._collections, self._references, only=options.only, verify=options.verify
        )

    def _survey(
        self, scope: Scope, options: _Options, started: datetime, before: CollectorRun | None = None
    ) -> Survey:
        return Survey(
            self._collections,
            self._references,
            scope,
            cutoff=started - options.older_than,
            undated_stay=not options.keep,
            batch_size=self._batch_size,
            progress=self._progress,
            stop=self._stop,
            files=before.files if before else 0,
            chunks=before.chunks if before else 0,
        )

    def _report(
        self,
        options: _Options,
        scope: Scope,
        survey: Survey,
        tally: KindTally,
        *,
        started: datetime,
        run: ObjectId | None,
        restored: int = 0,
    ) -> CollectorReport:
        return CollectorReport(
            bucket=self._collections.name,
            database=self._collections.database.name,
            dry_run=run is None,
            run=run,
            started=started,
            seconds=time.monotonic() - self._clock,
            older_than=options.older_than,
            kinds=scope.kinds,
            verified=scope.read,
            sizes_read=scope.sized,
            files=survey.files,
            chunks=survey.chunks,
            found=tally.found(),
            kept=survey.kept.found()[Kind.BROKEN],
            young=survey.young,
            restored=restored,
            deleted=not options.keep,
            trash=summary(self._collections),
            notes=(*scope.notes, *survey.notes()),
        )


def _begun(
    journal: Journal,
    before: CollectorRun | None,
    options: _Options,
    scope: Scope,
    started: datetime,
) -> ObjectId:
    if before is not None:
        journal.take_up(before.id)
        return before.id
    return journal.begin(
        started,
        older_than=options.older_than,
        kinds=scope.kinds,
        asked=options.only,
        verified=options.verify,
        deleted=not options.keep,
    )
