"""The work of a bucket's job, from its stored arguments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bson import ObjectId

from djongo_services.admin.files.bulk import Chosen, bulk_work
from djongo_services.admin.files.collecting import (
    CollectorOptions,
    collection,
    dry_run,
    purging,
)
from djongo_services.admin.jobs.bucket_jobs import What, Work
from djongo_services.connections import Connection


def work_of(
    what: What,
    arguments: Mapping[str, Any],
    *,
    connection: Connection,
    bucket: str,
    run: ObjectId,
    by: str,
) -> Work:
    """Raises ValueError for invalid ids."""
    if "action" in arguments:
        chosen = Chosen.read(arguments)
        return bulk_work(arguments["action"], connection, bucket, chosen, by)
    if what == "purge":
        return purging(connection, bucket, timedelta(seconds=arguments["older_than"]))
    wanted = CollectorOptions.read(arguments)
    if what == "dry-run":
        return dry_run(connection, bucket, wanted, run, by)
    return collection(connection, bucket, wanted)
