"""A replica set of three that may be disturbed, and writers who keep books."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from djongo_services.connections import connections
from djongo_services.embedded import Member, MongoServer
from tests.databases import drop
from tests.transaction.conftest import open_transactions
from tests.transaction.faults.ledger import Ledger, Wrong

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
        drop(client[name])


@pytest.fixture
def mongo(replica_set: MongoServer, outside: Mongo, settings: Any) -> Iterator[Mongo]:
    """The database of the connection "default"."""
    # A server that said falsely that it is no primary is believed again after one heartbeat.
    options = {"heartbeatFrequencyMS": 500}
    entry = {"HOST": replica_set.uri, "NAME": outside.name, "OPTIONS": options}
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": entry}}
    yield connections["default"].database
    connections.close_all()


@pytest.fixture
async def async_mongo(mongo: Mongo) -> AsyncIterator[Any]:
    yield connections["default"].async_database
    await connections["default"].aclose()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def close_books(
    replica_set: MongoServer,
    outside: Mongo,
    ledger: Ledger,
    record_property: Callable[[str, object], None],
) -> Callable[[], None]:
    """Compare the books with the database, and count open transactions on every member.

    The numbers are properties of the test in ``pytest --junitxml``.
    """

    def close() -> None:
        for told in ("committed", "rolled back", "unknown"):
            record_property(told, ledger.count(told))
        for reason, number in ledger.reasons().items():
            record_property(reason, number)
        replica_set.wait_until_ready()
        assert all(work.told is not None for work in ledger.works)
        assert ledger.wrong(outside) == Wrong()
        assert left_open(replica_set) == {member.address: 0 for member in replica_set.members}

    return close


def left_open(server: MongoServer, seconds: float = 3) -> dict[str, int]:
    """Open transactions by member, once there are none or ``seconds`` have passed.

    Some time is needed by operations whose client is gone and which the server still runs; it
    is far from the 60 s after which the server ends transactions by itself.
    """
    deadline = time.monotonic() + seconds
    while True:
        counted = {member.address: open_on(member) for member in server.members}
        if not any(counted.values()) or time.monotonic() > deadline:
            return counted


def open_on(member: Member) -> int:
    with MongoClient[Any](member.address, directConnection=True) as client:
        return open_transactions(client)
