"""A sharded cluster as its clients see it: two routers in front of the tests' own server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.embedded import MongoServer
from tests.databases import drop
from tests.sharded.proxy import Cluster, Router


@dataclass(frozen=True)
class Sharded:
    cluster: Cluster
    routers: tuple[Router, Router]

    @property
    def uri(self) -> str:
        return f"mongodb://{','.join(each.address for each in self.routers)}/"

    def routers_of(self, name: str) -> list[str]:
        """The routers to which commands of this name came, in order."""
        return [router for router, command in self.cluster.commands if command == name]


@pytest.fixture
def sharded(mongodb_server: MongoServer) -> Iterator[Sharded]:
    host, _, port = mongodb_server.members[0].address.partition(":")
    cluster = Cluster((host, int(port)))
    with Router(cluster) as first, Router(cluster) as second:
        yield Sharded(cluster, (first, second))


@pytest.fixture
def outside(mongodb_server: MongoServer) -> Iterator[Database[dict[str, Any]]]:
    """A separate database as the shard has it, read without a router."""
    with mongodb_server.client() as client:
        database = client[f"test_{uuid.uuid4().hex}"]
        yield database
        drop(database)


@pytest.fixture
def mongo(
    sharded: Sharded, outside: Database[Any], settings: Any
) -> Iterator[Database[dict[str, Any]]]:
    """The same through the connection "default", which uses both routers."""
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": {"HOST": sharded.uri, "NAME": outside.name}}
    }
    yield connections["default"].database
    connections.close_all()


@pytest.fixture
def client(sharded: Sharded) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](sharded.uri) as client:
        yield client
