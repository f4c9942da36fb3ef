"""The validators that distinguish one state of a file from another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from bson import ObjectId

from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.serving.conditional import etag_of, last_modified_of

FILE = StoredFile(
    id=ObjectId(),
    filename="a",
    length=5,
    chunk_size=4,
    upload_date=datetime(2024, 5, 6, 7, 8, 9, 999_000, tzinfo=UTC),
    metadata={},
    raw={},
)


def test_of_the_checksum() -> None:
    checksum = "0A" * 32
    assert etag_of(replace(FILE, metadata={"sha256": checksum})) == f'"{checksum.lower()}"'


@pytest.mark.parametrize("other", ['"', "a" * 63, "a" * 65, "g" * 64, "a\r\nb", "", 5, None])
def test_of_what_is_no_checksum(other: object) -> None:
    assert etag_of(replace(FILE, metadata={"sha256": other})) == etag_of(FILE)


def test_without_a_checksum_it_is_of_the_files_document() -> None:
    others = [
        replace(FILE, id=ObjectId()),
        replace(FILE, length=6),
        replace(FILE, upload_date=datetime(2024, 5, 6, 7, 8, 9, 998_000, tzinfo=UTC)),
    ]
    assert len({etag_of(each) for each in (FILE, *others)}) == 4
    assert etag_of(replace(FILE, filename="b")) == etag_of(FILE)


@pytest.mark.parametrize("id", [1, 1.5, "a", b"a", None, {"a": [1]}, datetime(2024, 1, 1)])
def test_ids_of_any_type(id: object) -> None:
    assert len(etag_of(replace(FILE, id=id))) == 66


def test_whole_seconds_of_the_upload() -> None:
    assert last_modified_of(FILE, now=2e9) == 1_714_979_289


def test_never_in_the_future() -> None:
    assert last_modified_of(FILE, now=1_714_979_000.5) == 1_714_979_000


def test_before_1970() -> None:
    old = replace(FILE, upload_date=datetime(1950, 1, 1, tzinfo=UTC))
    assert last_modified_of(old, now=2e9) < 0
