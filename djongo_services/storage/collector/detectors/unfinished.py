"""What unfinished uploads left: chunks without a file, and entries of uploads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.storage.collector.collections import BucketCollections, Document
from djongo_services.storage.collector.decoding import names_of
from djongo_services.storage.collector.detectors.age import (
    GracePeriod,
    Verdict,
    orphan_runs,
    restored_at,
)
from djongo_services.storage.collector.kinds import Candidate, Kind, can_be_named


def judge_orphans(
    collections: BucketCollections, orphans: Sequence[Any], grace: GracePeriod, verdict: Verdict
) -> None:
    """Add the chunks with these files_ids to the verdict; all chunks with one files_id are one
    candidate."""
    ids = [id for id in orphans if can_be_named(id)]
    verdict.unnameable += len(orphans) - len(ids)
    ids = without_owner(collections, ids) if ids else []
    if not ids:
        return
    restored = restored_at(collections, ids)
    for run in orphan_runs(collections, ids):
        candidate = Candidate(
            kind=Kind.ORPHAN_CHUNKS,
            id=run.id,
            bytes=run.bytes,
            chunks=run.chunks,
            since=run.since,
        )
        until = run.since and max(run.since, restored.get(candidate.key, run.since))
        verdict.add(candidate, until, grace)


def without_owner(collections: BucketCollections, ids: Sequence[Any]) -> list[Any]:
    """The ids that belong to no file, no entry of the trash and no upload."""
    owned: set[Key] = set()
    for collection in (collections.files, collections.trash, collections.uploads):
        found = collection.find({"_id": {"$in": list(ids)}}, {"_id": 1})
        owned |= {sort_key(document["_id"]) for document in found}
    return [id for id in ids if sort_key(id) not in owned]


def stale_uploads(
    collections: BucketCollections, cutoff: datetime, *, size: int
) -> Iterator[list[Candidate]]:
    """Batches of uploads whose last activity was before ``cutoff``."""
    batch: list[Document] = []
    with collections.uploads.find({"touchedAt": {"$lte": cutoff}}, batch_size=size) as cursor:
        for entry in cursor:
            batch.append(entry)
            if len(batch) >= size:
                yield _candidates(collections, cutoff, batch)
                batch = []
    if batch:
        yield _candidates(collections, cutoff, batch)


def _candidates(
    collections: BucketCollections, cutoff: datetime, entries: list[Document]
) -> list[Candidate]:
    ids: list[Any] = [entry["_id"] for entry in entries if can_be_named(entry["_id"])]
    finished = {
        sort_key(each["_id"]) for each in collections.files.find({"_id": {"$in": ids}}, {"_id": 1})
    }
    runs = {sort_key(run.id): run for run in orphan_runs(collections, ids)}
    restored = restored_at(collections, ids)
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
