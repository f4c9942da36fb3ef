"""Rolling back runs: to what was, past nothing that others did since."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import (
    ApplyingInterrupted,
    ApplyProgress,
    History,
    OperationRefused,
    apply,
)
from djongo_services.schema.diff import IndexPolicy, diff
from djongo_services.schema.ownership import unmarked
from djongo_services.schema.spec import CollectionSpec, IndexSpec
from djongo_services.schema.undoing import (
    LaterRuns,
    RollbackRefused,
    UnknownRun,
    plan_rollback,
)
from tests.schema.rollbacks import roll_back
from tests.schema.test_uniqueness import refuses

A = IndexSpec(name="a_idx", keys=(("a", 1),))
UNIQUE = IndexSpec(name="a_idx", keys=(("a", 1),), options={"unique": True})


def things(*indexes: IndexSpec, required: str | None = None) -> CollectionSpec:
    validator = {"$jsonSchema": {"required": [required]}} if required else None
    return CollectionSpec(
        name="things", models=("app.Thing",), indexes=indexes, validator=validator
    )


def run(database: Database[Any], spec: CollectionSpec, *drop: str) -> ObjectId:
    policy = IndexPolicy(named=tuple(f"things.{name}" for name in drop))
    return apply(database, diff(read_catalog(database), (spec,), indexes=policy))


def validator_of(database: Database[Any]) -> Any:
    """The validator's rules, without the mark."""
    found = read_catalog(database)["things"].validator
    return found and unmarked(found.query)


def requires(name: str) -> Any:
    return {"$jsonSchema": {"required": [name]}}


@pytest.fixture
def four(matrix_database):
    """Four runs that write validators one after another, and an index each by the first two."""
    matrix_database.create_collection("things")
    b = IndexSpec(name="b_idx", keys=(("b", 1),))
    return matrix_database, [
        run(matrix_database, things(A, required="one")),
        run(matrix_database, things(A, b, required="two")),
        run(matrix_database, things(A, b, required="three")),
        run(matrix_database, things(A, b, required="four")),
    ]


class TestLaterRuns:
    def test_are_named_and_nothing_is_done(self, four):
        database, runs = four
        with pytest.raises(LaterRuns) as raised:
            roll_back(database, runs[0])
        assert raised.value.runs == tuple(reversed(runs[1:]))
        assert str(raised.value) == (
            f"Run {runs[0]} cannot be rolled back alone, because later runs changed the same "
            f"objects: "
            f"run {runs[3]} (validator of things); run {runs[2]} (validator of things); "
            f"run {runs[1]} (index b_idx of things, validator of things)."
        )
        assert validator_of(database) == requires("four")
        assert len(History(database).runs()) == 4

    def test_are_undone_too_when_asked(self, four):
        database, runs = four
        undone = roll_back(database, runs[1], with_later=True)
        assert History(database).run(undone).rolls_back == tuple(reversed(runs[1:]))
        assert validator_of(database) == requires("one")
        assert set(database.things.index_information()) == {"_id_", "a_idx"}
        roll_back(database, runs[0])
        assert not validator_of(database)
        assert set(database.things.index_information()) == {"_id_"}

    def test_one_after_another_from_the_last(self, four):
        database, runs = four
        for one, left in zip(reversed(runs), ["three", "two", "one", None], strict=True):
            roll_back(database, one)
            assert (validator_of(database) or None) == (left and requires(left))

    def test_that_changed_something_else_do_not_matter(self, matrix_database):
        matrix_database.create_collection("things")
        first = run(matrix_database, things(A))
        run(matrix_database, things(A, required="one"))
        roll_back(matrix_database, first)
        assert set(matrix_database.things.index_information()) == {"_id_"}
        assert validator_of(matrix_database) == requires("one")

    def test_a_rollback_can_be_rolled_back(self, four):
        database, runs = four
        undone = roll_back(database, runs[3])
        with pytest.raises(RollbackRefused, match=f"was rolled back by run {undone} already"):
            roll_back(database, runs[3])
        roll_back(database, undone)
        assert validator_of(database) == requires("four")
        roll_back(database, runs[3])
        assert validator_of(database) == requires("three")

    def test_no_such_run(self, matrix_database):
        with pytest.raises(UnknownRun):
            plan_rollback(matrix_database, ObjectId())


class TestOthersSince:
    """Changes made by hand are not overwritten."""

    def test_a_validator(self, matrix_database):
        matrix_database.create_collection("things")
        first = run(matrix_database, things(required="one"))
        matrix_database.command("collMod", "things", validator={"by": "hand"})
        with pytest.raises(RollbackRefused, match=r"changed since: validator of things\."):
            roll_back(matrix_database, first)
        assert validator_of(matrix_database) == {"by": "hand"}

    def test_an_index(self, matrix_database):
        matrix_database.create_collection("things")
        first = run(matrix_database, things(A))
        matrix_database.things.drop_index("a_idx")
        matrix_database.things.create_index("other", name="a_idx")
        with pytest.raises(RollbackRefused, match=r"since: index a_idx of things\."):
            roll_back(matrix_database, first)
        assert list(matrix_database.things.index_information()) == ["_id_", "a_idx"]

    def test_what_is_as_it_was_already_is_left(self, matrix_database):
        matrix_database.create_collection("things")
        first = run(matrix_database, things(A, required="one"))
        matrix_database.things.drop_index("a_idx")
        assert [step.words() for step in plan_rollback(matrix_database, first).plan.operations] == [
            "remove the validator"
        ]

    def test_a_collection_that_is_gone(self, matrix_database):
        matrix_database.create_collection("things")
        first = run(matrix_database, things(A, required="one"))
        matrix_database.things.drop()
        assert plan_rollback(matrix_database, first).plan.operations == ()

    def test_indexes_beside_are_left(self, matrix_database):
        """This includes an index whose collation differs from the collection's."""
        matrix_database.create_collection("things", collation={"locale": "fr"})
        simple = {"locale": "simple"}
        matrix_database.things.create_index("b", name="by_hand", collation=simple)
        first = run(matrix_database, things(A))
        assert [step.words() for step in plan_rollback(matrix_database, first).plan.operations] == [
            "drop index a_idx"
        ]


class TestUniqueness:
    def test_what_was_unique_is_built_before_its_successor_goes(self, matrix_database):
        matrix_database.things.create_index("a", name="a_idx", unique=True)
        sparse = IndexSpec(name="a_idx", keys=(("a", 1),), options={"unique": True, "sparse": True})
        first = run(matrix_database, things(sparse))
        for operation in plan_rollback(matrix_database, first).plan.operations:
            matrix_database.command(operation.command())
            assert refuses(matrix_database.things, ({"a": 1}, {"a": 1})), operation
        assert "sparse" not in matrix_database.things.index_information()["a_idx"]

    def test_where_documents_forbid_it_nothing_is_dropped(self, matrix_database):
        matrix_database.things.create_index("a", name="a_idx", unique=True)
        sparse = IndexSpec(name="a_idx", keys=(("a", 1),), options={"unique": True, "sparse": True})
        first = run(matrix_database, things(sparse))
        matrix_database.things.insert_many([{}, {}])
        with pytest.raises(OperationRefused, match="documents share a key"):
            roll_back(matrix_database, first)
        assert matrix_database.things.index_information()["a_idx"]["sparse"] is True
        matrix_database.things.delete_many({})
        roll_back(matrix_database, first)
        assert "sparse" not in matrix_database.things.index_information()["a_idx"]

    def test_an_interrupted_rollback_is_gone_on_with(self, matrix_database):
        matrix_database.things.create_index("a", name="old", unique=True)
        first = run(matrix_database, things(UNIQUE))
        interrupted = 0
        while not _rolled_back(matrix_database, first):
            interrupted += 1
            assert refuses(matrix_database.things, ({"a": 1}, {"a": 1}))
        assert interrupted
        assert set(matrix_database.things.index_information()) == {"_id_", "old"}
        latest = History(matrix_database).runs()[0]
        assert (latest.status, latest.rolls_back[-1]) == ("done", first)
        with pytest.raises(RollbackRefused, match=re.escape(str(latest.id))):
            roll_back(matrix_database, first)


def _rolled_back(database: Database[Any], run: ObjectId) -> bool:
    """A rollback after two steps at most."""
    stop = threading.Event()

    def told(at: ApplyProgress) -> None:
        if at.number == 1:
            stop.set()

    try:
        roll_back(database, run, progress=told, stop=stop)
    except ApplyingInterrupted:
        return False
    return True
