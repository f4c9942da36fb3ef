"""Turning bytes into chunk documents, in bounded batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bson import Int64, ObjectId

Document = dict[str, Any]

BATCH_BYTES = 2 * 1024 * 1024
"""Data in one insert: enough to hide the round trip, and still little memory."""

BATCH_CHUNKS = 1_000


class Chunker:
    """Cuts the bytes of one file into chunks, and computes their checksum."""

    def __init__(self, files_id: Any, chunk_size: int) -> None:
        self.files_id = files_id
        self.chunk_size = chunk_size
        self.length = 0
        """Bytes fed so far."""
        self.count = 0
        """Chunks made so far."""
        self._hash = hashlib.sha256()
        self._pending = bytearray()
        self._batch: list[Document] = []
        self._per_batch = min(BATCH_CHUNKS, max(1, BATCH_BYTES // chunk_size))

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[list[Document]]:
        """Take all of ``data``. Each batch that is yielded must be stored before the next one is
        taken."""
        view = memoryview(data).cast("B")
        self.length += len(view)
        self._hash.update(view)
        start = 0
        if self._pending:
            start = min(self.chunk_size - len(self._pending), len(view))
            self._pending += view[:start]
            if len(self._pending) == self.chunk_size:
                yield from self._add(bytes(self._pending))
                self._pending.clear()
        while len(view) - start >= self.chunk_size:
            yield from self._add(bytes(view[start : start + self.chunk_size]))
            start += self.chunk_size
        self._pending += view[start:]

    def rest(self) -> list[Document]:
        """The last batch, perhaps empty, once all bytes were fed."""
        if self._pending:
            self._append(bytes(self._pending))
            self._pending.clear()
        return self._take()

    def files_document(self, filename: str | None, metadata: Document, at: datetime) -> Document:
        """The document that makes the file exist, from ``at`` on; call it after :meth:`rest`."""
        return {
            "_id": self.files_id,
            "length": Int64(self.length),
            "chunkSize": self.chunk_size,
            "uploadDate": at,
            "filename": filename,
            "metadata": {**metadata, "sha256": self._hash.hexdigest()},
        }

    def _add(self, data: bytes) -> Iterator[list[Document]]:
        self._append(data)
        if len(self._batch) >= self._per_batch:
            yield self._take()

    def _append(self, data: bytes) -> None:
        self._batch.append(
            {"_id": ObjectId(), "files_id": self.files_id, "n": self.count, "data": data}
        )
        self.count += 1

    def _take(self) -> list[Document]:
        batch, self._batch = self._batch, []
        return batch


def now() -> datetime:
    """The current time in milliseconds, which is BSON's precision."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
