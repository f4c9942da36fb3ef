"""The files documents of a bucket in the order of their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias

import bson
from bson import Int64, ObjectId

from djongo_services.storage.collector.order import OBJECT_ID, Key, sort_key
from djongo_services.storage.collector.plain import Plain
from djongo_services.storage.collector.streams import EXACT

IDS: Final = {"_id": 1}
NUMBERS: Final = {**IDS, "length": 1, "chunkSize": 1}
NAMES: Final = {**NUMBERS, "filename": 1, "metadata.aliases": 1}
CHECKSUMS: Final = {**NAMES, "metadata.sha256": 1}
"""Projections, each with what the one before has."""

Entry: TypeAlias = tuple[Key, Any, int | None, dict[str, Any] | None]
"""Key, id (None where the key alone holds the ObjectId), how many chunks there should be, and the
document where more than that was decoded. A plain tuple: a million are made and forgotten."""

_ONLY_ID: Final = Plain(Struct("<4xx4x12sx"), {0: 22, 4: 0x07})
_LENGTH_FIRST: Final = Plain(
    Struct("<4xx4x12sx7xqx10xix"), {0: 53, 4: 0x07, 21: 0x12, 22: ord("l"), 37: 0x10}
)
_CHUNK_SIZE_FIRST: Final = Plain(
    Struct("<4xx4x12sx10xix7xqx"), {0: 53, 4: 0x07, 21: 0x10, 22: ord("c"), 36: 0x12}
)
"""``{_id: ObjectId, length: long, chunkSize: int}`` as this package and as PyMongo write it."""


class FileRow(NamedTuple):
    key: Key
    id: Any
    names: tuple[str, ...]
    """Its filename and its aliases; empty where they were not asked for."""


def id_of(key: Key, value: Any) -> Any:
    """The id of an :data:`Entry` or of a run of chunks."""
    return ObjectId(key[1]) if value is None and key[0] == OBJECT_ID else value


def identified(batches: Iterable[bytes]) -> Iterator[Entry]:
    """Of batches with the projection :data:`IDS`."""
    for batch in batches:
        if _ONLY_ID.fits(batch):
            for (oid,) in _ONLY_ID.unpack(batch):
                yield (OBJECT_ID, oid), None, None, None
        else:
            yield from decoded([batch])


def numbered(batches: Iterable[bytes]) -> Iterator[Entry]:
    """Of batches with the projection :data:`NUMBERS`."""
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
    """Of batches with any of the projections."""
    for batch in batches:
        for document in bson.decode_all(batch, EXACT):
            value = document["_id"]
            yield sort_key(value), value, expected_chunks(document), document


def expected_chunks(document: Mapping[str, Any]) -> int | None:
    """How many chunks a files document asks for; None when its numbers make no sense."""
    length, size = document.get("length"), document.get("chunkSize")
    if type(length) is Int64 and type(size) is int and length >= 0 < size:
        return -(-length // size)  # As nearly every file has them.
    if isinstance(length, bool) or isinstance(size, bool):
        return None
    if not isinstance(length, int | float) or not isinstance(size, int | float):
        return None
    if not (length >= 0 and size >= 1 and length % 1 == 0 and size % 1 == 0):
        return None
    return int(-(-length // size))


def names_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The filename, first, and the further names of a file that several share."""
    filename, metadata = document.get("filename"), document.get("metadata")
    names = (filename,) if isinstance(filename, str) else ()
    if not metadata or not isinstance(metadata, Mapping):  # As in nearly every file.
        return names
    aliases = metadata.get("aliases")
    if not isinstance(aliases, list):
        return names
    found = (alias.get("name") for alias in aliases if isinstance(alias, Mapping))
    return tuple(dict.fromkeys((*names, *(name for name in found if isinstance(name, str)))))


def bytes_of(length: object) -> int:
    """A length as a number of bytes; 0 where it is none."""
    if isinstance(length, bool) or not isinstance(length, int | float):
        return 0
    return int(length) if 0 <= length < 2**63 else 0
