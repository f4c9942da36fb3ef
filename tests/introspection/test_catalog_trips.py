"""How many commands the catalog takes, and what it does when the database changes under it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ServerSelectionTimeoutError
from pymongo.monitoring import CommandListener, CommandSucceededEvent

from djongo_services.embedded import MongoServer
from djongo_services.embedded.addresses import free_port
from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Catalog

Mongo = Database[dict[str, Any]]


class Listener(CommandListener):
    """Counts commands, and calls ``then`` once when ``after`` has succeeded."""

    def __init__(self, after: str = "", then: Callable[[], object] = lambda: None) -> None:
        self.counts: Counter[str] = Counter()
        self.after, self.then = after, then

    def started(self, event: Any) -> None:
        self.counts[event.command_name] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if event.command_name == self.after:
            self.after = ""
            self.then()

    def failed(self, event: Any) -> None:
        pass


def listened(database: Mongo, listener: Listener, **options: Any) -> Catalog:
    host, port = database.client.primary or ("", 0)
    with MongoClient[dict[str, Any]](
        host, port, directConnection=True, event_listeners=[listener]
    ) as client:
        return read_catalog(client[database.name], **options)


def test_sixty_collections(database: Mongo) -> None:
    for number in range(60):
        database[f"c{number}"].create_index("a")
    listener = Listener()
    catalog = listened(database, listener)
    assert len(catalog.collections) == 60
    # Statistics, usage and multikey: two batches each.
    commands = {"listCollections": 1, "listIndexes": 60, "aggregate": 6}
    server = {"hello": 1, "buildInfo": 1, "getParameter": 1}
    assert listener.counts - Counter({"endSessions": 1}) == Counter(commands | server)


def test_only_what_is_asked_for(database: Mongo) -> None:
    database["things"].create_index("a")
    known = read_catalog(database).server
    listener = Listener()
    listened(database, listener, abilities=known, statistics=False, usage=False, multikey=False)
    assert listener.counts - Counter({"endSessions": 1}) == Counter(
        {"listCollections": 1, "listIndexes": 1}
    )


def test_views_are_not_asked_about(database: Mongo) -> None:
    database.create_collection("view", viewOn="missing", pipeline=[])
    listener = Listener()
    catalog = listened(database, listener, names=["view"])
    assert [found.name for found in catalog.collections] == ["view"]
    assert listener.counts["listIndexes"] == listener.counts["aggregate"] == 0


def test_before_6_0_the_planner_is_asked_for_each_index(
    mongodb_servers: Callable[[str], MongoServer],
) -> None:
    with mongodb_servers("5.0").client() as client:
        database = client["test_catalog_explained"]
        database["things"].create_indexes([_model("a"), _model("b"), _model("$**")])
        listener = Listener()
        try:
            listened(database, listener)
        finally:
            client.drop_database(database)
    assert listener.counts["explain"] == 2


@pytest.mark.parametrize("statistics", [True, False])
def test_a_collection_dropped_meanwhile_is_left_out(
    matrix_database: Mongo, statistics: bool
) -> None:
    for name in ("a", "b", "c"):
        matrix_database[name].insert_one({})
    listener = Listener("listCollections", lambda: matrix_database.drop_collection("b"))
    catalog = listened(matrix_database, listener, statistics=statistics)
    assert [found.name for found in catalog.collections] == ["a", "c"]
    for found in catalog.collections:
        assert found.unavailable == ()
        assert (found.statistics is not None) is statistics
        assert found.indexes[0].usage


def test_an_unreachable_server_is_pymongos_error() -> None:
    with (
        MongoClient[dict[str, Any]](
            "127.0.0.1", free_port(), serverSelectionTimeoutMS=100
        ) as client,
        pytest.raises(ServerSelectionTimeoutError),
    ):
        read_catalog(client["nothing"])


def _model(key: str) -> Any:
    from pymongo import IndexModel

    return IndexModel(key)
