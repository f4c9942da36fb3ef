"""A replica set of three that may be disturbed, and storages on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect
from pymongo.read_concern import ReadConcern

from djongo_services.connections import connections
from djongo_services.embedded import MongoServer
from djongo_services.storage.bucket import Bucket
from tests.databases import drop
from tests.members import primary_of

Mongo = Database[dict[str, Any]]


@pytest.fixture(scope="package")
def replica_set() -> Iterator[MongoServer]:
    with MongoServer(members=3, test_commands=True) as server:
        yield server


@pytest.fixture
def outside(replica_set: MongoServer) -> Iterator[Mongo]:
    """The documents that a majority holds, read by a client that joins no transaction."""
    replica_set.wait_until_ready()
    with replica_set.client() as client:
        name = f"test_{uuid.uuid4().hex}"
        yield client.get_database(name, read_concern=ReadConcern("majority"))
        replica_set.wait_until_ready()
        drop(client[name])


@pytest.fixture
def mongo(replica_set: MongoServer, outside: Mongo, settings: Any) -> Iterator[Mongo]:
    """The database of the connection "default"."""
    entry = {
        "HOST": replica_set.uri,
        "NAME": outside.name,
        "OPTIONS": {"heartbeatFrequencyMS": 500},
    }
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": entry}}
    yield connections["default"].database
    connections.close_all()


def sound(database: Mongo) -> dict[str, int]:
    """The files that there are and their lengths; each is read as a whole."""
    bucket = Bucket(database)
    found = {}
    for stored in bucket.find():
        assert len(bucket.read_bytes(stored)) == stored.length
        found[str(stored.filename)] = stored.length
    return found


def orphans(database: Mongo) -> int:
    """Chunks of no file."""
    ids = database.fs.files.distinct("_id")
    return database.fs.chunks.count_documents({"files_id": {"$nin": ids}})


def step_down(server: MongoServer) -> None:
    address = primary_of(server).address
    with MongoClient[Any](address, directConnection=True) as client, suppress(AutoReconnect):
        client.admin.command("replSetStepDown", 2, force=True, secondaryCatchUpPeriodSecs=1)


@contextmanager
def fail_point(address: str, name: str) -> Iterator[Callable[[], Any]]:
    """Set a fail point on one member; the function that this returns waits until it is reached."""
    with MongoClient[Any](address, directConnection=True) as client:
        point = {"configureFailPoint": name}
        before = client.admin.command({**point, "mode": "alwaysOn"})["count"]
        wait = {"waitForFailPoint": name, "timesEntered": before + 1, "maxTimeMS": 60_000}
        try:
            yield lambda: client.admin.command(wait) and None
        finally:
            client.admin.command({**point, "mode": "off"})


def apart(work: Callable[[], None]) -> None:
    """Run in a separate thread, which joins no transaction."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(work).result()
