"""Applying plans: what is done, reported, refused, undone, and continued after a crash."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.database import Database

from djongo_services.introspection import read_catalog
from djongo_services.lease import COLLECTION
from djongo_services.schema.applying import (
    ApplyProgress,
    History,
    LeaseLost,
    Locked,
    OperationRefused,
    PlanOutdated,
    SchemaLease,
    apply,
)
from djongo_services.schema.diff import diff
from djongo_services.schema.plan import Plan
from djongo_services.schema.rendering import PlanFileError, load, render_json
from djongo_services.schema.spec import CollectionSpec, IndexSpec
from djongo_services.schema.syncing import make_plan
from djongo_services.schema.undoing import plan_rollback
from tests.schema.drifted import SPECS, WANTED, drift, indexes_of
from tests.schema.killed_run import run_killed
from tests.schema.rollbacks import roll_back

pytestmark = pytest.mark.versions


def plan_for(database: Database[Any], *specs: CollectionSpec) -> Plan:
    return diff(read_catalog(database), specs or SPECS)


def things(*indexes: IndexSpec, **options: Any) -> CollectionSpec:
    return CollectionSpec(name="things", models=("app.Thing",), indexes=indexes, **options)


@pytest.fixture
def drifted(matrix_database):
    drift(matrix_database)
    return matrix_database


class TestApply:
    def test_mends_every_drift(self, drifted):
        apply(drifted, plan_for(drifted))
        assert indexes_of(drifted) == WANTED
        assert plan_for(drifted).in_sync

    def test_tells_each_operation(self, drifted):
        seen: list[ApplyProgress] = []
        plan = plan_for(drifted)
        apply(drifted, plan, progress=seen.append)
        assert [at.number for at in seen if at.of == 0] == list(range(len(plan.operations)))
        assert {at.total for at in seen} == {len(plan.operations)}

    def test_nothing_to_do_is_fine(self, drifted):
        apply(drifted, plan_for(drifted))
        apply(drifted, plan_for(drifted))
        assert next(run.steps for run in History(drifted).runs()) == 0

    def test_a_plan_is_refused_when_the_database_changed(self, drifted):
        plan = plan_for(drifted)
        drifted.notes.create_index("other")
        with pytest.raises(PlanOutdated, match="make a new one"):
            apply(drifted, plan)
        assert "fresh" not in indexes_of(drifted)["notes"]

    def test_growth_alone_does_not_outdate_a_plan(self, drifted):
        plan = plan_for(drifted)
        drifted.notes.insert_one({"n": 1000, "code": 1000})
        apply(drifted, plan)


class TestMadeAnew:
    SPEC = CollectionSpec(
        name="log",
        models=("app.Log",),
        indexes=(IndexSpec(name="a_idx", keys=(("a", 1),)),),
        options={"capped": True, "size": 4096},
    )

    def test_an_empty_collection(self, matrix_database):
        matrix_database.create_collection("log")
        run = apply(matrix_database, make_plan(matrix_database, [self.SPEC]))
        assert matrix_database.log.options()["capped"] is True
        assert "a_idx" in matrix_database.log.index_information()
        assert make_plan(matrix_database, [self.SPEC]).in_sync
        assert [step.words() for step in plan_rollback(matrix_database, run).final] == [
            "restore documents written in the meantime, and drop the old collection",
            "recreate the empty collection (capped, size) with 1 index",
        ]
        assert matrix_database.list_collection_names(filter={"name": {"$regex": "log"}}) == ["log"]

    def test_a_view_in_the_way_is_not_run(self, matrix_database):
        matrix_database.things.insert_one({"a": "x"})
        fails = [{"$project": {"a": {"$divide": ["$a", 0]}}}]
        matrix_database.create_collection("log", viewOn="things", pipeline=fails)
        (change,) = make_plan(matrix_database, [self.SPEC]).changes
        assert change.words.startswith(
            "a view of things exists where the models expect a collection"
        )

    def test_documents_that_came_meanwhile_stay(self, matrix_database):
        matrix_database.create_collection("log")
        plan = make_plan(matrix_database, [self.SPEC])
        matrix_database.log.insert_one({"a": 1})
        with pytest.raises(OperationRefused, match="log: it now has documents"):
            apply(matrix_database, plan)
        assert matrix_database.log.count_documents({"a": 1}) == 1
        (change, _) = make_plan(matrix_database, [self.SPEC]).changes[:2]
        assert change.sign == "!"


class TestDuplicates:
    def test_forbid_a_unique_index_and_are_listed(self, matrix_database):
        matrix_database.things.insert_many([{"a": n // 2} for n in range(20)] + [{}, {}, {}])
        unique = things(IndexSpec(name="u", keys=(("a", 1),), options={"unique": True}))
        with pytest.raises(OperationRefused, match="make them distinct and run again") as raised:
            apply(matrix_database, plan_for(matrix_database, unique))
        first = raised.value.duplicates[0]
        assert (first.key, first.documents) == ({"a": None}, 3)
        assert len(raised.value.duplicates) == 10
        assert first.examples[0] != first.examples[1]

    def test_of_dates_beyond_the_calendar_are_listed(self, matrix_database):
        year = DatetimeMS(2**62)
        matrix_database.things.insert_many([{"a": year}, {"a": year}])
        unique = things(IndexSpec(name="u", keys=(("a", 1),), options={"unique": True}))
        with pytest.raises(OperationRefused, match="make them distinct and run again") as raised:
            apply(matrix_database, plan_for(matrix_database, unique))
        assert raised.value.duplicates[0].key == {"a": year}

    def test_a_refused_conversion_leaves_the_index_as_it_was(self, database):
        database.things.insert_many([{"a": 1}, {"a": 1}])
        database.things.create_index("a", name="u")
        unique = things(IndexSpec(name="u", keys=(("a", 1),), options={"unique": True}))
        with pytest.raises(OperationRefused) as raised:
            apply(database, plan_for(database, unique))
        assert raised.value.duplicates[0].documents == 2
        database.things.insert_one({"a": 1})
        assert "prepareUnique" not in database.things.index_information()["u"]
        (run,) = History(database).runs()
        assert run.status == "failed"


class TestRefused:
    def test_a_65th_index(self, database):
        many = [IndexSpec(name=f"i{n}", keys=((f"f{n}", 1),)) for n in range(64)]
        with pytest.raises(
            OperationRefused,
            match=r"things: could not build 64 indexes: .*and 59 more: .*too many indexes",
        ):
            apply(database, plan_for(database, things(*many)))

    def test_a_validator_that_the_server_does_not_take(self, database):
        database.things.insert_one({})
        spec = things(validator={"$jsonSchema": {"format": "date"}})
        with pytest.raises(OperationRefused, match=r"things: could not set the validator.*format"):
            apply(database, plan_for(database, spec))


class TestKilled:
    """SIGKILL before and after every single command."""

    @pytest.mark.parametrize("event", ["started", "succeeded"])
    def test_at_every_step_the_next_run_finishes(self, database, mongodb_server, event):
        drift(database)
        steps = len(plan_for(database).operations)
        assert steps > 8
        copies = [database.client[f"{database.name}_{number}"] for number in range(steps)]
        try:
            for copy in copies:
                drift(copy)
            names = [copy.name for copy in copies]
            ends = run_killed(mongodb_server.uri, event, "tests.schema.drifted", *names)
            assert ends == [-signal.SIGKILL] * steps
            for copy in copies:
                # The dead run's lease lasts one second, so no run waits longer than that.
                finish(copy)
                assert indexes_of(copy) == WANTED, (event, copy.name)
                assert plan_for(copy).in_sync
        finally:
            for copy in copies:
                database.client.drop_database(copy)


def finish(database: Database[Any]) -> None:
    for _ in range(100):
        try:
            apply(database, plan_for(database))
        except Locked:
            threading.Event().wait(0.1)
        else:
            return
    raise AssertionError("the dead run's lease never ended")


class TestLease:
    def test_only_one_holds_it(self, matrix_database):
        with SchemaLease(matrix_database):
            with pytest.raises(Locked, match=r"process \d+ on .*, since \d\d:\d\d:\d\d UTC"):
                SchemaLease(matrix_database).__enter__()
        with SchemaLease(matrix_database):
            pass
        assert matrix_database[COLLECTION].count_documents({}) == 0

    def test_is_renewed_while_held(self, database):
        with SchemaLease(database, seconds=0.6):
            threading.Event().wait(1.2)
            with pytest.raises(Locked):
                SchemaLease(database).__enter__()

    def test_is_taken_over_when_it_ran_out(self, database):
        dead = SchemaLease(database, seconds=0.3)
        dead._acquire()  # As if the process died: the lease is not renewed.
        threading.Event().wait(0.4)
        with SchemaLease(database) as lease:
            lease.check()
            with pytest.raises(LeaseLost):
                dead.check()

    def test_racing_runs(self, database):
        outcomes: list[str] = []
        barrier = threading.Barrier(8, timeout=30)

        def race() -> None:
            barrier.wait()
            try:
                with SchemaLease(database):
                    outcomes.append("held")
                    barrier.wait()
            except Locked:
                outcomes.append("locked")
                barrier.wait()

        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["held"] + ["locked"] * 7


class TestHistory:
    def test_tells_what_was_done(self, drifted):
        run = apply(drifted, plan_for(drifted))
        (found,) = History(drifted).runs()
        assert found.id == run
        assert (found.status, found.error) == ("done", None)
        assert found.done == found.steps == len(list(History(drifted).steps(run)))
        assert found.finished >= found.started
        assert ", process " in found.by

    def test_rolls_back_what_has_an_inverse(self, database):
        drift(database)
        before = indexes_of(database)
        run = apply(database, plan_for(database))
        assert [step.words() for step in plan_rollback(database, run).final] == [
            "create collection",
            "make index code_uniq unique",
        ]
        undone = roll_back(database, run)
        assert History(database).run(undone).rolls_back == (run,)
        after = indexes_of(database)
        assert after["notes"] == before["notes"]
        assert database.notes.index_information()["at_ttl"]["expireAfterSeconds"] == 3600
        (notes,) = read_catalog(database, names=["notes"]).collections
        assert notes.validator is None or not notes.validator.query


class TestSavedPlan:
    @pytest.fixture(autouse=True)
    def key(self, settings):
        settings.SECRET_KEY = "plans"

    def test_is_the_same_after_writing_and_reading(self, database):
        drift(database)
        plan = plan_for(database)
        assert load(render_json(plan)) == plan

    def test_can_be_applied(self, database):
        drift(database)
        apply(database, load(render_json(plan_for(database))))
        assert indexes_of(database) == WANTED

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda text: text.replace("n_renamed", "n_tampered"), "was changed after it was made"),
            (lambda text: text[:-20], "Cannot read the plan file as JSON"),
            (lambda text: "{}", "Not a plan file"),
            (lambda text: "[" * 100_000 + "]" * 100_000, "nested too deeply"),
            (lambda text: '{"steps": {"$oid": "x"}}', "has format None"),
            (
                lambda text: text.replace('"format_version": 1', '"format_versio": 1'),
                "has format None",
            ),
        ],
    )
    def test_a_changed_file_is_refused(self, database, change, sentence):
        drift(database)
        text = change(render_json(plan_for(database)))
        with pytest.raises(PlanFileError, match=sentence):
            load(text)
