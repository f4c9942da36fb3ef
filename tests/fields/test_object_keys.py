"""The keys themselves, without a database."""

from __future__ import annotations

import copy
import pickle
import random
import uuid
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp

from djongo_services.object_keys import Key, as_key, exact_text, from_text, key_text, plain

OID = ObjectId("65f000000000000000000001")
KEYS: list[tuple[Any, str]] = [
    (1, "$num:1"),
    (Int64(1), "$num:1"),
    (1.0, "$num:1"),
    (-0.0, "$num:0"),
    (-2.5, "$num:-2.5"),
    (1e-7, "$num:0.0000001"),
    (1e300, "$num:1" + "0" * 300),
    (float("inf"), "$num:inf"),
    (True, "$bool:true"),
    (OID, "$oid:65f000000000000000000001"),
    (Decimal128("1.50"), "$numberDecimal:1.50"),
    (uuid.UUID(int=1), "$uuid:00000000-0000-0000-0000-000000000001"),
    (datetime(2024, 1, 31, 10), "$date:2024-01-31T10:00:00"),
    (datetime(2024, 1, 31, 10, tzinfo=UTC), "$date:2024-01-31T10:00:00+00:00"),
    (None, "$bson:BwAAAAoAAA=="),
    (b"x", "$bson:DQAAAAUAAQAAAAB4AA=="),
    (Binary(b"0" * 16, 4), "$bson:HAAAAAUAEAAAAAQwMDAwMDAwMDAwMDAwMDAwAA=="),
    ({"a": "_/"}, "$bson:FgAAAAMADwAAAAJhAAMAAABfLwAAAA=="),
    (Timestamp(1, 2), "$bson:DwAAABEAAgAAAAEAAAAA"),
    (DBRef("c", OID), "$bson:KQAAAAMAIgAAAAIkcmVmAAIAAABjAAckaWQAZfAAAAAAAAAAAAABAAA="),
    (MinKey(), "$bson:BwAAAP8AAA=="),
    (MaxKey(), "$bson:BwAAAH8AAA=="),
]


@pytest.mark.parametrize(("value", "text"), KEYS, ids=lambda one: type(one).__name__)
def test_the_text_of_a_key_and_back(value: Any, text: str) -> None:
    key = as_key(value)
    assert (str(key), key_text(value), key_text(key)) == (text, text, text)
    assert from_text(text) == key
    assert type(plain(key)) is type(value)
    assert key == value or value is None
    for again in (as_key(key), copy.deepcopy(key), pickle.loads(pickle.dumps(key))):
        assert (again, hash(again), str(again)) == (key, hash(key), text)
    read = from_text(exact_text(value))
    if not isinstance(value, uuid.UUID):
        assert bson.encode({"": plain(read)}) == bson.encode({"": value})


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "1.5", "True", "None", str(OID), "$num:", "$num:01", "$num:x", "$num:1\n"),
        *("$oid:1", "$x:1", "$bool:True", "$date:2024", "$bson:!", "$bson:BwAAAAoAAA", "{'a': 1}"),
    ],
)
def test_other_strings_are_keys_themselves(text: str) -> None:
    assert from_text(text) == text
    assert type(from_text(text)) is str
    assert as_key(text) is text
    assert key_text(text) == text


def test_keys_that_the_server_tells_apart_are_not_equal() -> None:
    values = [1, "1", True, None, Decimal128("0.1"), 0.1, {"a": 1, "b": 2}, {"b": 2, "a": 1}]
    keys = [as_key(value) for value in values]
    assert len({*keys}) == len({str(key) for key in keys}) == len(keys)
    assert as_key(None) != None  # noqa: E711  (as Django asks whether there is a key)
    assert as_key(float("nan")) == as_key(float("nan"))
    assert as_key(1) == as_key(Int64(1)) == as_key(1.0)


def test_all_keys_have_an_order() -> None:
    keys = [as_key(value) for value, _ in KEYS if getattr(value, "tzinfo", None) is None]
    keys += ["a", "b", as_key(float("nan")), as_key({"a": 2}), as_key(3)]
    once = [key_text(key) for key in sorted(keys)]
    for seed in range(20):
        random.Random(seed).shuffle(keys)
        assert [key_text(key) for key in sorted(keys)] == once
    assert as_key(2) < 3 < as_key(4)
    assert as_key(3) <= 3 <= as_key(3)


def test_code_is_a_string() -> None:
    code = Code("f()", {"a": 1})
    assert as_key(code) is code
    assert not isinstance(as_key(code), Key)
