"""Collecting garbage in a bucket: unused files go to a trash, and from there they are deleted.

>>> from djongo_services.connections import connections
>>> from djongo_services.storage.collector import collect, references_for
>>> connection = connections["default"]
>>> references = references_for(connection, "fs")
>>> collect(connection.database, "fs", references=references, older_than=timedelta(hours=48))
"""

from __future__ import annotations

from djongo_services.storage.collector.collecting import BATCH_SIZE, collect
from djongo_services.storage.collector.errors import (
    BucketUnusable,
    CollectorInterrupted,
    NotInTrash,
    NotRestored,
    ReferencesUnreadable,
    UnknownReferenceModel,
)
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.purging import PurgeReport, purge
from djongo_services.storage.collector.references import References, find_references
from djongo_services.storage.collector.references.finding import buckets_for, references_for
from djongo_services.storage.collector.restoring import find_in_trash, restore
from djongo_services.storage.collector.runs import (
    CollectorReport,
    CollectorRun,
    Example,
    KindTotal,
    TrashSummary,
    list_runs,
)
from djongo_services.storage.collector.trash import TrashEntry, count_trash, list_trash

__all__ = [
    "BATCH_SIZE",
    "BucketUnusable",
    "CollectorInterrupted",
    "CollectorReport",
    "CollectorRun",
    "Example",
    "Kind",
    "KindTotal",
    "NotInTrash",
    "NotRestored",
    "PurgeReport",
    "References",
    "ReferencesUnreadable",
    "TrashEntry",
    "TrashSummary",
    "UnknownReferenceModel",
    "buckets_for",
    "collect",
    "count_trash",
    "find_in_trash",
    "find_references",
    "list_runs",
    "list_trash",
    "purge",
    "references_for",
    "restore",
]
