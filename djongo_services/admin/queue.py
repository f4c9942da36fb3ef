"""Running jobs of the admin's pages in workers of the project's own queue.

``DJONGO_SERVICES["ADMIN"]["JOBS"]`` names a function of the project that puts an order into its
queue; a worker passes it to :func:`run_job`. With Django's tasks::

    from django.tasks import task
    from djongo_services.admin.queue import run_job


    @task
    def admin_job(order):
        return run_job(order)


    def start(order):  # "ADMIN": {"JOBS": "shop.tasks.start"}
        admin_job.enqueue(order)
"""

from __future__ import annotations

import logging
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from django.utils import translation

from djongo_services.admin.files.works import work_of
from djongo_services.admin.jobs import bucket_jobs
from djongo_services.admin.jobs.handing import QueueOrder
from djongo_services.admin.jobs.slot import Slot, Status
from djongo_services.admin.profiles import keeping
from djongo_services.connections import Connection, connections

logger = logging.getLogger("djongo_services.admin")


def run_job(order: QueueOrder) -> Status | None:
    """Run the job that a page has ordered, and return its status.

    Returns None if it should no longer run: it was stopped, it has waited for too long, or another
    worker has it. Errors are recorded where the page shows them, and not raised. Raises ValueError
    for an invalid order, ConnectionDoesNotExist, and PyMongo's errors when the order cannot be
    looked up.
    """
    try:
        kind, name, run = order["kind"], order["name"], ObjectId(order["run"])
        connection = connections[order["connection"]]
        language = order["language"]
    except (KeyError, TypeError, InvalidId) as error:
        raise ValueError(f"{order!r} is not an order of the admin's pages.") from error
    with translation.override(language):
        match kind:
            case "files":
                return _bucket_job(connection, name, run)
            case "profile":
                return _profile(connection, name, run)
    raise ValueError(f"There are no jobs of the kind {kind!r}.")


def _bucket_job(connection: Connection, bucket: str, run: ObjectId) -> Status | None:
    taken = _taken(bucket_jobs.BucketJobs(connection.database, bucket).slot, run)
    if taken is None:
        return None
    work = work_of(
        taken["what"],
        taken["arguments"],
        connection=connection,
        bucket=bucket,
        run=run,
        by=taken["by"],
    )
    job = bucket_jobs.RunningJob(connection=connection, bucket=bucket, run=run, work=work)
    bucket_jobs.carry_out(job)
    return job.status


def _profile(connection: Connection, collection: str, run: ObjectId) -> Status | None:
    taken = _taken(keeping.Profiles(connection.database, collection).slot, run)
    if taken is None:
        return None
    return keeping.carry_out(
        keeping.Order(
            connection=connection,
            collection=collection,
            depth=taken["depth"],
            by=taken["by"],
            run=run,
        )
    )


def _taken(slot: Slot, run: ObjectId) -> dict[str, Any] | None:
    taken = slot.take(run)
    if taken is None:
        logger.info("The job %s no longer waits; nothing was done.", run)
    return taken
