"""Faults while a plan is applied: the run waits, finishes, or says what to do.

Nothing is lost in any of these, and the next run finishes what is left.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect, PyMongoError

from djongo_services.embedded import MongoServer
from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import (
    ApplyingInterrupted,
    ApplyProgress,
    History,
    Locked,
    OperationRefused,
    apply,
    running,
)
from djongo_services.schema.diff import diff
from djongo_services.schema.operations import BuildIndexes, SetValidator
from djongo_services.schema.plan import Plan
from djongo_services.schema.spec import CollectionSpec, IndexSpec
from tests.embedded.program import until
from tests.introspection.guarded import guarded_server
from tests.schema.drifted import SPECS, WANTED, drift, indexes_of
from tests.schema.dropping_proxy import dropping_proxy
from tests.schema.three_members import ThreeMembers

pytestmark = pytest.mark.versions


HANG = "hangAfterStartingIndexBuild"
A = IndexSpec(name="a_idx", keys=(("a", 1),))


def plan_for(database: Database[Any], *specs: CollectionSpec) -> Plan:
    return diff(read_catalog(database), specs or SPECS)


def things(*indexes: IndexSpec, **options: Any) -> CollectionSpec:
    return CollectionSpec(name="things", models=("app.Thing",), indexes=indexes, **options)


WHOLE = things(A, validator={"$jsonSchema": {"required": ["a"]}})


def fill(database: Database[Any], documents: int = 500) -> None:
    database.things.insert_many([{"_id": n, "a": n} for n in range(documents)])


def names_of(database: Database[Any], collection: str = "things") -> set[str]:
    return set(database[collection].index_information())


def finish(database: Database[Any], *specs: CollectionSpec) -> None:
    """The next run, as soon as the lease of the one before has run out."""

    def finished() -> bool:
        try:
            apply(database, plan_for(database, *specs))
        except Locked:
            return False
        return True

    assert until(finished, 20)
    assert plan_for(database, *specs).in_sync


@pytest.fixture(scope="module")
def server() -> Iterator[MongoServer]:
    with MongoServer(members=3, test_commands=True) as server:
        yield server


@pytest.fixture
def members(server: MongoServer) -> Iterator[ThreeMembers]:
    with ExitStack() as stack:
        client = stack.enter_context(server.client())
        yield ThreeMembers(server, client, stack)
        for member in server.members:
            if not member.running:
                member.restart()
        server.wait_until_ready()


@pytest.fixture
def shop(members: ThreeMembers) -> Database[Any]:
    members.client.drop_database("shop")
    database = members.client.shop
    fill(database)
    return database


class TestElections:
    def test_stepping_down_in_mid_build(self, members, shop, background):
        with members.held(HANG) as reached:
            run = background(apply, shop, plan_for(shop, WHOLE))
            reached()
            before = members.primary()
            members.step_down()
            assert until(lambda: members.primary() != before)
        run.result(30)
        assert plan_for(shop, WHOLE).in_sync
        assert next(iter(History(shop).runs())).status == "done"
        assert shop.things.count_documents({}) == 500

    def test_killed_in_mid_build(self, members, shop, background):
        with members.held(HANG) as reached:
            run = background(apply, shop, plan_for(shop, WHOLE))
            reached()
            killed = members.primary()
            killed.kill()
            assert until(lambda: members.primary() != killed)
        # All members have a vote on the build, the dead one too: the run waits for it.
        assert not run.done()
        killed.restart()
        run.result(30)
        assert plan_for(shop, WHOLE).in_sync
        assert shop.things.count_documents({}) == 500

    def test_stepping_down_while_the_validator_is_set(self, members, shop, background):
        point = "hangAfterDatabaseLock"
        with members.held(point) as reached:
            run = background(apply, shop, plan_for(shop, WHOLE))
            reached()
            stepping = background(members.step_down)
        stepping.result(30)
        run.result(30)
        assert plan_for(shop, WHOLE).in_sync

    def test_stepping_down_between_operations(self, members, shop):
        drift(shop)
        plan = plan_for(shop)

        def told(progress: ApplyProgress) -> None:
            if progress.number == len(plan.operations) // 2 and not progress.of:
                members.step_down()

        apply(shop, plan, progress=told)
        assert indexes_of(shop) == WANTED

    def test_killed_between_operations(self, members, shop):
        spec = things(validator={"$jsonSchema": {"required": ["a"]}})
        apply(shop, plan_for(shop, spec), progress=lambda _: members.primary().kill())
        # Without a build there is nothing to wait for: two members are a majority.
        assert plan_for(shop, spec).in_sync

    def test_no_primary_comes_back(self, members, monkeypatch):
        monkeypatch.setattr(running, "ELECTION_SECONDS", 1.0)
        with members.server.client(serverSelectionTimeoutMS=1000) as client:
            client.drop_database("shop")
            fill(client.shop)

            def told(progress: ApplyProgress) -> None:
                for member in members.server.members[:2]:
                    member.kill()

            with pytest.raises(AutoReconnect):
                apply(client.shop, plan_for(client.shop, WHOLE), progress=told, lease_seconds=1)
            for member in members.server.members[:2]:
                member.restart()
            members.server.wait_until_ready()
            finish(client.shop, WHOLE)
            assert client.shop.things.count_documents({}) == 500


class TestConnections:
    @pytest.mark.parametrize("lost", ["command", "answer"])
    @pytest.mark.parametrize("command", ["create", "collMod", "createIndexes", "dropIndexes"])
    def test_lost_at(self, database, mongodb_server, command, lost):
        drift(database)
        port = mongodb_server.members[0].port
        with dropping_proxy(port, command, tuple(WANTED), lost) as proxy:
            with MongoClient[Any]("127.0.0.1", proxy.port, directConnection=True) as client:
                own = client[database.name]
                apply(own, plan_for(own))
        assert proxy.dropped == 1
        assert indexes_of(database) == WANTED
        assert plan_for(database).in_sync

    def test_stopping_when_the_server_is_gone(self, database, mongodb_server):
        fill(database)
        stop = threading.Event()
        port = mongodb_server.members[0].port
        with dropping_proxy(port, "nothing", (), "command") as proxy:
            options: dict[str, Any] = {"directConnection": True, "serverSelectionTimeoutMS": 500}
            with MongoClient[Any]("127.0.0.1", proxy.port, **options) as client:

                def told(_: ApplyProgress) -> None:
                    proxy.close()
                    stop.set()

                own = client[database.name]
                with pytest.raises(ApplyingInterrupted):
                    apply(own, plan_for(own, WHOLE), progress=told, stop=stop, lease_seconds=1)
        finish(database, WHOLE)


class TestRefused:
    @pytest.fixture
    def guarded(self, tmp_path):
        with guarded_server(tmp_path, "6.0") as server, server.client("root") as root:
            fill(root.shop)
            yield server

    def test_no_privilege_for_collmod(self, guarded):
        everything = {"role": "readWrite", "db": "shop"}
        with guarded.user(roles=[everything]) as client:
            with pytest.raises(OperationRefused) as raised:
                apply(client.shop, plan_for(client.shop, WHOLE))
            assert str(raised.value) == (
                "things: could not set the validator, moderate and warn: the database user may "
                "not do that; grant it the role dbAdmin."
            )
        with guarded.user(roles=[everything, {"role": "dbAdmin", "db": "shop"}]) as client:
            finish(client.shop, WHOLE)

    def test_no_privilege_for_createindexes(self, guarded):
        documents = ["find", "insert", "update", "remove", "listIndexes", "listCollections"]
        steps = {"db": "shop", "collection": "djongo_services_run_steps"}
        privileges = [
            {"resource": {"db": "shop", "collection": ""}, "actions": documents},
            {"resource": steps, "actions": ["createIndex"]},
        ]
        with guarded.user(privileges) as client:
            with pytest.raises(OperationRefused, match=r"build index a_idx.*the role dbAdmin\.$"):
                apply(client.shop, plan_for(client.shop, things(A)))
            (run,) = History(client.shop).runs()
            assert (run.status, run.done) == ("failed", 0)

    def test_no_disk_space(self, database):
        fill(database)
        data = {
            "failCommands": ["createIndexes"],
            "errorCode": 14031,
            "namespace": f"{database.name}.things",
        }
        admin = database.client.admin
        admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
        try:
            with pytest.raises(OperationRefused) as raised:
                apply(database, plan_for(database, WHOLE))
        finally:
            admin.command("configureFailPoint", "failCommand", mode="off")
        assert str(raised.value) == (
            "things: could not build index a_idx {a: 1}: the server has too little disk space; "
            "free some and run again."
        )
        assert read_catalog(database)["things"].validator is not None
        finish(database, WHOLE)

    @pytest.mark.parametrize(
        ("index", "reason"),
        [
            (
                IndexSpec(name="wide", keys=tuple((f"f{n}", 1) for n in range(33))),
                "too many compound keys",
            ),
            (
                IndexSpec(
                    name="partial",
                    keys=(("b", 1),),
                    options={"partialFilterExpression": {"b": {"$regex": "x"}}},
                ),
                "partial",
            ),
            (
                IndexSpec(
                    name="ttl", keys=(("b", 1), ("c", 1)), options={"expireAfterSeconds": 60}
                ),
                "TTL indexes are single-field",
            ),
            (IndexSpec(name="odd", keys=(("b", 1),), options={"colour": 1}), "colour"),
        ],
        ids=lambda value: value.name if isinstance(value, IndexSpec) else "",
    )
    def test_an_index_that_the_server_does_not_make(self, matrix_database, index, reason):
        fill(matrix_database)
        spec = things(A, index, validator=WHOLE.validator)
        with pytest.raises(OperationRefused) as raised:
            apply(matrix_database, plan_for(matrix_database, spec))
        sentence = str(raised.value)
        assert sentence.startswith("things: could not build indexes a_idx {a: 1}, ")
        assert reason in sentence
        assert "\n" not in sentence
        assert names_of(matrix_database) == {"_id_"}
        assert read_catalog(matrix_database)["things"].validator is not None
        finish(matrix_database, WHOLE)


class TestChangedMeanwhile:
    @pytest.mark.parametrize("change", ["drop", "rename"])
    @pytest.mark.parametrize("before", [SetValidator, BuildIndexes])
    def test_before_an_operation(self, matrix_database, change, before):
        fill(matrix_database)

        def told(progress: ApplyProgress) -> None:
            if isinstance(progress.operation, before) and not progress.of:
                if change == "drop":
                    matrix_database.things.drop()
                else:
                    matrix_database.things.rename("kept")

        plan = plan_for(matrix_database, WHOLE)
        if before is SetValidator:
            with pytest.raises(OperationRefused, match="dropped or renamed in the meantime; make"):
                apply(matrix_database, plan, progress=told)
        else:
            # createIndexes makes the collection again.
            apply(matrix_database, plan, progress=told)
        finish(matrix_database, WHOLE)
        assert matrix_database.kept.count_documents({}) == (500 if change == "rename" else 0)

    def test_dropped_in_mid_build(self, members, shop, background):
        with members.held(HANG) as reached:
            run = background(apply, shop, plan_for(shop, WHOLE))
            reached()
            dropping = background(shop.things.drop)
        dropping.result(30)
        with pytest.raises(OperationRefused, match="dropped or renamed in the meantime; make"):
            run.result(30)
        finish(shop, WHOLE)

    def test_the_build_of_another_client_is_waited_for(self, members, shop, background):
        """The server refuses collMod on a collection while an index is built there."""
        with members.held(HANG) as reached:
            building = background(shop.things.create_index, "other")
            reached()
            run = background(apply, shop, plan_for(shop, things(validator=WHOLE.validator)))
            with suppress(TimeoutError):
                run.result(1)
            assert not run.done()
        building.result(30)
        run.result(30)
        assert names_of(shop) == {"_id_", "other_1"}
        finish(shop, WHOLE)


def test_errors_of_the_history_do_not_hide_the_first_one(database, monkeypatch):
    """The run fails because of its operation, even when the history cannot record that."""
    fill(database)

    def refuse(*_: Any, **__: Any) -> None:
        raise PyMongoError("no history any more")

    monkeypatch.setattr(History, "end", refuse)
    monkeypatch.setattr(History, "end_step", refuse)
    odd = IndexSpec(name="odd", keys=(("b", 1),), options={"colour": 1})
    plan = plan_for(database, things(odd))
    with pytest.raises(OperationRefused, match="colour"):
        apply(database, plan)
