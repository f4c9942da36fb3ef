"""Ranges of files, and files whose chunks are not what they should be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from djongo_services.storage import CorruptFile, FileChanged
from djongo_services.storage.bucket import Bucket
from tests.storage.bucket.conftest import Commands
from tests.storage.bucket.flavours import Flavour

CONTENT = b"0123456789"


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=60),
    chunk_size=st.integers(1, 70),
    ends=st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
def test_any_range_of_any_file(
    either: Any, content: bytes, chunk_size: int, ends: tuple[int, int]
) -> None:
    stored = either.upload("any", content, chunk_size=chunk_size)
    start, stop = sorted(min(end, len(content)) for end in ends)
    assert b"".join(either.read(stored, start, stop)) == content[start:stop]
    assert either.read_bytes(stored) == content


def test_ranges_at_all_borders(either: Any) -> None:
    for chunk_size in (1, 2, 3, 9, 10, 11):
        stored = either.upload("digits", CONTENT, chunk_size=chunk_size)
        for start in range(11):
            for stop in range(start, 11):
                pieces = list(either.read(stored, start, stop))
                assert b"".join(pieces) == CONTENT[start:stop]
                assert all(0 < len(piece) <= chunk_size for piece in pieces)


def test_what_is_no_range_of_the_file(either: Any) -> None:
    stored = either.upload("digits", CONTENT)
    for start, stop in [(-1, 5), (0, 11), (6, 5), (11, 11)]:
        with pytest.raises(ValueError, match=f"lies within 0 and 10, not {start} to {stop}"):
            list(either.read(stored, start, stop))


def test_a_range_asks_for_its_chunks_only(either: Any, commands: Commands) -> None:
    stored = either.upload("many", bytes(10_000), chunk_size=10)
    commands.sent.clear()
    assert b"".join(either.read(stored, 5_005, 5_025)) == bytes(20)
    (find,) = commands.named("find", "getMore")
    assert find["filter"] == {"files_id": {"$eq": stored.id}, "n": {"$gte": 500, "$lte": 502}}
    commands.sent.clear()
    assert list(either.read(stored, 7, 7)) == []
    assert commands.sent == []


def test_batches_of_tiny_chunks_are_bounded(either: Any, commands: Commands) -> None:
    stored = either.upload("tiny", bytes(2_500), chunk_size=1)
    assert max(len(each["documents"]) for each in commands.named("insert")) <= 1_000
    commands.sent.clear()
    assert either.read_bytes(stored) == bytes(2_500)
    asked = commands.named("find", "getMore")
    assert max(each["batchSize"] for each in asked) <= 1_000
    assert len(asked) == 4


def test_the_first_bytes_come_before_the_last_are_asked_for(
    database: Database[Any], commands: Commands
) -> None:
    flavour = Flavour(database, "sync", event_listeners=[commands])
    bucket = flavour.make()
    stored = bucket.upload("many", bytes(100), chunk_size=1)
    commands.sent.clear()
    reading = bucket.read(stored)
    next(reading)
    (find,) = commands.named("find")
    assert find["limit"] == 4
    reading.close()
    flavour.close()


def test_closing_early_frees_the_cursor(database: Database[Any], commands: Commands) -> None:
    flavour = Flavour(database, "sync", event_listeners=[commands])
    bucket = flavour.make()
    stored = bucket.upload("many", bytes(10_000), chunk_size=1)
    reading = bucket.read(stored)
    for _ in range(10):
        next(reading)
    reading.close()
    assert commands.names[-1] == "killCursors"
    flavour.close()


@pytest.mark.parametrize("content", [b"", CONTENT])
def test_empty_chunks_at_the_end_are_tolerated(
    database: Database[Any], either: Any, content: bytes
) -> None:
    stored = either.upload("a", content, chunk_size=5)
    for n in range(2):
        extra = stored.chunk_count + n
        database.fs.chunks.insert_one({"files_id": stored.id, "n": extra, "data": b""})
    assert either.read_bytes(stored) == content


def replace(database: Database[Any], n: int, data: Any) -> None:
    database.fs.chunks.update_one({"n": n}, {"$set": {"data": data}})


def remove(database: Database[Any], n: int) -> None:
    database.fs.chunks.delete_one({"n": n})


def add(database: Database[Any], n: int, data: Any) -> None:
    files_id = database.fs.files.find_one()["_id"]
    database.fs.chunks.insert_one({"files_id": files_id, "n": n, "data": data})


def twice(database: Database[Any], n: int) -> None:
    database.fs.chunks.drop_indexes()
    add(database, n, b"56789")


DAMAGE: dict[str, tuple[Any, str]] = {
    "missing at the beginning": ((remove, 0), "chunk 0 is missing"),
    "missing in the middle": ((remove, 1), "chunk 1 is missing"),
    "missing at the end": ((remove, 2), "chunk 2 is missing"),
    "too short": ((replace, 1, b"567"), "chunk 1 has 3 bytes, not 5"),
    "too short at the end": ((replace, 2, b""), "chunk 2 has 0 bytes, not 1"),
    "too long": ((replace, 1, b"567890"), "chunk 1 has 6 bytes, not 5"),
    "too long at the end": ((replace, 2, b"ab"), "chunk 2 has 2 bytes, not 1"),
    "no bytes": ((replace, 1, "text"), "chunk 1 contains no binary data"),
    "one more": ((add, 3, b"b"), "chunk 3 is one more than its 11 bytes need"),
    "twice": ((twice, 1), "chunk 1 is there twice"),
}


def test_damaged_files(database: Database[Any], either: Any) -> None:
    for (how, *arguments), sentence in DAMAGE.values():
        stored = either.upload("a.txt", b"0123456789a", chunk_size=5)
        how(database, *arguments)
        with pytest.raises(CorruptFile) as caught:
            either.read_bytes(stored)
        assert str(caught.value) == f"The file 'a.txt' (id {stored.id!r}) is damaged: {sentence}."
        assert type(caught.value) is CorruptFile
        either.delete(stored.id)


def test_an_empty_file_with_bytes(database: Database[Any], either: Any) -> None:
    stored = either.upload("a.txt", b"")
    add(database, 0, b"b")
    with pytest.raises(CorruptFile, match="chunk 0 is one more than its 0 bytes need"):
        either.read_bytes(stored)


def test_ranges_beside_the_damage_can_be_read(database: Database[Any], either: Any) -> None:
    stored = either.upload("a.txt", b"0123456789a", chunk_size=5)
    remove(database, 1)
    assert b"".join(either.read(stored, 0, 5)) == b"01234"
    assert b"".join(either.read(stored, 10, 11)) == b"a"
    with pytest.raises(CorruptFile, match="chunk 1 is missing"):
        list(either.read(stored, 4, 6))


def test_a_file_that_was_deleted_meanwhile(database: Database[Any], either: Any) -> None:
    stored = either.upload("a.txt", CONTENT)
    either.delete(stored.id)
    with pytest.raises(FileChanged, match="was deleted while it was read"):
        either.read_bytes(stored)


def test_a_file_deleted_in_the_middle_of_it(bucket: Bucket) -> None:
    stored = bucket.upload("a.txt", bytes(100), chunk_size=1)
    reading = bucket.read(stored)
    assert next(reading) == b"\0"
    bucket.delete(stored.id)
    with pytest.raises(FileChanged, match="was deleted while it was read"):
        list(reading)


def test_a_replaced_file_is_never_mixed(bucket: Bucket) -> None:
    """Another file of the same name has another id."""
    old = bucket.upload("a.txt", b"o" * 100, chunk_size=1)
    reading = bucket.read(old)
    first = [next(reading) for _ in range(3)]
    bucket.upload("a.txt", b"n" * 100, chunk_size=1)
    bucket.delete(old.id)
    with pytest.raises(FileChanged):
        first.extend(reading)
    assert set(first) == {b"o"}


def test_a_file_that_another_reader_prefers_from_secondaries(
    flavour: Flavour, database: Database[Any]
) -> None:
    from pymongo import ReadPreference

    bucket = flavour.make(read_preference=ReadPreference.SECONDARY_PREFERRED)
    stored = bucket.upload("a.txt", CONTENT, chunk_size=3)
    assert bucket.read_bytes(stored) == CONTENT
    remove(database, 2)
    with pytest.raises(CorruptFile, match="chunk 2 is missing"):
        bucket.read_bytes(stored)
    bucket.delete(stored.id)
    with pytest.raises(FileChanged):
        bucket.read_bytes(stored)
