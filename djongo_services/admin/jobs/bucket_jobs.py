"""Work on many files: one job for each bucket at a time, in any process.

``{"_id": {"job": "media"}, "run": {"what", "words", "said", ...}, "past": [...]}``, a
:class:`~djongo_services.admin.jobs.slot.Slot` of the collection that also contains totals. The work
itself is done in a thread of this process, which continues after the page has responded, or by a
worker of the project's queue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, Self

from bson import ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils import translation
from django.utils.translation import gettext as _
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services.admin.deadline import error_text
from djongo_services.admin.jobs.background import Background, Room, a_moment
from djongo_services.admin.jobs.slot import COLLECTION, Slot, Status
from djongo_services.connections import Connection
from djongo_services.exceptions import DjongoServicesError
from djongo_services.progress import Progress, ProgressHook, Stop
from djongo_services.storage.collector import CollectorInterrupted
from djongo_services.translation import english

KEPT = 20
"""The number of a bucket's jobs in the history."""

Document = dict[str, Any]
Mongo = Database[Document]
What = Literal["dry-run", "collect", "purge", "delete", "restore"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    id: ObjectId
    what: What
    words: str
    """A description for users."""
    by: str
    status: Status
    """``lost``: its process died."""
    started: datetime
    finished: datetime | None
    phase: str
    done: int
    total: int | None
    is_stopping: bool
    said: str
    """The result as a sentence."""

    @classmethod
    def of(cls, run: Mapping[str, Any], *, is_past: bool = False) -> Self:
        # A job that is alive is not replaced.
        is_lost = is_past and run["status"] == "running"
        return cls(
            id=run["id"],
            what=run["what"],
            words=run["words"],
            by=run["by"],
            status="lost" if is_lost else run["status"],
            started=_aware(run["started"]),
            finished=_aware(run["finished"]) if run.get("finished") else None,
            phase=run["phase"],
            done=run["done"],
            total=run["total"],
            is_stopping=bool(run["stop"]),
            said=run.get("said") or "",
        )


class BucketJobs:
    """The jobs of one bucket. Everything raises PyMongo's errors."""

    def __init__(self, database: Mongo, bucket: str) -> None:
        self.slot = Slot(database[COLLECTION], {"job": bucket})

    def begin(
        self,
        what: What,
        *,
        words: str,
        by: str,
        arguments: Mapping[str, Any] | None = None,
        waits: bool = False,
    ) -> ObjectId | None:
        """The id of a new job; None while another one is running.

        ``arguments`` are for the worker of a job that ``waits``.
        """
        about = {"what": what, "words": words, "said": "", "arguments": dict(arguments or {})}
        return self.slot.begin(about, by=by, remember=KEPT, waits=waits)

    def end(self, run: ObjectId, status: Status, said: str) -> None:
        self.slot.end(run, status, {"said": said})

    def read(self) -> list[Job]:
        """The jobs, latest first."""
        found = self.slot.read("run.arguments", "past.arguments") or {}
        latest = [Job.of(found["run"])] if found.get("run") else []
        return [*latest, *(Job.of(each, is_past=True) for each in found.get("past") or [])]


def _aware(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=UTC)


# Running a job in a thread of this process, which continues after the page has responded.
MOST_AT_ONCE = 4
"""The maximum number in this process."""

Work = Callable[[Mongo, Stop, ProgressHook], str]
"""Returns a sentence about its result. Raises CollectorInterrupted when it was stopped."""

logger = logging.getLogger("djongo_services.admin")
room = Room(MOST_AT_ONCE)


class JobStopped(CollectorInterrupted):
    """The job was stopped; the message is a sentence about its progress."""


@dataclass(kw_only=True, eq=False)
class RunningJob(Background):
    """A job in progress in this process."""

    connection: Connection
    bucket: str
    run: ObjectId
    work: Work
    progress: Progress | None = None
    status: Status = "running"
    said: str = ""
    """Its result."""
    language: str | None = field(default_factory=translation.get_language)

    def tell(self, progress: Progress) -> None:
        self.progress = progress


def do(job: RunningJob) -> bool:
    """Begin, wait a moment, and return whether it has ended. The place must have been reserved."""
    return job.begin(partial(_run, job), name="job", seconds=a_moment())


def _run(job: RunningJob) -> None:
    try:
        carry_out(job)
    finally:
        room.release()


def carry_out(job: RunningJob) -> None:
    """Run the job and record its end: in such a thread, or in a worker of a queue."""
    try:
        with translation.override(job.language):
            jobs = BucketJobs(job.connection.database, job.bucket)
            job.status, job.said = _done(job, jobs.slot)
            jobs.end(job.run, job.status, job.said)
    except PyMongoError:
        # Its end cannot be recorded. Without further beats it counts as lost.
        logger.warning("The end of a job could not be noted.", exc_info=True)


def _done(job: RunningJob, slot: Slot) -> tuple[Status, str]:
    try:
        with slot.beating(job.run, job.stop, lambda: job.progress):
            return "done", job.work(job.connection.database, job.stop, job.tell)
    except JobStopped as error:
        return "stopped", str(error)
    except CollectorInterrupted:
        return "stopped", _("It was stopped; completed steps are kept.")
    except (PyMongoError, DatabaseError, ImproperlyConfigured, DjongoServicesError) as error:
        with english():
            logger.warning("A job of %r failed: %s", job.bucket, error_text(error, job.connection))
        return "failed", error_text(error, job.connection)
    except Exception as error:
        # The page shows only the kind of error; the details are in the log.
        logger.exception("A job of %r failed.", job.bucket)
        return "failed", type(error).__name__
