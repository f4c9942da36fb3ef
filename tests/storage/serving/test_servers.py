"""Real servers: what a client that goes away, or a file that breaks, leaves behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.storage.bucket import Bucket
from tests.embedded.program import until
from tests.storage.serving.server import RunningServer, running_server

MB = 1024 * 1024
OURS = "djongo_services.middleware.MongoTransactionMiddleware"


@pytest.fixture(params=["wsgi", "asgi"])
def server(request: pytest.FixtureRequest, database: Database[Any]) -> Iterator[RunningServer]:
    with running_server(request.param, database) as running:
        yield running


def open_cursors(database: Database[Any]) -> int:
    """Those on the chunks of the test's own database."""
    wanted = {"type": "idleCursor", "ns": f"{database.name}.fs.chunks"}
    found = database.client.admin.aggregate(
        [{"$currentOp": {"idleCursors": True, "allUsers": True}}, {"$match": wanted}]
    )
    return len(list(found))


def test_a_client_that_goes_away_frees_the_cursor(
    server: RunningServer, database: Database[Any]
) -> None:
    Bucket(database).upload("a", os.urandom(40 * MB))
    with server.asked("/media/a") as connection:
        assert connection.recv(1000).startswith(
            b"HTTP/1.1 200 OK" if server.kind == "asgi" else b"HTTP/1.0 200 OK"
        )
        assert until(lambda: open_cursors(database) == 1)
    assert until(lambda: open_cursors(database) == 0, 20)
    head, body = server.get("/media/a", Range="bytes=0-9")
    assert len(body) == 10
