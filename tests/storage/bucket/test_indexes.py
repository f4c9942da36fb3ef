"""The indexes of a bucket: they exist after the first write, and are created only once."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from djongo_services.storage.bucket import Bucket, indexes
from djongo_services.transaction.current import joined
from tests.storage.bucket.conftest import Commands
from tests.storage.bucket.flavours import Flavour
from tests.storage.conftest import nothing_left
from tests.transaction.conftest import committed, failing, uri_of

pytestmark = pytest.mark.versions


def keys(collection: Any) -> list[dict[str, int]]:
    return [dict(index["key"]) for index in collection.list_indexes()]


SPECIFIED = [{"_id": 1}, {"filename": 1, "uploadDate": 1}]
OF_CHUNKS = [{"_id": 1}, {"files_id": 1, "n": 1}]


@pytest.mark.parametrize("content", [b"", b"content"])
def test_both_are_there_after_the_first_file(
    database: Database[Any], either: Any, content: bytes
) -> None:
    either.upload("a", content)
    assert keys(database.fs.files) == SPECIFIED
    assert keys(database.fs.chunks) == OF_CHUNKS
    assert database.fs.chunks.index_information()["files_id_1_n_1"]["unique"]


def test_on_every_server(matrix_flavour: Flavour, matrix_database: Database[Any]) -> None:
    bucket = matrix_flavour.make(exclusive=True)
    bucket.upload("a", b"content", metadata={"exclusive": True})
    files = matrix_database.fs.files
    assert keys(files) == [*SPECIFIED, {"filename": 1}, {"metadata.aliases.name": 1}]
    assert keys(matrix_database.fs.chunks) == OF_CHUNKS


def test_reading_creates_nothing(database: Database[Any], either: Any) -> None:
    assert list(either.find()) == []
    either.delete_many(["a"])
    assert database.list_collection_names() == []


def test_once_per_process_and_bucket(either: Any, flavour: Flavour, commands: Commands) -> None:
    either.upload("a", b"")
    assert commands.names.count("createIndexes") == 2
    commands.sent.clear()
    flavour.make().upload("b", b"")
    assert commands.names == ["insert"]
    flavour.make("other").upload("b", b"")
    assert commands.names.count("createIndexes") == 2


def test_again_when_the_bucket_was_forgotten(database: Database[Any]) -> None:
    bucket = Bucket(database)
    bucket.upload("a", b"")
    database.fs.files.drop()
    indexes.forget(bucket.layout)
    bucket.upload("a", b"")
    assert keys(database.fs.files) == SPECIFIED


def test_existing_ones_are_taken_as_they_are(
    database: Database[Any], flavour: Flavour, commands: Commands
) -> None:
    """Shells write their numbers as doubles, and name them as they like."""
    for collection, key, unique in [
        ("fs.files", {"filename": 1.0, "uploadDate": 1.0}, False),
        ("fs.chunks", {"files_id": 1.0, "n": 1.0}, True),
    ]:
        index = {"key": key, "name": "as they like", "unique": unique}
        database.command("createIndexes", collection, indexes=[index])
    flavour.make().upload("a", b"content")
    assert "createIndexes" not in commands.names


def test_another_index_in_its_place(
    database: Database[Any], flavour: Flavour, commands: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    database.fs.files.create_index("filename")
    database.fs.chunks.create_index([("files_id", 1), ("n", 1)], sparse=True)
    bucket = flavour.make()
    with caplog.at_level(logging.WARNING, "djongo_services.storage"):
        for _ in range(3):
            bucket.upload("a", b"content")
    (record,) = caplog.records
    assert "fs.chunks has no index on files_id, n, because there is another" in (
        record.getMessage()
    )
    assert commands.names.count("createIndexes") == 2
    assert {"filename": 1, "uploadDate": 1} in keys(database.fs.files)


def test_chunks_that_are_there_twice(
    database: Database[Any], flavour: Flavour, commands: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    database.fs.chunks.insert_many([{"files_id": 1, "n": 0, "data": b""}] * 1)
    database.fs.chunks.insert_one({"files_id": 1, "n": 0, "data": b""})
    bucket = flavour.make()
    with caplog.at_level(logging.WARNING, "djongo_services.storage"):
        for _ in range(3):
            assert bucket.read_bytes(bucket.upload("a", b"content")) == b"content"
    (record,) = caplog.records
    assert "because existing documents violate it" in record.getMessage()
    assert commands.names.count("createIndexes") == 2


def test_a_user_who_may_not_create_any(
    database: Database[Any], flavour: Flavour, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = flavour.make()
    with (
        caplog.at_level(logging.WARNING, "djongo_services.storage"),
        failing(database.client, "listIndexes", "createIndexes", times=2, errorCode=13),
    ):
        for _ in range(3):
            bucket.upload("a", b"content")
    assert len(caplog.records) == 2
    assert "because the user may neither look for it nor create it" in caplog.text
    assert database.fs.files.count_documents({}) == 3


def test_other_errors_are_raised_and_leave_nothing(
    database: Database[Any], flavour: Flavour
) -> None:
    from pymongo.errors import OperationFailure

    bucket = flavour.make()
    with (
        failing(database.client, "createIndexes", times=1, errorCode=14),
        pytest.raises(OperationFailure),
    ):
        bucket.upload("a", b"content")
    assert nothing_left(database)
    bucket.upload("a", b"content")
    assert keys(database.fs.chunks) == OF_CHUNKS


def test_a_transaction_that_holds_the_collection(
    database: Database[Any], commands: Commands
) -> None:
    """Waiting for it would never end; the index is created after it has ended."""
    with MongoClient[Any](uri_of(database), event_listeners=[commands]) as client:
        bucket = Bucket(client[database.name])
        with client.start_session() as session, session.bind(), session.start_transaction():
            assert list(bucket.find()) == []
            for number in range(3):
                bucket.upload(f"{number}", b"content")
            assert commands.names.count("createIndexes") == 1
            assert committed(database.fs.files) == 0
        assert keys(database.fs.files) == SPECIFIED
        assert keys(database.fs.chunks) == OF_CHUNKS
        assert database.fs.files.count_documents({}) == 3
        commands.sent.clear()
        bucket.upload("again", b"content")
        assert commands.names == ["insert", "insert"]


def test_many_threads_at_once(matrix_database: Database[Any]) -> None:
    buckets = [Bucket(matrix_database) for _ in range(8)]
    begin = threading.Barrier(8)
    failed: list[BaseException] = []

    def upload(bucket: Bucket) -> None:
        begin.wait()
        try:
            bucket.upload("a", b"content")
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=upload, args=[bucket]) for bucket in buckets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert matrix_database.fs.files.count_documents({}) == 8
    assert keys(matrix_database.fs.files) == SPECIFIED


UPLOADER = """
import sys
from pymongo import MongoClient
from djongo_services.storage.bucket import Bucket

uri, name = sys.argv[1:]
with MongoClient(uri) as client:
    client.admin.command("ping")
    print("ready", flush=True)
    for number in sys.stdin.readline().split():
        Bucket(client[name], f"fs{number}", exclusive=True).upload("a", b"content")
"""


@pytest.fixture
def uploaders(database: Database[Any]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ready to create the buckets whose numbers they receive."""
    command = [sys.executable, "-c", UPLOADER, uri_of(database), database.name]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)
    ]
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def test_several_processes_create_the_same_buckets(
    uploaders: list[subprocess.Popen[str]], database: Database[Any]
) -> None:
    for process in uploaders:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in uploaders:
        assert process.stdin is not None
        process.stdin.write(" ".join(map(str, range(10))) + "\n")
        process.stdin.flush()
    for process in uploaders:
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
    for number in range(10):
        files = database[f"fs{number}.files"]
        assert files.count_documents({}) == 3
        assert keys(files) == [*SPECIFIED, {"filename": 1}, {"metadata.aliases.name": 1}]
        assert keys(database[f"fs{number}.chunks"]) == OF_CHUNKS


def test_without_a_transaction(database: Database[Any]) -> None:
    assert joined(database.client) is None
