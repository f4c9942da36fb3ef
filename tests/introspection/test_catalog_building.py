"""An index that is still being built is shown as such."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import IndexModel
from pymongo.database import Database

from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Index, IndexBuild

Mongo = Database[dict[str, Any]]
POINT = "hangAfterStartingIndexBuild"


@contextmanager
def building(database: Mongo, models: list[IndexModel]) -> Iterator[None]:
    """The builds of ``models`` on ``things`` are paused after their scan of the collection."""
    admin = database.client.admin
    before = admin.command("configureFailPoint", POINT, mode="alwaysOn")["count"]
    thread = threading.Thread(target=database["things"].create_indexes, args=(models,))
    thread.start()
    try:
        admin.command("waitForFailPoint", POINT, timesEntered=before + 1, maxTimeMS=20_000)
        yield
    finally:
        admin.command("configureFailPoint", POINT, mode="off")
        thread.join(20)
    assert not thread.is_alive()


def by_name(database: Mongo) -> dict[str, Index]:
    return {index.name: index for index in read_catalog(database)["things"].indexes}


def test_progress_of_each_index(matrix_database: Mongo) -> None:
    matrix_database["things"].insert_many([{"a": number} for number in range(50)])
    matrix_database["things"].create_index("ready")
    with building(matrix_database, [IndexModel("a"), IndexModel("b", name="second")]):
        during = by_name(matrix_database)
    after = by_name(matrix_database)
    assert list(during) == ["_id_", "ready_1", "a_1", "second"]
    assert during["_id_"].build is None
    assert during["ready_1"].build is None
    assert during["a_1"].build == during["second"].build == IndexBuild(done=50, total=50)
    assert during["a_1"].keys == (("a", 1),)
    assert during["a_1"].definition == {"v": 2, "key": {"a": 1}, "name": "a_1"}
    assert during["second"].properties == ("building",)
    assert after["a_1"].build is None
    assert after["second"].properties == ()


def test_builds_of_other_collections_are_kept_apart(matrix_database: Mongo) -> None:
    matrix_database["things"].insert_many([{"a": number} for number in range(5)])
    matrix_database["others"].create_index("a")
    with building(matrix_database, [IndexModel("a")]):
        found = read_catalog(matrix_database)
    assert found["others"].indexes[1].build is None
    assert found["things"].indexes[1].build == IndexBuild(done=5, total=5)
    assert found.unavailable == ()
