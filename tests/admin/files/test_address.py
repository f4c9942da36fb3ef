"""Ids and buckets in URLs: whatever was written is read again as the same."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, ObjectId, Timestamp

from djongo_services.admin.files.address import (
    LONGEST_ID,
    BucketAddress,
    FileAddress,
    id_of,
    id_text,
    parse,
)

IDS: list[Any] = [
    ObjectId("0123456789abcdef01234567"),
    "0123456789abcdef01234567",
    "text/with/slashes",
    "<script>\u202e\n\0",
    7,
    Int64(2**40),
    1.5,
    float("inf"),
    Decimal128("1.10"),
    True,
    None,
    b"\x00\xff",
    Binary.from_uuid(UUID(int=5)),
    Binary(b"old", 3),
    {"a": 1, "b": {"c": [1, "x"]}},
    {"$where": "1"},
    dt.datetime(2026, 11, 26, tzinfo=dt.UTC),
    DatetimeMS(10**15),
    Timestamp(1, 2),
    Code("f()"),
    MaxKey(),
]


@pytest.mark.parametrize("id", IDS, ids=repr)
def test_ids(id: Any) -> None:
    text = id_text(id)
    assert text is not None
    found = id_of(text)
    assert found == id
    assert id_text(found) == text
    for bucket in ("media", "a/b", "ünder.scores", "%2F"):
        address = BucketAddress(alias="archive", bucket=bucket).file(id)
        assert address is not None
        assert parse(address.key, ["archive", "other"]) == address


def test_ids_that_no_address_carries() -> None:
    assert id_text("x" * LONGEST_ID) is None
    assert id_text("\ud800") is None
    assert BucketAddress(alias="a", bucket="b").file("x" * 5_000) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "123456789012345678901234567",
        "0123456789ABCDEF01234567",
        "7",
        '{"$oid": "0123456789abcdef01234567"}',
        '{"$date": "never"}',
        '{"$binary": 5}',
        "[" * 5_000,
        "{",
    ],
)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="id"):
        id_of(text)


@pytest.mark.parametrize("key", ["", "archive", "archive/", "unknown/media", "archive/m%00x"])
def test_what_is_no_key(key: str) -> None:
    assert parse(key, ["archive"]) is None


def test_keys_of_buckets_and_files() -> None:
    assert parse("archive/media", ["archive"]) == BucketAddress(alias="archive", bucket="media")
    found = parse('archive/media/"x"', ["archive"])
    assert isinstance(found, FileAddress)
    assert (found.bucket, found.id) == ("media", "x")
    assert parse("archive/media/x", ["archive"]) is None
    # The longest alias that fits is meant.
    assert parse("a/b/media", ["a", "a/b"]) == BucketAddress(alias="a/b", bucket="media")
