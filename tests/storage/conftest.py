"""A separate connection for each test, and storages on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from djongo_services.storage.bucket import Bucket

MakeStorage = Callable[..., GridFSStorage]


def connect(settings: Any, database: Database[Any]) -> Database[Any]:
    """Make ``database`` that of the connection "default"; the same through its client."""
    host, port = database.client.address or ("127.0.0.1", 27017)
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {
            "default": {
                "HOST": f"mongodb://{host}:{port}/?directConnection=false",
                "NAME": database.name,
            }
        }
    }
    return connections["default"].database


@pytest.fixture
def connected(settings, database):
    """The database of the connection "default", new and empty, on MongoDB 6.0."""
    yield connect(settings, database)
    connections.close_all()


@pytest.fixture
def matrix_connected(settings, matrix_database):
    """The same on each supported version of the server."""
    yield connect(settings, matrix_database)
    connections.close_all()


@pytest.fixture
def bucket(connected) -> Bucket:
    return Bucket(connected, "fs")


@pytest.fixture
def storage(connected) -> GridFSStorage:
    return GridFSStorage()


@pytest.fixture
def matrix_storage(matrix_connected) -> GridFSStorage:
    return GridFSStorage()


def nothing_left(database: Database[Any], bucket: str = "fs") -> bool:
    """Whether a bucket contains no file and no chunk."""
    return not any(
        database[f"{bucket}.{kind}"].find_one({}, {"_id": 1}) for kind in ("files", "chunks")
    )
