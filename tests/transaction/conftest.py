"""Connections to the test's own database, and the server's own view of its transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.collection import Collection
from pymongo.database import Database

from djongo_services.connections import connections
from tests.databases import drop


def uri_of(database: Database[Any]) -> str:
    host, port = database.client.address
    return f"mongodb://{host}:{port}/"


def entry(database: Database[Any], **options: Any) -> dict[str, Any]:
    return {"HOST": uri_of(database), "NAME": database.name, "OPTIONS": options}


@pytest.fixture
def configured(settings: Any) -> Iterator[Callable[..., None]]:
    """``configured(database, TRANSACTION={...})``: the connections "default" and "second"."""

    def configure(database: Database[Any], **services: Any) -> None:
        settings.DJONGO_SERVICES = {
            "CONNECTIONS": {
                "default": entry(database),
                "second": {**entry(database), "NAME": f"{database.name}_2"},
            },
            **services,
        }

    yield configure
    connections.close_all()


@pytest.fixture
def mongo(database: Database[Any], configured: Callable[..., None]) -> Iterator[Database[Any]]:
    """The database of the connection "default", on the newest server."""
    configured(database)
    yield connections["default"].database
    drop(database.client[f"{database.name}_2"])


@pytest.fixture
def each_mongo(
    matrix_database: Database[Any], configured: Callable[..., None]
) -> Iterator[Database[Any]]:
    """The same on every version of the server."""
    configured(matrix_database)
    yield connections["default"].database
    drop(matrix_database.client[f"{matrix_database.name}_2"])


@pytest.fixture
async def async_mongo(mongo: Database[Any]) -> AsyncIterator[AsyncDatabase[Any]]:
    """The async database of "default"; closes the running loop's clients afterwards."""
    yield connections["default"].async_database
    for alias in connections:
        await connections[alias].aclose()


@pytest.fixture
async def each_async_mongo(each_mongo: Database[Any]) -> AsyncIterator[AsyncDatabase[Any]]:
    yield connections["default"].async_database
    for alias in connections:
        await connections[alias].aclose()


@pytest.fixture
def outside(database: Database[Any]) -> Database[Any]:
    """The same database through a client that takes no part in any transaction."""
    return database


def open_transactions(client: MongoClient[Any]) -> int:
    """How many the server counts as open."""
    with client.start_session() as session:
        status = client.admin.command("serverStatus", session=session)
    return int(status["transactions"]["currentOpen"])


def committed(collection: Collection[Any]) -> int:
    """How many documents everybody else sees, asked from within a block too."""
    with collection.database.client.start_session() as session:
        return collection.count_documents({}, session=session)


@contextmanager
def failing(
    client: MongoClient[Any], *commands: str, times: int, **how: Any
) -> Iterator[Callable[[], None]]:
    """The server's fail point: ``failing(client, "insert", times=1, errorCode=112)``.

    Gives a function that waits, in the calling thread, until a command has met it.
    """
    with client.start_session() as session:
        before: int = client.admin.command(
            {
                "configureFailPoint": "failCommand",
                "mode": {"times": times},
                "data": {"failCommands": list(commands), **how},
            },
            session=session,
        )["count"]

        def wait_until_met() -> None:
            wait = {"waitForFailPoint": "failCommand", "timesEntered": before + 1}
            with client.start_session() as own:
                client.admin.command({**wait, "maxTimeMS": 20_000}, session=own)

        try:
            yield wait_until_met
        finally:
            client.admin.command(
                {"configureFailPoint": "failCommand", "mode": "off"}, session=session
            )
