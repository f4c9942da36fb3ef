"""Uploads that the upload handler began, and that nobody went on with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from djongo_services.storage.collector.candidates import Candidate, can_be_named
from djongo_services.storage.collector.file_rows import names_of
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.order import sort_key
from djongo_services.storage.collector.places import Document, Places
from djongo_services.storage.collector.traces import orphan_runs, restored_at


def stale_uploads(places: Places, cutoff: datetime, *, size: int) -> Iterator[list[Candidate]]:
    """In batches: those that were touched last before ``cutoff``."""
    batch: list[Document] = []
    with places.uploads.find({"touchedAt": {"$lte": cutoff}}, batch_size=size) as cursor:
        for entry in cursor:
            batch.append(entry)
            if len(batch) >= size:
                yield _candidates(places, cutoff, batch)
                batch = []
    if batch:
        yield _candidates(places, cutoff, batch)


def _candidates(places: Places, cutoff: datetime, entries: list[Document]) -> list[Candidate]:
    ids: list[Any] = [entry["_id"] for entry in entries if can_be_named(entry["_id"])]
    finished = {
        sort_key(each["_id"]) for each in places.files.find({"_id": {"$in": ids}}, {"_id": 1})
    }
    runs = {sort_key(run.id): run for run in orphan_runs(places, ids)}
    restored = restored_at(places, ids)
    found = []
    for entry in entries:
        key = sort_key(entry["_id"])
        if not can_be_named(entry["_id"]) or restored.get(key, cutoff) > cutoff:
            continue
        run = None if key in finished else runs.get(key)
        found.append(
            Candidate(
                kind=Kind.STALE_UPLOADS,
                id=entry["_id"],
                names=names_of(entry),
                bytes=run.bytes if run else 0,
                chunks=run.chunks if run else 0,
                since=entry["touchedAt"],
                reason="its file is complete" if key in finished else "",
            )
        )
    return found
