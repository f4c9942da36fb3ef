"""Real servers: what clients that go away, and files that break, leave behind."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.storage.bucket import Bucket
from tests.embedded.program import until
from tests.storage.serving.server import RunningServer, running_server

MB = 1024 * 1024
LARGE = 40 * MB
"""More than fits into the buffers between server and client."""


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def running(request: pytest.FixtureRequest, mongodb_server: MongoServer) -> Iterator[RunningServer]:
    """A server behind MongoTransactionMiddleware, with a separate database."""
    with mongodb_server.client() as client:
        database = client[f"test_{uuid.uuid4().hex}"]
        ours = "djongo_services.middleware.MongoTransactionMiddleware"
        with running_server(request.param, database, middleware=[ours]) as started:
            yield started
        client.drop_database(database.name)


@pytest.fixture
def server(running: RunningServer) -> Iterator[RunningServer]:
    yield running
    for collection in ("fs.files", "fs.chunks"):
        running.database[collection].delete_many({})


@pytest.fixture
def database(server: RunningServer) -> Database[Any]:
    return server.database


@pytest.fixture
def bucket(database: Database[Any]) -> Bucket:
    return Bucket(database)


def cursors(database: Database[Any]) -> list[int]:
    """The server's open ones on the chunks of the test's own database."""
    wanted = {"type": "idleCursor", "ns": f"{database.name}.fs.chunks"}
    found = database.client.admin.aggregate(
        [{"$currentOp": {"idleCursors": True, "allUsers": True}}, {"$match": wanted}]
    )
    return [each["cursor"]["cursorId"] for each in found]


def test_a_client_that_goes_away_frees_the_cursor(
    server: RunningServer, bucket: Bucket, database: Database[Any]
) -> None:
    """This includes clients that disconnect in the middle of a query, which some of these do."""
    bucket.upload("a", os.urandom(LARGE))
    for patience in [0, 1000] * 10:
        with server.asked("/media/a") as connection:
            assert len(connection.recv(patience)) <= patience
            assert until(lambda: len(cursors(database)) == 1, 20)
        assert until(lambda: cursors(database) == [], 20)
    assert server.get("/media/a", Range="bytes=0-9").complete


def test_a_slow_client_s_cursor_may_be_lost(
    server: RunningServer, bucket: Bucket, database: Database[Any]
) -> None:
    """The server closes cursors that are idle for ten minutes; the download continues."""
    content = os.urandom(LARGE)
    bucket.upload("a", content)
    with server.asked("/media/a") as connection:
        head = connection.recv(1000)
        assert until(lambda: len(cursors(database)) == 1, 20)
        database.command("killCursors", "fs.chunks", cursors=cursors(database))
        answer = server.rest(connection, head)
    assert answer.complete
    assert answer.body == content


@pytest.mark.parametrize("change", ["deleted", "overwritten", "corrupted"])
def test_a_file_that_changes_under_the_reader(
    server: RunningServer, bucket: Bucket, database: Database[Any], change: str
) -> None:
    """The connection ends before all of it was sent, and what was sent is of the one file."""
    content = os.urandom(LARGE)
    stored = bucket.upload("a", content)
    with server.asked("/media/a") as connection:
        head = connection.recv(1000)
        assert until(lambda: len(cursors(database)) == 1, 20)
        match change:
            case "deleted":
                bucket.delete(stored.id)
            case "overwritten":
                bucket.upload("a", bytes(LARGE))
                bucket.delete(stored.id)
            case "corrupted":
                wrong = {"$set": {"data": bytes(255 * 1024)}}
                bucket.chunks.update_one({"files_id": stored.id, "n": 155}, wrong)
        answer = server.rest(connection, head)
    assert not answer.complete
    assert 0 < len(answer.body) < LARGE
    if change != "corrupted":
        assert content.startswith(answer.body)


def test_a_file_that_is_damaged_from_its_beginning(server: RunningServer, bucket: Bucket) -> None:
    for name, size in (("small", 10), ("large", LARGE)):
        stored = bucket.upload(name, bytes(size))
        bucket.chunks.delete_one({"files_id": stored.id, "n": 0})
        assert server.get(f"/media/{name}").status == 500


def test_head(server: RunningServer, bucket: Bucket) -> None:
    bucket.upload("a", bytes(LARGE))
    answer = server.get("/media/a", method="HEAD")
    assert (answer.status, answer.length, answer.body) == (200, LARGE, b"")


def test_the_whole_file(server: RunningServer, bucket: Bucket) -> None:
    content = os.urandom(LARGE)
    bucket.upload("a", content)
    answer = server.get("/media/a")
    assert answer.complete
    assert answer.body == content


def test_names_of_all_kinds(server: RunningServer, bucket: Bucket) -> None:
    for name in ("Größe.txt", "日本/語.txt", "a b+c.txt", "100%.txt", "a%41", "a;b=c", "~a"):
        bucket.upload(name, name.encode())
        assert server.get(f"/media/{quote(name)}").body == name.encode()


def test_names_that_no_client_should_send(server: RunningServer, bucket: Bucket) -> None:
    bucket.upload("a", b"content")
    for name in ("%00", "a%00", "%ff", "..%2fa", "%2e%2e/a", "%2fa", "a/../a", "%ed%a0%80"):
        assert server.get(f"/media/{name}").status == 404


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_is_bounded(server: RunningServer, bucket: Bucket) -> None:
    size = 200 * MB
    bucket.upload("a", (bytes(MB) for _ in range(200)))
    server.get("/media/a", Range=f"bytes=0-{20 * MB}")
    before = server.peak_memory()
    answer = server.get("/media/a", keep=False)
    assert (answer.complete, answer.length) == (True, size)
    assert server.peak_memory() - before < 24 * MB
