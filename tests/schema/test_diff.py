"""The difference, seen on real servers: what a plan does, and that nothing is left after it."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from pymongo import MongoClient
from pymongo.database import Database

from djongo_services.introspection import read_catalog
from djongo_services.introspection.redundancy import redundant
from djongo_services.schema.applying import apply
from djongo_services.schema.applying.running import run_operation
from djongo_services.schema.declared import declared_indexes
from djongo_services.schema.diff import IndexPolicy, ValidationPolicy, diff
from djongo_services.schema.operations import DropIndex, Risk
from djongo_services.schema.plan import Plan
from djongo_services.schema.rendering import render_text
from djongo_services.schema.spec import CollectionSpec, IndexSpec
from tests.databases import drop
from tests.schema import strategies


def plan_for(database: Database[Any], *specs: CollectionSpec, **options: Any) -> Plan:
    return diff(read_catalog(database), specs, **options)


def carry_out(database: Database[Any], plan: Plan) -> list[str]:
    """Do what the plan says, and say what was done."""
    for operation in plan.operations:
        run_operation(database, operation, stop=threading.Event())
    return [operation.words() for operation in plan.operations]


def wants(*indexes: IndexSpec, name: str = "things", **options: Any) -> CollectionSpec:
    return CollectionSpec(name=name, models=("app.Thing",), indexes=indexes, **options)


def index(name: str, *keys: tuple[str, Any], named: bool = True, **options: Any) -> IndexSpec:
    return IndexSpec(name=name, keys=keys, options=options, named=named)


def lines(plan: Plan) -> list[str]:
    return [f"{change.sign} {change.words}" for change in plan.changes]


def settles(client: MongoClient[Any], *models: tuple[CollectionSpec, ...]) -> None:
    """In a new database, apply the plan of each of ``models``, one after another."""
    database = client[f"test_{uuid.uuid4().hex}"]
    try:
        for specs in models:
            plan = plan_for(database, *specs, indexes=IndexPolicy(prune="drop"))
            carry_out(database, plan)
            again = plan_for(database, *specs, indexes=IndexPolicy(prune="drop"))
            left = [change for change in again.changes if change.operations]
            assert left == [], (lines(plan), lines(again))
    finally:
        drop(database)


@pytest.fixture
def things(matrix_database):
    matrix_database.things.insert_many([{"a": n, "b": str(n), "text": "word"} for n in range(20)])
    return matrix_database


class TestFixedPoint:
    """After a plan was applied, nothing is left to do."""

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(before=strategies.specs(signatures=True), after=strategies.specs(signatures=True))
    def test_over_random_databases_and_models(self, database, before, after):
        settles(database.client, before, after)

    @pytest.mark.parametrize("older", ["4.4", "5.0"])
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(before=strategies.specs(), after=strategies.specs())
    @example(
        before=(wants(index("one", ("a", "text")), index("two", ("$**", 1))),),
        after=(wants(index("one", ("$**", 1), wildcardProjection={"a": 1, "b": 1})),),
    )
    def test_on_older_servers(self, mongodb_servers, older, before, after):
        with mongodb_servers(older).client() as client:
            settles(client, before, after)


class TestNewCollection:
    def test_is_created_with_validator_and_indexes(self, matrix_database):
        spec = wants(
            index("a_idx", ("a", 1)),
            index("b_uniq", ("b", -1), unique=True),
            validator={"$jsonSchema": {"required": ["a"]}},
        )
        plan = plan_for(matrix_database, spec)
        assert lines(plan) == [
            "+ create collection",
            "+ index a_idx {a: 1}",
            "+ index b_uniq {b: -1}",
        ]
        sent = carry_out(matrix_database, plan)
        assert sent == ["create collection", "build indexes a_idx {a: 1}, b_uniq {b: -1}"]
        (found,) = read_catalog(matrix_database).collections
        assert (found.validator.level, found.validator.action) == ("strict", "error")

    def test_nothing_to_do_says_so(self, matrix_database):
        spec = wants(index("a_idx", ("a", 1)))
        carry_out(matrix_database, plan_for(matrix_database, spec))
        plan = plan_for(matrix_database, spec)
        assert plan.in_sync
        name = matrix_database.name
        assert render_text(plan) == f"In sync: {name} matches the models.\n"

    def test_collections_of_no_model_are_left_alone(self, things):
        assert plan_for(things).in_sync


class TestRebuild:
    def test_a_renamed_index_is_never_missing(self, things):
        things.things.create_index([("a", 1)], name="old")
        plan = plan_for(things, wants(index("new", ("a", 1))))
        (line,) = lines(plan)
        assert line == (
            "~ index new {a: 1}: renamed from old; "
            "a temporary index serves queries during the rebuild"
        )
        seen = []
        for operation in plan.operations:
            things.command(operation.command())
            explained = things.things.find({"a": 3}).explain()["queryPlanner"]["winningPlan"]
            seen.append("IXSCAN" in str(explained))
        assert seen == [True] * 4
        assert set(things.things.index_information()) == {"_id_", "new"}

    def test_a_generated_name_is_no_drift(self, things):
        things.things.create_index([("a", 1)], name="old")
        assert plan_for(things, wants(index("new", ("a", 1), named=False))).in_sync

    def test_another_name_and_options_build_before_they_drop(self, database):
        database.things.create_index([("a", 1)], name="one", sparse=True)
        # By meaning they differ, so no model declares the old one.
        spec = wants(index("two", ("a", 1)))
        plan = plan_for(database, spec, indexes=IndexPolicy(prune="drop", named=("things.one",)))
        assert carry_out(database, plan) == ["build index two {a: 1}", "drop index one"]

    def test_text_has_a_gap_and_says_so(self, things):
        things.things.create_index([("b", "text")], name="search")
        plan = plan_for(things, wants(index("search", ("text", "text"))))
        (line,) = lines(plan)
        assert line.endswith("queries cannot use it during the rebuild")
        assert carry_out(things, plan) == [
            "drop index search",
            "build index search {text: text}",
        ]

    def test_what_would_forbid_the_build_goes_first(self, things):
        things.things.create_index([("b", 1)], name="search")
        things.things.create_index([("b", "text")], name="other")
        plan = plan_for(things, wants(index("search", ("text", "text"))))
        assert lines(plan) == [
            "- index search {b: 1}: no model declares it, and its name is needed",
            "~ index search {text: text}: keys were {b: text}; "
            "queries cannot use it during the rebuild",
        ]
        carry_out(things, plan)
        assert set(things.things.index_information()) == {"_id_", "search"}

    def test_an_interrupted_rebuild_is_finished_from_every_point(self, things):
        spec = wants(index("new", ("a", 1)))
        for stop in range(1, 4):
            things.things.drop_indexes()
            things.things.create_index([("a", 1)], name="old")
            for operation in plan_for(things, spec).operations[:stop]:
                things.command(operation.command())
            carry_out(things, plan_for(things, spec))
            assert set(things.things.index_information()) == {"_id_", "new"}, stop


class TestInPlace:
    def test_ttl(self, things):
        things.things.create_index([("a", 1)], name="t", expireAfterSeconds=60)
        plan = plan_for(things, wants(index("t", ("a", 1), expireAfterSeconds=3600)))
        assert lines(plan) == ["~ index t {a: 1}: now expires after 1 hour (was 1 minute)"]
        assert plan.changes[0].risk is Risk.SAFE
        shorter = plan_for(things, wants(index("t", ("a", 1), expireAfterSeconds=30)))
        assert shorter.changes[0].risk is Risk.DESTROYS
        assert carry_out(things, plan) == [
            "expire documents of index t after 1 hour (was 1 minute)",
        ]

    def test_hidden(self, things):
        things.things.create_index([("a", 1)], name="h")
        plan = plan_for(things, wants(index("h", ("a", 1), hidden=True)))
        assert lines(plan) == ["~ index h {a: 1}: now hidden (was visible)"]
        carry_out(things, plan)
        assert plan_for(things, wants(index("h", ("a", 1), hidden=True))).in_sync

    def test_unique_by_conversion_where_the_server_can(self, database):
        database.things.create_index([("a", 1)], name="u")
        plan = plan_for(database, wants(index("u", ("a", 1), unique=True)))
        assert carry_out(database, plan) == [
            "refuse new duplicates in index u (prepareUnique)",
            "make index u unique",
        ]
        assert database.things.index_information()["u"]["unique"] is True

    def test_a_half_done_conversion_is_finished_or_taken_back(self, database):
        database.things.create_index([("a", 1)], name="u")
        database.command("collMod", "things", index={"name": "u", "prepareUnique": True})
        unique = plan_for(database, wants(index("u", ("a", 1), unique=True)))
        assert [step.words() for step in unique.operations] == ["make index u unique"]
        plain = plan_for(database, wants(index("u", ("a", 1))))
        assert carry_out(database, plain) == ["accept duplicates in index u again"]
        assert plan_for(database, wants(index("u", ("a", 1)))).in_sync


class TestPrune:
    @pytest.fixture
    def unmanaged(self, things):
        things.things.create_index([("a", 1)], name="nobodys")
        return things

    def test_is_only_reported_by_default(self, unmanaged):
        plan = plan_for(unmanaged, wants())
        assert plan.in_sync
        assert [note.words for note in plan.notes] == ["index nobodys {a: 1}: no model declares it"]

    def test_hide(self, unmanaged):
        plan = plan_for(unmanaged, wants(), indexes=IndexPolicy(prune="hide"))
        assert carry_out(unmanaged, plan) == ["hide index nobodys"]
        assert plan_for(unmanaged, wants(), indexes=IndexPolicy(prune="hide")).in_sync

    def test_drop(self, unmanaged):
        plan = plan_for(unmanaged, wants(), indexes=IndexPolicy(prune="drop"))
        assert plan.changes[0].risk is Risk.DESTROYS
        assert carry_out(unmanaged, plan) == ["drop index nobodys"]

    def test_a_redundant_one_is_told_by_what_replaces_it(self, unmanaged):
        both = index("both", ("a", 1), ("b", 1))
        carry_out(unmanaged, plan_for(unmanaged, wants(both)))
        (note,) = plan_for(unmanaged, wants(both)).notes
        assert note.words == (
            "index nobodys {a: 1}: no model declares it, and both serves the same queries"
        )
        declared = wants(both, index("nobodys", ("a", 1)))
        (note,) = plan_for(unmanaged, declared).notes
        assert note.words == (
            "index nobodys {a: 1}: both serves the same queries; leave it out of the model"
        )

    @pytest.mark.parametrize("declares", [("a",), ("both",), ("a", "both")])
    def test_drop_and_the_advice_agree(self, things, declares):
        """A sync drops the indexes that an inspection's warning advises to drop."""
        known = {"a": (("a", 1),), "both": (("a", 1), ("b", 1))}
        for name, keys in known.items():
            things.things.create_index(list(keys), name=name)
        spec = wants(*(index(name, *known[name]) for name in declares))
        catalog = read_catalog(things)
        declared = declared_indexes(catalog["things"], spec, catalog.server)
        advised = [one.name for one, _ in redundant(catalog["things"].indexes, declared)]
        plan = diff(catalog, (spec,), indexes=IndexPolicy(prune="drop"))
        dropped = {step.index.name for step in plan.operations if isinstance(step, DropIndex)}
        assert len(dropped) == len(plan.operations)
        assert dropped == set(known) - set(declares)
        assert set(advised) <= dropped | ({"a"} if len(declares) == 2 else set())
        notes = [note.words for note in plan.notes]
        assert all(("leave it out" in words) is (len(declares) == 2) for words in notes)
        apply(things, plan)
        after = diff(read_catalog(things), (spec,), indexes=IndexPolicy(prune="drop"))
        assert set(things.things.index_information()) == {"_id_", *declares}
        assert after.in_sync

    def test_one_in_use_is_dropped_only_by_name(self, unmanaged):
        unmanaged.things.find_one({"a": 1})
        plan = plan_for(unmanaged, wants(), indexes=IndexPolicy(prune="drop"))
        assert plan.in_sync
        assert plan.notes[0].words.endswith("but it is in use; name it to drop it")
        named = IndexPolicy(named=("things.nobodys",))
        assert carry_out(unmanaged, plan_for(unmanaged, wants(), indexes=named)) == [
            "drop index nobodys"
        ]


class TestValidator:
    SCHEMA = {"$jsonSchema": {"required": ["a", "missing"]}}

    def test_begins_gently_without_a_count(self, things):
        plan = plan_for(things, wants(validator=self.SCHEMA))
        assert lines(plan) == ["+ validator, moderate and warn"]
        carry_out(things, plan)
        assert plan_for(things, wants(validator=self.SCHEMA)).in_sync

    def test_violators_are_told(self, things):
        plan = plan_for(things, wants(validator=self.SCHEMA), violators={"things": 20})
        assert lines(plan) == ["+ validator, moderate and warn; 20 documents violate it"]

    def test_is_tightened_when_there_are_none(self, things):
        spec = wants(validator={"$jsonSchema": {"required": ["a"]}})
        carry_out(things, plan_for(things, spec))
        plan = plan_for(things, spec, violators={"things": 0})
        assert lines(plan) == ["~ validator now strict and error (was moderate and warn)"]
        carry_out(things, plan)
        assert plan_for(things, spec, violators={"things": 0}).in_sync
        assert plan_for(things, spec).in_sync

    def test_what_the_model_chose_rests_uncounted_at_both_stages(self, things):
        spec = wants(validator={"$jsonSchema": {"required": ["a"]}}, action="warn")
        for violators in (20, 0):
            carry_out(things, plan_for(things, spec, violators={"things": violators}))
            assert plan_for(things, spec).in_sync
        found = things.command("listCollections", filter={"name": "things"})
        options = found["cursor"]["firstBatch"][0]["options"]
        assert (options["validationLevel"], options["validationAction"]) == ("strict", "warn")

    def test_the_callers_policy_wins(self, things):
        policy = ValidationPolicy(level="strict", action="warn")
        plan = plan_for(things, wants(validator=self.SCHEMA), validation=policy)
        assert lines(plan) == ["+ validator, strict and warn"]

    def test_off_leaves_them_alone(self, things):
        plan = plan_for(
            things, wants(validator=self.SCHEMA), validation=ValidationPolicy(level="off")
        )
        assert plan.in_sync

    def test_the_order_of_keys_and_sets_is_no_drift(self, things):
        things.command(
            "collMod",
            "things",
            validator={"$jsonSchema": {"required": ["b", "a"], "bsonType": ["object"]}},
        )
        spec = wants(validator={"$jsonSchema": {"bsonType": "object", "required": ["a", "b"]}})
        assert plan_for(things, spec, violators={"things": 0}).in_sync


class TestImpossible:
    def test_capped(self, things):
        things.create_collection("log", capped=True, size=4096)
        plan = plan_for(things, wants(name="log", options={"capped": True, "size": 8192}))
        assert lines(plan) == [
            "! size is 4096, wanted 8192; MongoDB cannot change that on an existing "
            "collection: copy the documents into a new one"
        ]
        assert plan.operations == ()

    def test_a_view_in_the_way(self, things):
        things.create_collection("log", viewOn="things", pipeline=[])
        (line,) = lines(plan_for(things, wants(name="log")))
        assert line.startswith("! a view of things exists where the models expect a collection")

    def test_a_view_that_the_models_read_is_left_alone(self, things):
        things.create_collection("log", viewOn="things", pipeline=[])
        plan = plan_for(things, wants(name="log", view=True))
        assert plan.in_sync
        assert [note.words for note in plan.notes] == [
            "a view of things: nothing in it is synchronised"
        ]

    def test_a_view_that_is_missing_is_not_made(self, things):
        plan = plan_for(things, wants(name="log", view=True))
        assert plan.in_sync
        assert plan.operations == ()
        assert plan.notes[0].words.startswith("the view does not exist; it is not created")

    def test_a_collection_in_the_place_of_a_view(self, things):
        plan = plan_for(things, wants(view=True))
        assert plan.operations == ()
        assert lines(plan) == [
            "! a collection exists where the models expect a view; remove view=True from the models"
        ]


class TestMadeAnew:
    """Options that cannot be changed are no obstacle while there are no documents."""

    CAPPED = wants(index("a_idx", ("a", 1)), name="log", options={"capped": True, "size": 8192})

    def test_with_its_validator_and_indexes(self, matrix_database):
        matrix_database.log.create_index("a", name="a_idx")
        spec = replace(self.CAPPED, validator={"$jsonSchema": {"required": ["a"]}})
        plan = plan_for(matrix_database, spec, empty={"log"})
        assert lines(plan) == [
            "~ recreated, because it has no documents: capped is not set, wanted True; "
            "size is not set, wanted 8192"
        ]
        assert plan.changes[0].risk is Risk.DESTROYS
        assert carry_out(matrix_database, plan) == [
            "recreate the empty collection (capped, size) with 1 index",
            "restore documents written in the meantime, and drop the old collection",
        ]
        assert matrix_database.log.options()["capped"] is True
        assert plan_for(matrix_database, spec, empty={"log"}).in_sync

    @pytest.mark.parametrize(
        "options",
        [
            {"timeseries": {"timeField": "at", "metaField": "of"}, "expireAfterSeconds": 90},
            {"clusteredIndex": {"key": {"_id": 1}, "unique": True}},
            {"collation": {"locale": "fr"}},
        ],
        ids=lambda options: next(iter(options)),
    )
    def test_of_every_kind(self, database, options):
        database.create_collection("log")
        spec = wants(name="log", options=options)
        carry_out(database, plan_for(database, spec, empty={"log"}))
        assert plan_for(database, spec, empty={"log"}).in_sync

    def test_a_capped_one_as_an_ordinary_one(self, matrix_database):
        matrix_database.create_collection("log", capped=True, size=4096, collation={"locale": "fr"})
        spec = wants(name="log")
        carry_out(matrix_database, plan_for(matrix_database, spec, empty={"log"}))
        found = matrix_database.log.options()
        assert "capped" not in found
        # What the models leave open is left as it is.
        assert found["collation"]["locale"] == "fr"

    def test_not_where_an_index_or_a_validator_would_be_lost(self, matrix_database):
        matrix_database.log.create_index("by_hand")
        matrix_database.create_collection("other", validator={"a": 1})
        for name in ("log", "other"):
            spec = replace(self.CAPPED, name=name)
            plan = plan_for(matrix_database, spec, empty={"log", "other"})
            assert lines(plan)[0].startswith("! capped is not set, wanted True; MongoDB cannot")


@pytest.mark.parametrize(
    "locale", ["da", "th", "fr_CA", "hi", "vi", "en", "de@collation=phonebook"]
)
@pytest.mark.parametrize("rest", [{}, {"strength": 3}, {"numericOrdering": True}])
def test_collations_as_the_server_fills_them_in(database, locale, rest):
    spec = wants(index("c", ("a", 1), collation={"locale": locale, **rest}))
    carry_out(database, plan_for(database, spec))
    assert plan_for(database, spec).in_sync
    other = wants(index("c", ("a", 1), collation={"locale": locale, "strength": 4}))
    assert not plan_for(database, other).in_sync


def test_a_collections_collation_is_inherited(database):
    spec = wants(index("c", ("a", 1)), options={"collation": {"locale": "da", "strength": 2}})
    carry_out(database, plan_for(database, spec))
    assert plan_for(database, spec).in_sync
    simple = wants(
        index("c", ("a", 1), collation={"locale": "simple"}),
        options={"collation": {"locale": "da", "strength": 2}},
    )
    carry_out(database, plan_for(database, simple))
    assert plan_for(database, simple).in_sync
    assert "collation" not in database.things.index_information()["c"]
