"""Stopping a run while it builds an index: on separate servers, because a server that crashes must
not affect all other tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.embedded import MongoServer
from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import (
    ApplyingInterrupted,
    ApplyProgress,
    History,
    RunStopped,
    apply,
    watching,
)
from djongo_services.schema.diff import diff
from djongo_services.schema.plan import Plan
from djongo_services.schema.spec import CollectionSpec, IndexSpec
from tests.embedded.program import until
from tests.introspection.guarded import guarded_server
from tests.schema.fail_points import held

POINT = "hangAfterStartingIndexBuild"
SPEC = CollectionSpec(
    name="things", models=("app.Thing",), indexes=(IndexSpec(name="a_idx", keys=(("a", 1),)),)
)
BUILD = {"createIndexes": "things", "indexes": [{"name": "a_idx", "key": {"a": 1}}]}


@pytest.fixture(scope="module", params=["4.4", "5.0", "6.0"])
def server(request: pytest.FixtureRequest) -> Iterator[MongoServer]:
    with MongoServer(version=request.param, test_commands=True) as server:
        yield server


@pytest.fixture
def shop(server: MongoServer) -> Iterator[Database[Any]]:
    if not server.members[0].running:
        server.members[0].restart()
    with server.client(serverSelectionTimeoutMS=10_000) as client:
        client.drop_database("shop")
        client.shop.things.insert_many([{"a": n} for n in range(1000)])
        yield client.shop


def is_building(database: Database[Any]) -> bool:
    return any(index.build is not None for index in read_catalog(database)["things"].indexes)


def plan_for(database: Database[Any]) -> Plan:
    return diff(read_catalog(database), (SPEC,))


def test_leaves_no_half_index_and_goes_on(shop, background):
    stop = threading.Event()
    with held(shop.client, POINT) as reached:
        run = background(apply, shop, plan_for(shop), stop=stop)
        reached()
        stop.set()
        with pytest.raises(ApplyingInterrupted):
            run.result(30)
    assert set(shop.things.index_information()) == {"_id_"}
    (interrupted,) = History(shop).runs()
    assert (interrupted.status, interrupted.done) == ("interrupted", 0)
    apply(shop, plan_for(shop))
    assert set(shop.things.index_information()) == {"_id_", "a_idx"}


def test_asked_by_another_process(shop, background):
    history = History(shop)
    with held(shop.client, POINT) as reached:
        running = background(apply, shop, plan_for(shop))
        reached()
        (run,) = history.runs()
        assert run.stopped_by is None
        assert history.ask_to_stop(run.id, by="ann")
        with pytest.raises(RunStopped, match="Stopped by ann; run again to continue"):
            running.result(60)
    assert set(shop.things.index_information()) == {"_id_"}
    run = history.run(run.id)
    assert (run.status, run.done, run.stopped_by) == ("interrupted", 0, "ann")
    assert run.error == "Stopped by ann; run again to continue."
    (*_, step) = history.steps(run.id)
    assert (step.status, step.seconds is not None) == ("interrupted", True)
    assert not history.ask_to_stop(run.id, by="ann")
    apply(shop, plan_for(shop))
    assert set(shop.things.index_information()) == {"_id_", "a_idx"}


def test_at_any_moment_the_server_survives(server, shop, monkeypatch):
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.001)
    codes = set()
    for number in range(30):
        stop = threading.Event()
        stopping = threading.Timer(number / 1000, stop.set)
        stopping.start()
        try:
            watching.send(shop, dict(BUILD), stop=stop)
        except OperationFailure as error:
            codes.add(error.code)
        stopping.join()
        # The last of a build cannot be stopped any more: soon there is the whole index, or none.
        assert until(lambda: not is_building(shop))
        if "a_idx" in shop.things.index_information():
            shop.things.drop_index("a_idx")
    assert codes == {11601}
    assert server.members[0].running


@pytest.mark.parametrize("sees", [True, False])
def test_on_a_server_with_users(tmp_path, sees):
    """Progress takes a privilege on the cluster; stopping does not."""
    stop, seen = threading.Event(), []

    def told(progress: ApplyProgress) -> None:
        if progress.of:
            seen.append((progress.done, progress.of))
            stop.set()

    roles = [{"role": role, "db": "shop"} for role in ("readWrite", "dbAdmin")]
    if sees:
        roles.append({"role": "clusterMonitor", "db": "admin"})
    with guarded_server(tmp_path, "6.0") as guarded, guarded.client("root") as root:
        root.shop.things.insert_many([{"a": n} for n in range(100)])
        with guarded.user(roles=roles) as client, held(root, POINT) as reached:
            with ThreadPoolExecutor(1) as pool:
                plan = plan_for(client.shop)
                run = pool.submit(apply, client.shop, plan, progress=told, stop=stop)
                reached()
                if not sees:
                    stop.set()
                with pytest.raises(ApplyingInterrupted):
                    run.result(30)
        assert {total for _, total in seen} == ({100} if sees else set())
        assert set(root.shop.things.index_information()) == {"_id_"}
