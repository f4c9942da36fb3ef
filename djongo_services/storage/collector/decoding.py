"""Files documents and chunks from the server, decoded only as far as needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias

import bson
from bson import Int64, ObjectId

from djongo_services.storage.collector.bson_order import OBJECT_ID, Key, sort_key
from djongo_services.storage.collector.collections import EXACT

IDS: Final = {"_id": 1}
NUMBERS: Final = {**IDS, "length": 1, "chunkSize": 1}
NAMES: Final = {**NUMBERS, "filename": 1, "metadata.aliases": 1}
CHECKSUMS: Final = {**NAMES, "metadata.sha256": 1}
"""Projections; each one includes the previous one."""

Entry: TypeAlias = tuple[Key, Any, int | None, dict[str, Any] | None]
"""Key, id (None if the key alone contains the ObjectId), expected number of chunks, and the
document if more than that was decoded. A plain tuple: a million of them are created and
discarded."""


# Raw batches whose documents all have the same layout, recognised and unpacked without decoding.
class Plain:
    """A layout of fixed length.

    ``signature`` has bytes by their offset in every document: the length, the types of the
    elements, and what distinguishes their names. Elements of these types have fixed sizes, so a
    document of that length with those bytes can only have that layout.
    """

    def __init__(self, struct: Struct, signature: Mapping[int, int]) -> None:
        self._struct = struct
        self._signature = {offset: bytes((byte,)) for offset, byte in signature.items()}

    def fits(self, batch: bytes) -> bool:
        """Whether every document of the batch has this layout."""
        size = self._struct.size
        count, rest = divmod(len(batch), size)
        return not rest and all(
            batch[offset::size] == byte * count for offset, byte in self._signature.items()
        )

    def unpack(self, batch: bytes) -> Iterator[tuple[Any, ...]]:
        return self._struct.iter_unpack(batch)


_ONLY_ID: Final = Plain(Struct("<4xx4x12sx"), {0: 22, 4: 0x07})
_LENGTH_FIRST: Final = Plain(
    Struct("<4xx4x12sx7xqx10xix"), {0: 53, 4: 0x07, 21: 0x12, 22: ord("l"), 37: 0x10}
)
_CHUNK_SIZE_FIRST: Final = Plain(
    Struct("<4xx4x12sx10xix7xqx"), {0: 53, 4: 0x07, 21: 0x10, 22: ord("c"), 36: 0x12}
)
"""``{_id: ObjectId, length: long, chunkSize: int}`` as this package and PyMongo write it."""


READ_AT_ONCE = 8
"""Chunks in a batch when they are read completely: 2 MB of the default size. More would be faster
for small files, but a batch of a large file would take 16 MB, several times over."""


class ScannedFile(NamedTuple):
    key: Key
    id: Any
    names: tuple[str, ...]
    """Its filename and its aliases; empty if they were not requested."""


def id_of(key: Key, value: Any) -> Any:
    """The id of an :data:`Entry` or of a run of chunks."""
    return ObjectId(key[1]) if value is None and key[0] == OBJECT_ID else value


def identified(batches: Iterable[bytes]) -> Iterator[Entry]:
    """The entries of batches with the projection :data:`IDS`."""
    for batch in batches:
        if _ONLY_ID.fits(batch):
            for (oid,) in _ONLY_ID.unpack(batch):
                yield (OBJECT_ID, oid), None, None, None
        else:
            yield from decoded([batch])


def numbered(batches: Iterable[bytes]) -> Iterator[Entry]:
    """The entries of batches with the projection :data:`NUMBERS`."""
    for batch in batches:
        if _LENGTH_FIRST.fits(batch):
            for oid, length, size in _LENGTH_FIRST.unpack(batch):
                yield (OBJECT_ID, oid), None, -(-length // size) if size > 0 else None, None
        elif _CHUNK_SIZE_FIRST.fits(batch):
            for oid, size, length in _CHUNK_SIZE_FIRST.unpack(batch):
                yield (OBJECT_ID, oid), None, -(-length // size) if size > 0 else None, None
        else:
            yield from decoded([batch])


def decoded(batches: Iterable[bytes]) -> Iterator[Entry]:
    """The entries of batches with any of the projections."""
    for batch in batches:
        for document in bson.decode_all(batch, EXACT):
            value = document["_id"]
            yield sort_key(value), value, expected_chunks(document), document


def expected_chunks(document: Mapping[str, Any]) -> int | None:
    """The number of chunks that a files document implies; None if its numbers make no sense."""
    length, size = document.get("length"), document.get("chunkSize")
    if type(length) is Int64 and type(size) is int and length >= 0 < size:
        return -(-length // size)  # Nearly every file has valid numbers.
    if isinstance(length, bool) or isinstance(size, bool):
        return None
    if not isinstance(length, int | float) or not isinstance(size, int | float):
        return None
    if not (length >= 0 and size >= 1 and length % 1 == 0 and size % 1 == 0):
        return None
    return int(-(-length // size))


def names_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The filename, followed by the further names of a file that several share."""
    filename, metadata = document.get("filename"), document.get("metadata")
    names = (filename,) if isinstance(filename, str) else ()
    if not metadata or not isinstance(metadata, Mapping):  # Nearly every file has none.
        return names
    aliases = metadata.get("aliases")
    if not isinstance(aliases, list):
        return names
    found = (alias.get("name") for alias in aliases if isinstance(alias, Mapping))
    return tuple(dict.fromkeys((*names, *(name for name in found if isinstance(name, str)))))


def bytes_of(length: object) -> int:
    """A length as a number of bytes; 0 if it is not a number."""
    if isinstance(length, bool) or not isinstance(length, int | float):
        return 0
    return int(length) if 0 <= length < 2**63 else 0


# The chunks of each file, grouped: how many, in which order, of which sizes.
COVERED: Final = {"_id": 0, "files_id": 1, "n": 1}
"""Answered from the index alone."""
SIZED: Final = {
    **COVERED,
    "size": {
        "$cond": [{"$eq": [{"$type": "$data"}, "binData"]}, {"$binarySize": "$data"}, -1],
    },
}
"""The server reads every chunk, and sends its size; -1 for a chunk whose data is not binary."""
WHOLE: Final = {**COVERED, "data": 1}

_PLAIN: Final = Plain(Struct("<4xx9x12sx2xix"), {0: 34, 4: 0x07, 26: 0x10})
"""``{files_id: ObjectId, n: int}`` as BSON: the index entry of nearly every chunk."""


@dataclass(slots=True)
class Sizes:
    """The sizes and contents of a file's chunks."""

    total: int = 0
    smallest: int | None = None
    """The smallest chunk, not counting the last one."""
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
        """The checksum; None if the bytes were not read."""
        return None if self.hash is None else self.hash.hexdigest()


Run: TypeAlias = tuple[Key, Any, int, bool, Sizes | None]
"""All chunks of one files_id: key, files_id (None if the key alone contains the ObjectId), their
number, whether they are numbered 0, 1, 2, ..., and their sizes if more than the index was read. A
plain tuple: a million of them are created and discarded."""

_Entry: TypeAlias = tuple[Key, Any, Any]
"""Key, files_id as in :data:`Run`, and n."""


def covered_runs(batches: Iterable[bytes]) -> Iterator[Run]:
    """The runs of batches with the projection :data:`COVERED`."""
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
    """The runs of batches with the projection :data:`SIZED` or :data:`WHOLE`."""
    key: Key | None = None
    value: Any = None
    count, in_order, sizes = 0, True, Sizes()
    for batch in batches:
        for document in bson.decode_iter(batch, EXACT):  # This holds one chunk's bytes at a time.
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
    """Size and data of a chunk read with :data:`SIZED` or :data:`WHOLE`; size -1 when its data is
    not binary."""
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


def has_its_bytes(document: Mapping[str, Any], sizes: Sizes) -> bool:
    """Whether chunks in the right number also have the right content, as far as that was read."""
    size = document.get("chunkSize")
    return (
        sizes.total == document.get("length")
        and sizes.smallest in (None, size)
        and sizes.largest in (None, size)
        and sizes.sha256 in (None, checksum_of(document) or sizes.sha256)
    )


def checksum_of(document: Mapping[str, Any]) -> str | None:
    """The SHA-256 of the file's bytes, if it was known when the file was stored."""
    metadata = document.get("metadata")
    found = metadata.get("sha256") if isinstance(metadata, Mapping) else None
    return found.lower() if isinstance(found, str) else None
