"""The chunks of each file, taken together: how many, in order, of which sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, TypeAlias

import bson

from djongo_services.storage.collector.order import OBJECT_ID, Key, sort_key
from djongo_services.storage.collector.plain import Plain
from djongo_services.storage.collector.streams import EXACT

COVERED: Final = {"_id": 0, "files_id": 1, "n": 1}
"""Answered from the index alone."""
SIZED: Final = {
    **COVERED,
    "size": {
        "$cond": [{"$eq": [{"$type": "$data"}, "binData"]}, {"$binarySize": "$data"}, -1],
    },
}
"""The server reads every chunk, and sends its size; -1 for one whose data is none."""
WHOLE: Final = {**COVERED, "data": 1}

_PLAIN: Final = Plain(Struct("<4xx9x12sx2xix"), {0: 34, 4: 0x07, 26: 0x10})
"""``{files_id: ObjectId, n: int}`` as BSON: nearly every chunk's entry of the index."""


@dataclass(slots=True)
class Sizes:
    """What the chunks of a file hold."""

    total: int = 0
    smallest: int | None = None
    """Of all but the last."""
    largest: int | None = None
    last: int | None = None
    hash: Any = None

    def add(self, size: int, data: bytes | None) -> None:
        if self.last is not None:
            self.smallest = self.last if self.smallest is None else min(self.smallest, self.last)
            self.largest = self.last if self.largest is None else max(self.largest, self.last)
        self.last = size
        self.total += size
        if data is not None:
            self.hash = self.hash or hashlib.sha256()
            self.hash.update(data)

    @property
    def sha256(self) -> str | None:
        """None where the bytes were not read."""
        return None if self.hash is None else self.hash.hexdigest()


Run: TypeAlias = tuple[Key, Any, int, bool, Sizes | None]
"""All chunks of one files_id: key, files_id (None where the key alone holds the ObjectId), how
many, whether they are numbered 0, 1, 2, ..., and their sizes where more than the index was read. A
plain tuple: a million are made and forgotten."""

_Entry: TypeAlias = tuple[Key, Any, Any]
"""Key, files_id as in :data:`Run`, and n."""


def covered_runs(batches: Iterable[bytes]) -> Iterator[Run]:
    """Of batches with the projection :data:`COVERED`."""
    key: Key | None = None
    value: Any = None
    count, in_order = 0, True
    for batch in batches:
        for next_key, next_value, n in _entries(batch):
            if next_key == key:
                in_order = in_order and n == count
                count += 1
                continue
            if key is not None:
                yield key, value, count, in_order, None
            key, value = next_key, next_value
            count, in_order = 1, n == 0
    if key is not None:
        yield key, value, count, in_order, None


def read_runs(batches: Iterable[bytes]) -> Iterator[Run]:
    """Of batches with the projection :data:`SIZED` or :data:`WHOLE`."""
    key: Key | None = None
    value: Any = None
    count, in_order, sizes = 0, True, Sizes()
    for batch in batches:
        for document in bson.decode_iter(batch, EXACT):  # One chunk's bytes at a time.
            next_value = document.get("files_id")
            next_key = sort_key(next_value)
            if next_key != key:
                if key is not None:
                    yield key, value, count, in_order, sizes
                key, value = next_key, next_value
                count, in_order, sizes = 0, True, Sizes()
            in_order = in_order and document.get("n") == count
            count += 1
            sizes.add(*size_and_data(document))
    if key is not None:
        yield key, value, count, in_order, sizes


def size_and_data(chunk: Mapping[str, Any]) -> tuple[int, bytes | None]:
    """Of a chunk read with :data:`SIZED` or :data:`WHOLE`; size -1 when its data is no binary."""
    if "size" in chunk:
        return int(chunk["size"]), None
    data = chunk.get("data")
    return (len(data), data) if isinstance(data, bytes) else (-1, b"")


def _entries(batch: bytes) -> Sequence[_Entry]:
    if _PLAIN.fits(batch):
        return [((OBJECT_ID, oid), None, n) for oid, n in _PLAIN.unpack(batch)]
    entries: list[_Entry] = []
    for document in bson.decode_all(batch, EXACT):
        value = document.get("files_id")
        entries.append((sort_key(value), value, document.get("n")))
    return entries
