"""Values compare as the server sorts them, whatever their types."""

from __future__ import annotations

import random
import uuid
from datetime import datetime
from itertools import pairwise

import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from djongo_services.storage.collector.bson_order import sort_key
from djongo_services.storage.collector.collections import EXACT

RAW = CodecOptions(document_class=RawBSONDocument)

NUMBERS = [
    0,
    1,
    -1,
    True,
    False,
    1.0,
    -0.0,
    1.5,
    0.1,
    2**53,
    2**53 + 1,
    float(2**53),
    Int64(7),
    2**62,
    float("inf"),
    float("-inf"),
    float("nan"),
    1e308,
    5e-324,
    Decimal128("NaN"),
    Decimal128("1"),
    Decimal128("1.0"),
    Decimal128("0.1"),
    Decimal128("Infinity"),
    Decimal128("-Infinity"),
    Decimal128("1E+6000"),
]
TEXTS = ["", "a", "A", "ab", "a\0b", "é", "z", "\ud7ff", "😀", "\uffff"]
OBJECTS = [
    {},
    {"a": 1},
    {"a": 1.0},
    {"a": True},
    {"b": 1},
    {"a": 1, "b": 2},
    {"b": 2, "a": 1},
    {"a": "x"},
    {"a": [1, 2]},
    {"a": [1]},
    {"a": {"b": 1}},
    {"a": None},
    {"a": Decimal128("NaN")},
    DBRef("c", 1),
    DBRef("b", 2),
    DBRef("b", 1, "db"),
]
OTHERS = [
    None,
    MinKey(),
    MaxKey(),
    b"",
    b"a",
    b"aa",
    b"b",
    Binary(b"a", 5),
    Binary(b"b", 128),
    Binary.from_uuid(uuid.UUID(int=1)),
    Binary.from_uuid(uuid.UUID(int=2)),
    ObjectId(),
    ObjectId("0" * 24),
    ObjectId("f" * 24),
    datetime(2020, 1, 1),
    datetime(1960, 1, 1, 0, 0, 0, 1000),
    DatetimeMS(-(10**15)),
    DatetimeMS(10**15),
    Timestamp(1, 2),
    Timestamp(1, 3),
    Timestamp(2**32 - 1, 1),
    Regex("a", "i"),
    Regex("a", "im"),
    Regex("b"),
    Regex("a"),
    Code("x"),
    Code("a"),
    Code("x", {"a": 1}),
    Code("x", {"a": 2}),
    Code("a", {"z": 1}),
]
EVERYTHING = [*NUMBERS, *TEXTS, *OBJECTS, *OTHERS]


def test_as_the_server_sorts(matrix_database):
    collection = matrix_database.get_collection("values", codec_options=EXACT)
    shuffled = random.Random(1).sample(EVERYTHING, len(EVERYTHING))
    collection.insert_many({"value": value} for value in shuffled)
    values = [each["value"] for each in collection.find(sort=[("value", 1)])]
    wrong = [(a, b) for a, b in pairwise(values) if sort_key(a) > sort_key(b)]
    assert wrong == []


def test_equal_where_the_server_says_so(matrix_database):
    collection = matrix_database.get_collection("values", codec_options=EXACT)
    collection.insert_many({"value": value} for value in EVERYTHING)
    pipeline = [
        {"$sort": {"value": 1}},
        {"$group": {"_id": None, "values": {"$push": "$value"}}},
        {"$set": {"next": {"$slice": ["$values", 1, {"$size": "$values"}]}}},
        {"$set": {"pairs": {"$zip": {"inputs": ["$values", "$next"]}}}},
        {
            "$project": {
                "values": 1,
                "signs": {
                    "$map": {
                        "input": "$pairs",
                        "in": {
                            "$cmp": [
                                {"$arrayElemAt": ["$$this", 0]},
                                {"$arrayElemAt": ["$$this", 1]},
                            ]
                        },
                    }
                },
            }
        },
    ]
    (found,) = collection.aggregate(pipeline)
    keys = [sort_key(value) for value in found["values"]]
    ours = [(a > b) - (a < b) for a, b in pairwise(keys)]
    assert ours == found["signs"]
    assert 0 in ours


def test_text_that_is_no_utf_8(database):
    """Other drivers may have stored it."""
    texts = [b"\x80", b"a\xff", b"a", b"\xc3\x28", "é".encode()]
    raw = [_string_document(text) for text in texts]
    database.get_collection("texts", codec_options=RAW).insert_many(raw)
    found = database.get_collection("texts", codec_options=EXACT).find(sort=[("value", 1)])
    keys = [sort_key(each["value"]) for each in found]
    assert keys == sorted(keys)
    assert [key[1] for key in keys] == sorted(texts)


def _string_document(text: bytes) -> RawBSONDocument:
    element = b"\x02value\0" + (len(text) + 1).to_bytes(4, "little") + text + b"\0"
    return RawBSONDocument((len(element) + 5).to_bytes(4, "little") + element + b"\0")


def test_no_value_of_bson():
    with pytest.raises(TypeError, match="values of the type set"):
        sort_key(set())
