"""Whether the chunks of a file are there, and whether they are what was stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from djongo_services.admin.files.buckets import chunks_of
from djongo_services.admin.patience import Mongo
from djongo_services.storage.collector.chunk_runs import WHOLE
from djongo_services.storage.collector.file_rows import expected_chunks
from djongo_services.storage.collector.integrity import READ_AT_ONCE, checksum_of, problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What the index of the chunks tells, without reading any of them."""

    chunks: int
    expected: int | None
    """None where the files document's numbers make no sense."""

    @property
    def is_right(self) -> bool:
        return self.chunks == self.expected


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What reading every byte told."""

    problem: str | None
    """Half a sentence; None when all is well."""
    has_checksum: bool


def look(database: Mongo, bucket: str, document: Mapping[str, Any]) -> Health:
    chunks = chunks_of(database, bucket).count_documents({"files_id": {"$eq": document["_id"]}})
    return Health(chunks=chunks, expected=expected_chunks(document))


def verify(database: Mongo, bucket: str, document: Mapping[str, Any]) -> Verified:
    """Reads all chunks, a few at a time."""
    chunks = chunks_of(database, bucket).find(
        {"files_id": {"$eq": document["_id"]}}, WHOLE, sort={"n": 1}, batch_size=READ_AT_ONCE
    )
    with chunks:
        found = problem(dict(document), chunks)
    return Verified(problem=found, has_checksum=checksum_of(document) is not None)
