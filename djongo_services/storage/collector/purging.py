"""Emptying the trash of what has been there long enough."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo.database import Database

from djongo_services.introspection.progress import Progress, ProgressHook, Stop
from djongo_services.lease import SECONDS, Lease
from djongo_services.storage.collector.collecting import lease_of, refuse_transaction
from djongo_services.storage.collector.errors import Interrupted
from djongo_services.storage.collector.file_rows import names_of
from djongo_services.storage.collector.order import sort_key
from djongo_services.storage.collector.places import Document, Places
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.report import EXAMPLES, TrashSummary
from djongo_services.storage.collector.rescuing import batches
from djongo_services.storage.collector.trash import (
    TrashEntry,
    delete_for_good,
    may_come_back,
    rescue,
    summary,
)

AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class PurgeReport:
    bucket: str
    database: str
    dry_run: bool
    older_than: timedelta
    """How long an entry had to be in the trash."""
    entries: int
    """That were deleted for good; of a dry run, that would be."""
    bytes: int
    examples: tuple[TrashEntry, ...]
    restored: int
    """That came back because something refers to them again."""
    trash: TrashSummary
    """After it."""


def purge(
    database: Database[Any],
    bucket: str = "fs",
    *,
    references: References,
    older_than: timedelta,
    dry_run: bool = False,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
    lease_seconds: float = SECONDS,
) -> PurgeReport:
    """Delete for good what was moved to the trash longer than ``older_than`` ago.

    What something refers to again is put back instead. Raises as :func:`collect` does.
    """
    refuse_transaction(database)
    places = Places.of(database, bucket)
    work = _Purge(places, references, older_than, progress, stop)
    if dry_run:
        return work.run(None)
    with lease_of(places, lease_seconds) as lease:
        return work.run(lease)


class _Purge:
    def __init__(
        self,
        places: Places,
        references: References,
        older_than: timedelta,
        progress: ProgressHook | None,
        stop: Stop | None,
    ) -> None:
        self._places = places
        self._references = references
        self._older_than = older_than
        self._progress = progress
        self._stop = stop
        self._entries = self._bytes = self._restored = 0
        self._examples: list[TrashEntry] = []

    def run(self, lease: Lease | None) -> PurgeReport:
        """Without a lease nothing is changed."""
        query: Document = {"trashedAt": {"$lte": self._places.now() - self._older_than}}
        total = self._places.trash.count_documents(query)
        for batch in batches(self._places, query, AT_ONCE):
            if self._stop is not None and self._stop.is_set():
                raise Interrupted
            if lease is None:
                self._count(batch)
            else:
                lease.check()
                self._delete(batch)
            self._tell(total)
        return PurgeReport(
            bucket=self._places.name,
            database=self._places.database.name,
            dry_run=lease is None,
            older_than=self._older_than,
            entries=self._entries,
            bytes=self._bytes,
            examples=tuple(self._examples),
            restored=self._restored,
            trash=summary(self._places),
        )

    def _delete(self, batch: list[Document]) -> None:
        named = [(each["_id"], names_of(each["file"])) for each in batch if may_come_back(each)]
        back = rescue(self._places, self._references, named)
        self._restored += len(back)
        gone = [each for each in batch if sort_key(each["_id"]) not in back]
        delete_for_good(self._places, [each["_id"] for each in gone])
        self._count(gone)

    def _count(self, batch: list[Document]) -> None:
        entries = [TrashEntry.of(each) for each in batch]
        self._entries += len(entries)
        self._bytes += sum(each.bytes for each in entries)
        self._examples += entries[: EXAMPLES - len(self._examples)]

    def _tell(self, total: int) -> None:
        if self._progress is not None:
            done = self._entries + self._restored
            name = self._places.name
            self._progress(Progress(collection=name, phase="trash", done=done, total=total))
