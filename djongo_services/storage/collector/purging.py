"""Emptying the trash of old entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo.database import Database

from djongo_services.lease import SECONDS, Lease
from djongo_services.progress import Progress, ProgressHook, Stop
from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.storage.collector.collecting import lease_of, refuse_transaction
from djongo_services.storage.collector.collections import BucketCollections, Document
from djongo_services.storage.collector.decoding import names_of
from djongo_services.storage.collector.errors import CollectorInterrupted
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.references.sources import SEARCH_AT_ONCE
from djongo_services.storage.collector.runs import EXAMPLES, TrashSummary
from djongo_services.storage.collector.trash import (
    TrashEntry,
    batches,
    delete_for_good,
    may_come_back,
    mentioned_of,
    missed_of,
    put_back,
    summary,
)

AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class PurgeReport:
    bucket: str
    database: str
    dry_run: bool
    older_than: timedelta
    """The minimum time for which an entry was in the trash."""
    entries: int
    """Entries that were deleted for good; in a dry run, that would be."""
    bytes: int
    examples: tuple[TrashEntry, ...]
    restored: int
    """Files that were restored because something refers to them again; in a dry run, that would
    be."""
    kept: int
    """Entries that stay in the trash because something refers to them: files that a user deleted
    are not restored automatically."""
    trash: TrashSummary
    """The trash after the run."""


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

    Entries that something refers to are not deleted: what the collector removed is restored, and
    what a user deleted stays in the trash. Raises as :func:`collect` does.
    """
    refuse_transaction(database)
    collections = BucketCollections.of(database, bucket)
    work = _Purge(collections, references, older_than, progress, stop)
    if dry_run:
        return work.run(None)
    with lease_of(collections, lease_seconds) as lease:
        return work.run(lease)


class _Purge:
    def __init__(
        self,
        collections: BucketCollections,
        references: References,
        older_than: timedelta,
        progress: ProgressHook | None,
        stop: Stop | None,
    ) -> None:
        self._collections = collections
        self._references = references
        self._older_than = older_than
        self._progress = progress
        self._stop = stop
        self._entries = self._bytes = self._restored = self._kept = 0
        self._examples: list[TrashEntry] = []

    def run(self, lease: Lease | None) -> PurgeReport:
        """Purge the trash. Without a lease nothing is changed."""
        query: Document = {"trashedAt": {"$lte": self._collections.now() - self._older_than}}
        total = self._collections.trash.count_documents(query)
        size = AT_ONCE if self._references.search is None else SEARCH_AT_ONCE
        for batch in batches(self._collections, query, size):
            self._check()
            self._purge(batch, lease)
            self._tell(total)
        return PurgeReport(
            bucket=self._collections.name,
            database=self._collections.database.name,
            dry_run=lease is None,
            older_than=self._older_than,
            entries=self._entries,
            bytes=self._bytes,
            examples=tuple(self._examples),
            restored=self._restored,
            kept=self._kept,
            trash=summary(self._collections),
        )

    def _purge(self, batch: list[Document], lease: Lease | None) -> None:
        needed = self._needed(batch)
        back = [each["_id"] for each in batch if may_come_back(each)]
        back = [id for id in back if sort_key(id) in needed]
        there = len(back)
        if lease is not None and back:
            lease.check()
            there = len(put_back(self._collections, back))
        self._restored += there
        self._kept += len(needed) - there
        gone = [each for each in batch if sort_key(each["_id"]) not in needed]
        for at in range(0, len(gone), AT_ONCE):
            self._check()
            if lease is not None:
                lease.check()
                delete_for_good(
                    self._collections, [each["_id"] for each in gone[at : at + AT_ONCE]]
                )
            self._count(gone[at : at + AT_ONCE])

    def _needed(self, batch: list[Document]) -> set[Key]:
        """The entries that something refers to; a text does not count for what a user deleted."""
        files = [each for each in batch if "file" in each]
        named = [(each["_id"], names_of(each["file"])) for each in files]
        missed = missed_of(self._collections, self._references, named)
        rest = [
            name
            for each, name in zip(files, named, strict=True)
            if may_come_back(each) and sort_key(each["_id"]) not in missed
        ]
        return missed | mentioned_of(self._collections, self._references, rest, stop=self._stop)

    def _check(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise CollectorInterrupted

    def _count(self, batch: list[Document]) -> None:
        entries = [TrashEntry.of(each) for each in batch]
        self._entries += len(entries)
        self._bytes += sum(each.bytes for each in entries)
        self._examples += entries[: EXAMPLES - len(self._examples)]

    def _tell(self, total: int) -> None:
        if self._progress is not None:
            done = self._entries + self._restored + self._kept
            name = self._collections.name
            self._progress(Progress(collection=name, phase="trash", done=done, total=total))
