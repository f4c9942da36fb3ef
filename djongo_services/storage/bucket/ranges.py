"""Which chunks contain a range of a file, and whether the chunks received are the expected ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.errors import CorruptFile

FIRST_CHUNKS = 4
"""Chunks of the first query: few, so that the first byte does not wait for a large batch."""

SMALL_CHUNKS = 8
"""Up to this many chunks, a second query does not pay off."""

BATCH_BYTES = 4 * 1024 * 1024
"""The size of each later batch, in bytes: larger ones save round trips and need more memory."""

BATCH_CHUNKS = 1_000
"""Documents in each later batch: small chunks are many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkQuery:
    """One query for chunks, by ``n``."""

    first: int
    last: int | None
    """None: to the end, so that surplus chunks are noticed."""
    limit: int
    batch_size: int

    def filter(self, files_id: Any) -> dict[str, Any]:
        upper = {} if self.last is None else {"$lte": self.last}
        # An id may be a document, whose names are not operators.
        return {"files_id": {"$eq": files_id}, "n": {"$gte": self.first, **upper}}


class RangeReader:
    """Bytes [start, stop) of a file: the queries to make, and each chunk checked and trimmed."""

    def __init__(self, file: StoredFile, start: int = 0, stop: int | None = None) -> None:
        """Raises ValueError if the range is not within the file."""
        stop = file.length if stop is None else stop
        if not 0 <= start <= stop <= file.length:
            raise ValueError(
                f"A range of {file.filename!r} lies within 0 and {file.length}, not {start} to "
                f"{stop}."
            )
        self._file = file
        self._start, self._stop = start, stop
        self._next = start // file.chunk_size
        self._after = self._next if start == stop else -(-stop // file.chunk_size)

    @property
    def position(self) -> int:
        """The number of the next chunk."""
        return self._next

    def parts(self) -> Iterator[ChunkQuery]:
        """The queries to make, in order; after an interruption, the remaining ones."""
        if self._start == self._stop and self._file.length:
            return
        to_the_end = self._stop == self._file.length
        if self._after - self._next > SMALL_CHUNKS:
            yield self._part(self._next + FIRST_CHUNKS - 1, FIRST_CHUNKS)
        if to_the_end:
            # One more, which would be a surplus chunk.
            yield self._part(None, self._after - self._next + 1)
        else:
            yield self._part(self._after - 1, self._after - self._next)

    def accept(self, chunk: Mapping[str, Any]) -> bytes:
        """The wanted bytes of the next chunk. Raises CorruptFile if it is not the expected one."""
        n, data = chunk.get("n"), chunk.get("data")
        if not isinstance(data, bytes):
            raise self._corrupt(f"chunk {n!r} contains no binary data")
        # A Binary of another subtype never equals bytes.
        data = bytes(data)
        if self._next >= self._file.chunk_count:
            return self._accept_extra(n, data)
        if n != self._next:
            twice = isinstance(n, int | float) and n < self._next
            raise self._corrupt(
                f"chunk {n} is there twice" if twice else f"chunk {self._next} is missing"
            )
        begin = self._next * self._file.chunk_size
        wanted = min(self._file.chunk_size, self._file.length - begin)
        if len(data) != wanted:
            raise self._corrupt(f"chunk {n} has {len(data):,} bytes, not {wanted:,}")
        self._next += 1
        if begin >= self._start and begin + wanted <= self._stop:
            return data
        return data[max(0, self._start - begin) : self._stop - begin]

    def finish(self) -> None:
        """Raises CorruptFile if chunks are missing at the end."""
        if self._next < self._after:
            raise self._corrupt(f"chunk {self._next} is missing")

    def _part(self, last: int | None, count: int) -> ChunkQuery:
        # A batch larger than the limit spares the server a cursor that would have to be closed.
        per_batch = min(BATCH_CHUNKS, max(1, BATCH_BYTES // self._file.chunk_size))
        return ChunkQuery(
            first=self._next, last=last, limit=count, batch_size=min(count + 1, per_batch)
        )

    def _accept_extra(self, n: object, data: bytes) -> bytes:
        # Empty ones are allowed: some drivers left them behind.
        if data:
            raise self._corrupt(
                f"chunk {n!r} is one more than its {self._file.length:,} bytes need"
            )
        return b""

    def _corrupt(self, what: str) -> CorruptFile:
        file = self._file
        return CorruptFile(f"The file {file.filename!r} (id {file.id!r}) is damaged: {what}.")
