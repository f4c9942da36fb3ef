"""A page of a collection's documents in the order of ``_id``, after a key, in both directions.

Nothing is skipped: a page begins at a range of the index on ``_id``. A comparison in a query covers
one type of BSON, so later types in the sort order are queried by type.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

from djongo_services.admin.deadline import Mongo
from djongo_services.admin.documents.keys import DocumentId
from djongo_services.bson_decoding import LENIENT

LARGEST: Final = 64_000
"""The size in bytes up to which a list shows a document; for larger ones it shows the ``_id`` and
the size."""

Query = Mapping[str, Any]
Way = Literal["after", "before"]

_RAW: CodecOptions[Any] = LENIENT.with_options(document_class=RawBSONDocument)
_BRACKETS: Final[tuple[tuple[int, ...], ...]] = (
    (-1,),
    (10,),
    (1, 16, 18, 19),
    (2, 14),
    (3,),
    (4,),
    (5,),
    (7,),
    (8,),
    (9,),
    (17,),
    (11,),
    (12,),
    (13,),
    (15,),
    (127,),
)
"""The types in the server's sort order, grouped as it compares them with each other; MongoDB
manual, "Comparison/Sort Order"."""
_NUMBERS: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A document on a page."""

    key: DocumentId | None
    size: int
    """The size in bytes of the part that was read."""
    document: Mapping[str, Any] | None
    """None if it is larger than :data:`LARGEST`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentsPage:
    rows: tuple[Row, ...]
    has_before: bool
    has_after: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What to read from a collection."""

    query: Query
    fields: Sequence[str] = ()
    """Dotted paths; empty means all fields."""
    size: int = 20
    is_ordered: bool = True
    """If False, the first documents in any order: there is no page before or after them."""
    is_indexed: bool = True
    """Whether ``_id`` has an index and is unique; it is not in views."""


def read_page(
    database: Mongo,
    name: str,
    reading: Reading,
    *,
    start: DocumentId | None = None,
    way: Way = "after",
) -> DocumentsPage:
    """The documents next to ``start``, or the first ones. One command, or two if the page ends with
    the last value of a type; one more if nothing is left before a key.

    Raises PyMongo's errors.
    """
    collection = database.get_collection(name, codec_options=_RAW)
    if not reading.is_ordered:
        rows = list(_found(collection, reading, {}, 0, reading.size + 1))
        return DocumentsPage(
            rows=tuple(rows[: reading.size]), has_before=False, has_after=len(rows) > reading.size
        )
    rows = list(_next(collection, reading, start, way, reading.size + 1))
    is_more = len(rows) > reading.size
    if way == "before" and start is not None:
        if not is_more:  # A page from the beginning must be full.
            return read_page(database, name, reading)
        rows = rows[: reading.size][::-1]
        return DocumentsPage(rows=tuple(rows), has_before=True, has_after=True)
    return DocumentsPage(
        rows=tuple(rows[: reading.size]), has_before=start is not None, has_after=is_more
    )


def _next(
    collection: Collection[Any],
    reading: Reading,
    start: DocumentId | None,
    way: Way,
    number: int,
) -> Iterator[Row]:
    left = number
    for part in _ranges(start, way, reading.is_indexed):
        for row in _found(collection, reading, part, 1 if way == "after" else -1, left):
            left -= 1
            yield row
        if left <= 0:
            return


def _found(
    collection: Collection[Any], reading: Reading, part: Query, order: int, number: int
) -> Iterator[Row]:
    parts = [one for one in (reading.query, part) if one]
    pipeline: list[dict[str, Any]] = []
    if parts:
        pipeline.append({"$match": {"$and": parts}})
    if order:
        pipeline.append({"$sort": {"_id": order}})
    pipeline.append({"$limit": number})
    if reading.fields:
        pipeline.append({"$project": dict.fromkeys(reading.fields, 1)})
    size = {"$bsonSize": "$$ROOT"}
    whole = {"$cond": [{"$lte": [size, LARGEST]}, "$$ROOT", "$$REMOVE"]}
    pipeline.append({"$project": {"_id": 1, "size": size, "document": whole}})
    for found in collection.aggregate(pipeline):
        yield _row(bytes(found.raw))


def _row(raw: bytes) -> Row:
    key = DocumentId.of(raw)
    found = bson.decode(raw, LENIENT)
    return Row(key=key, size=int(found["size"]), document=found.get("document"))


def _ranges(start: DocumentId | None, way: Way, is_indexed: bool) -> list[Query]:
    """The queries for what sorts after the key (or before it), nearest first; each is a range of
    one index."""
    if start is None:
        return [{}]
    operator = "$gt" if way == "after" else "$lt"
    if not is_indexed:
        # Compares across types, arrays as values; an index supports it from MongoDB 5.0 on.
        literal = start.operand("$literal")
        return [{"$expr": {operator: ["$_id", literal]}}]
    kind = start.type - 256 if start.type == 0xFF else start.type
    place = next((at for at, types in enumerate(_BRACKETS) if kind in types), 1)
    rest = _BRACKETS[place + 1 :] if way == "after" else _BRACKETS[:place]
    ranges = list(_within(start, place, operator))
    if rest:
        ranges.append({"_id": {"$type": [one for types in rest for one in types]}})
    return ranges


def _within(start: DocumentId, place: int, operator: str) -> Iterator[Query]:
    """The documents in the same bracket. $minKey and $maxKey have one value each, and a comparison
    with them covers everything."""
    if place in (0, len(_BRACKETS) - 1):
        return
    if place != _NUMBERS:
        yield {"_id": start.operand(operator)}
        return
    # NaN sorts before all numbers, and no comparison finds it.
    if _is_nan(start.value):
        if operator == "$gt":
            yield {"_id": {"$gte": -math.inf}}
        return
    yield {"_id": start.operand(operator)}
    if operator == "$lt":
        yield {"_id": math.nan}


def _is_nan(value: Any) -> bool:
    return str(value).lower() in ("nan", "-nan", "snan")


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeDocument:
    document: Mapping[str, Any]
    size: int


def read_document(database: Mongo, name: str, key: DocumentId) -> WholeDocument | None:
    """The document; None if it does not exist (any more). Raises PyMongo's errors."""
    collection = database.get_collection(name, codec_options=_RAW)
    found: Any = collection.find_one({"_id": key.operand("$eq")})
    if found is None:
        return None
    raw = bytes(found.raw)
    document: dict[str, Any] = bson.decode(raw, LENIENT)
    return WholeDocument(document=document, size=len(raw))


def count_matching(database: Mongo, name: str, query: Query) -> int:
    """Raises PyMongo's errors."""
    return database[name].count_documents(dict(query))
