"""Random documents as BSON bytes, with all that BSON can hold and Python's types cannot."""

from __future__ import annotations

import datetime
import struct
import uuid
from dataclasses import dataclass
from typing import Any

from bson import (
    Binary,
    Code,
    DatetimeMS,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
    encode,
)
from bson.raw_bson import RawBSONDocument
from hypothesis import strategies as st


@dataclass(frozen=True)
class Raw:
    """An element that PyMongo does not write: its type number and the bytes of its value."""

    kind: int
    value: bytes


def _string(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<i", len(data)) + data


SYMBOL = Raw(0x0E, _string("old"))
DB_POINTER = Raw(0x0C, _string("db.things") + bytes(range(12)))
ODD_REFERENCE = {"$id": 1, "note": "x", "$ref": "things"}
"""PyMongo turns it into a DBRef and loses the order of its keys."""


def document(values: dict[str, Any]) -> RawBSONDocument:
    return RawBSONDocument(_document(values))


def _document(values: dict[str, Any]) -> bytes:
    elements = b"".join(_element(name, value) for name, value in values.items())
    return struct.pack("<i", len(elements) + 5) + elements + b"\0"


def _element(name: str, value: Any) -> bytes:
    key = name.encode() + b"\0"
    match value:
        case Raw():
            return bytes([value.kind]) + key + value.value
        case dict():
            return b"\x03" + key + _document(value)
        case list():
            return b"\x04" + key + _document({str(n): item for n, item in enumerate(value)})
    return encode({name: value})[4:-1]


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(),
    text,
    st.binary(max_size=6),
    st.builds(Binary, st.binary(max_size=6), st.sampled_from([0, 2, 5, 128])),
    st.uuids().map(lambda one: Binary.from_uuid(uuid.UUID(int=one.int))),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)),
    st.integers(-(2**60), 2**60).map(DatetimeMS),
    st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    st.sampled_from(["1", "-0", "1E+100", "NaN", "Infinity", "1.10"]).map(Decimal128),
    st.sampled_from([Regex("^a", "i"), Regex("b|c", "msx"), Code("1"), MinKey(), MaxKey()]),
    st.sampled_from([SYMBOL, DB_POINTER]),
)
names = st.one_of(
    text.filter(lambda name: name and not name.startswith("$") and "." not in name),
    st.sampled_from(["a", "b", "$regex", "$options", "$oid", "$date", "$numberLong", "$ref"]),
)
values = st.recursive(
    st.one_of(scalars, st.just(ODD_REFERENCE)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
paths = st.sampled_from(["a", "b.c", "sku"])


def _conditions(value: Any, path: str) -> list[dict[str, Any]]:
    return [
        {path: {"$eq": value}},
        {path: {"$in": [value, 1]}},
        {path: {"$regex": "^[A-Z]", "$ne": value, "$exists": True}},
        {path: {"$not": {"$elemMatch": {"$gt": value}}}},
        {"$expr": {"$ne": [f"${path}", {"$literal": value}]}},
        {"$jsonSchema": {"description": "by hand", "properties": {path: {"enum": [value]}}}},
    ]


@st.composite
def validators(draw: st.DrawFn) -> RawBSONDocument:
    """Some of them are such that the server refuses them."""
    parts = [
        draw(st.sampled_from(_conditions(draw(values), draw(paths))))
        for _ in range(draw(st.integers(1, 3)))
    ]
    match draw(st.sampled_from(["one", "and", "or"])):
        case "one":
            return document(parts[0])
        case "and":
            return document({"$and": parts})
    return document({"$or": parts, "$comment": "kept"})
