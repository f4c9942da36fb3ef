"""Facts that the user may not read are None with a reason, never an error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Catalog, Unavailable
from tests.introspection.guarded import GuardedServer, guarded_server

pytestmark = pytest.mark.versions


NAME = "archive"
LIST = {"resource": {"db": NAME, "collection": ""}, "actions": ["listCollections", "find"]}


def on(collection: str, *actions: str) -> dict[str, Any]:
    return {"resource": {"db": NAME, "collection": collection}, "actions": [*actions]}


def may_not(what: str, command: str) -> Unavailable:
    return Unavailable(what=what, reason=f"The database user may not run {command}.")


@pytest.fixture(scope="module", params=["4.4", "6.0"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GuardedServer]:
    with guarded_server(tmp_path_factory.mktemp("guarded"), request.param) as server:
        with server.client("root") as root:
            root[NAME]["notes"].insert_one({"tags": ["a", "b"]})
            root[NAME]["notes"].create_index("tags")
            root[NAME]["people"].insert_many([{}, {}])
            root[NAME].command("collMod", "people", validator={"a": {"$exists": False}})
        yield server


def read(server: GuardedServer, *privileges: Any, roles: tuple[Any, ...] = ()) -> Catalog:
    with server.user(privileges, roles) as client:
        return read_catalog(client[NAME])


def test_all_privileges(server: GuardedServer) -> None:
    with server.client("root") as client:
        catalog = read_catalog(client[NAME])
    assert catalog.unavailable == ()
    assert [found.unavailable for found in catalog.collections] == [(), ()]
    assert all(index.usage for found in catalog.collections for index in found.indexes)


def test_the_role_read_lacks_usage_only(server: GuardedServer) -> None:
    catalog = read(server, roles=({"role": "read", "db": NAME},))
    notes = catalog["notes"]
    assert notes.unavailable == (may_not("usage", "$indexStats"),)
    assert [index.usage for index in notes.indexes] == [None, None]
    assert [index.multikey for index in notes.indexes] == [False, True]
    assert notes.statistics is not None
    assert notes.statistics.count == 1
    assert catalog["people"].validator is not None


def test_listing_alone(server: GuardedServer) -> None:
    catalog = read(server, LIST)
    people = catalog["people"]
    assert people.unavailable == (
        may_not("indexes", "listIndexes"),
        may_not("statistics", "$collStats"),
        may_not("usage", "$indexStats"),
    )
    assert people.indexes == ()
    assert people.statistics is None
    assert people.validator is not None


def test_one_forbidden_collection_takes_nothing_from_the_others(server: GuardedServer) -> None:
    catalog = read(server, LIST, on("notes", "collStats", "indexStats", "listIndexes"))
    notes, people = catalog["notes"], catalog["people"]
    assert notes.unavailable == ()
    assert notes.statistics is not None
    assert notes.statistics.count == 1
    assert all(index.usage for index in notes.indexes)
    assert people.statistics is None
    assert [missing.what for missing in people.unavailable] == ["indexes", "statistics", "usage"]


def test_collections_without_the_privilege_to_list_them(server: GuardedServer) -> None:
    catalog = read(server, on("people", "find", "listIndexes", "collStats"))
    (people,) = catalog.collections
    assert people.name == "people"
    assert people.options == {}
    assert people.validator is None
    assert [index.name for index in people.indexes] == ["_id_"]
    assert people.unavailable == (
        may_not("options", "listCollections"),
        may_not("usage", "$indexStats"),
    )


def test_progress_of_builds(server: GuardedServer) -> None:
    point = "hangAfterStartingIndexBuild"
    with server.client("root") as root:
        before = root.admin.command("configureFailPoint", point, mode="alwaysOn")["count"]
        build = threading.Thread(target=root[NAME]["notes"].create_index, args=("late",))
        build.start()
        try:
            root.admin.command("waitForFailPoint", point, timesEntered=before + 1, maxTimeMS=20_000)
            notes = read(server, roles=({"role": "read", "db": NAME},))["notes"]
        finally:
            root.admin.command("configureFailPoint", point, mode="off")
            build.join(30)
            root[NAME]["notes"].drop_index("late_1")
    late = notes.indexes[-1]
    assert late.name == "late_1"
    assert late.build is not None
    assert (late.build.done, late.build.total) == (None, None)
    assert may_not("builds", "$currentOp") in notes.unavailable


def test_a_wrong_password_is_pymongos_error(server: GuardedServer) -> None:
    with server.client("nobody") as client, pytest.raises(OperationFailure) as failure:
        read_catalog(client[NAME])
    assert failure.value.code == 18
