"""Validators written by others stay, and are restored byte for byte where they were replaced."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bson.raw_bson import RawBSONDocument
from hypothesis import HealthCheck, assume, given, settings
from pymongo.errors import OperationFailure

from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import apply
from djongo_services.schema.diff import ValidationPolicy
from djongo_services.schema.operations import SetValidator
from djongo_services.schema.ownership import is_ours, marked, unmarked
from djongo_services.schema.plan import Plan
from djongo_services.schema.rendering import load, render_json, render_text
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.syncing import SyncPolicy, UnknownValidator, make_plan
from tests.schema import raw_bson
from tests.schema.rollbacks import roll_back

SCHEMA = {"bsonType": "object", "properties": {"a": {"bsonType": ["int", "long"]}}}
BY_HAND: dict[str, dict[str, Any]] = {
    "expression": {"$expr": {"$lte": ["$a", "$b"]}},
    "query": {"a": {"$regex": "^[A-Z]", "$ne": "X", "$exists": True}},
    "schema": {"$jsonSchema": {"required": ["b"]}},
    "mix": {"$and": [{"$jsonSchema": {"required": ["b"]}}, {"a": {"$gt": 1}}]},
    "described": {"$jsonSchema": {"description": "Kept by djongo_services, or so", **SCHEMA}},
}


def spec(validator: Any = None, **options: Any) -> CollectionSpec:
    query = {"$jsonSchema": SCHEMA} if validator is None else validator
    return CollectionSpec(name="things", models=("app.Thing",), validator=query, **options)


def replacing() -> SyncPolicy:
    return SyncPolicy(validation=ValidationPolicy(replace=("things",)))


def stored(database: Any) -> bytes:
    """The server's document, undecoded."""
    raw = database.codec_options.with_options(document_class=RawBSONDocument)
    answer = database.command("listCollections", filter={"name": "things"}, codec_options=raw)
    return bytes(answer["cursor"]["firstBatch"][0]["options"]["validator"].raw)


def text(plan: Plan) -> list[str]:
    return render_text(plan).splitlines()


class TestKept:
    @pytest.mark.parametrize("kind", BY_HAND)
    def test_a_validator_by_hand_is_left_alone_and_reported(self, matrix_database, kind):
        matrix_database.create_collection("things", validator=BY_HAND[kind])
        before = stored(matrix_database)
        plan = make_plan(matrix_database, [spec()])
        assert plan.in_sync
        assert [note.collection for note in plan.notes] == ["things"]
        assert "--replace-validator things" in plan.notes[0].words
        apply(matrix_database, plan)
        assert stored(matrix_database) == before

    @pytest.mark.parametrize("kind", BY_HAND)
    def test_it_is_replaced_when_named_and_restored_by_a_rollback(self, matrix_database, kind):
        matrix_database.create_collection(
            "things", validator=BY_HAND[kind], validationLevel="moderate", validationAction="warn"
        )
        before = stored(matrix_database)
        run = apply(matrix_database, make_plan(matrix_database, [spec()], replacing()))
        (found,) = read_catalog(matrix_database, names=["things"]).collections
        assert is_ours(found.validator.query)
        roll_back(matrix_database, run)
        assert stored(matrix_database) == before
        (found,) = read_catalog(matrix_database, names=["things"]).collections
        assert (found.validator.level, found.validator.action) == ("moderate", "warn")

    def test_without_rules_of_the_models_it_is_not_mentioned(self, database):
        database.create_collection("things", validator=BY_HAND["mix"])
        plan = make_plan(database, [CollectionSpec(name="things", models=("app.Thing",))])
        assert (plan.changes, plan.notes) == ((), ())

    def test_ours_that_was_edited_by_hand_is_theirs(self, database):
        apply(database, make_plan(database, [spec()]))
        (found,) = read_catalog(database, names=["things"]).collections
        edited = {**found.validator.query["$jsonSchema"], "required": ["b"]}
        database.command("collMod", "things", validator={"$jsonSchema": edited})
        (note,) = make_plan(database, [spec()]).notes
        assert "did not write it" in note.words

    def test_one_that_says_the_same_is_in_sync(self, database):
        database.create_collection("things", validator={"$jsonSchema": SCHEMA})
        plan = make_plan(database, [spec()])
        assert (plan.changes, plan.notes) == ((), ())

    @pytest.mark.parametrize("name", ["things", "elsewhere"])
    def test_naming_what_is_not_kept_is_refused(self, database, name):
        apply(database, make_plan(database, [spec()]))
        policy = SyncPolicy(validation=ValidationPolicy(replace=(name,)))
        with pytest.raises(UnknownValidator, match=f"'{name}' has no validator of another"):
            make_plan(database, [spec()], policy)


class TestOurs:
    def test_a_mark_survives_the_server(self, matrix_database):
        query = marked({"$and": [{"$jsonSchema": SCHEMA}, {"a": {"$gte": 1.5}}]}, ["app.Thing"])
        matrix_database.create_collection("things", validator=query)
        (found,) = read_catalog(matrix_database, names=["things"]).collections
        assert is_ours(found.validator.query)
        assert found.validator.query["$and"][0]["$jsonSchema"]["description"].startswith(
            "Kept by djongo_services, from app.Thing ["
        )

    def test_a_mark_is_put_on_once_and_taken_off(self):
        query = {"$jsonSchema": {"description": "of the model", **SCHEMA}}
        assert unmarked(query) == query
        plain = {"$jsonSchema": SCHEMA}
        assert unmarked(marked(marked(plain, ["a.B"]), ["a.B"])) == plain

    def test_ours_goes_where_the_models_have_no_rules_any_more(self, database):
        run = apply(database, make_plan(database, [spec()]))
        plan = make_plan(database, [CollectionSpec(name="things", models=("app.Thing",))])
        assert text(plan)[1] == "  - validator: removed, because the models have no rules for it"
        undo = apply(database, plan)
        assert make_plan(database, [CollectionSpec(name="things", models=("app.Thing",))]).in_sync
        roll_back(database, undo)
        assert make_plan(database, [spec()]).in_sync
        assert run != undo


class TestRules:
    BEFORE: dict[str, Any] = {
        "bsonType": "object",
        "required": ["price", "gone"],
        "properties": {
            "price": {"bsonType": "int", "minimum": 1},
            "country": {"enum": ["de", "fr"]},
            "address": {"properties": {"zip": {"maxLength": 5}}},
            "tags": {"items": {"maxLength": 9}},
        },
    }
    AFTER: dict[str, Any] = {
        "bsonType": "object",
        "required": ["price", "name"],
        "properties": {
            "name": {"maxLength": 50},
            "price": {"bsonType": ["int", "null"], "minimum": 0},
            "country": {},
            "address": {"properties": {"zip": {"maxLength": 7}}},
            "tags": {"items": {"maxLength": 9}},
        },
        "additionalProperties": False,
    }
    CHECKS = {"price_positive": {"price": {"$gte": 0}}}

    @pytest.fixture
    def plan(self, database: Any) -> Plan:
        old = {"$and": [{"$jsonSchema": self.BEFORE}, {"a": {"$gt": 3}}]}
        apply(database, make_plan(database, [spec(old)]))
        new = {"$and": [{"$jsonSchema": self.AFTER}, *self.CHECKS.values()]}
        return make_plan(database, [spec(new, checks=self.CHECKS)])

    def test_a_plan_tells_rule_by_rule_what_changes(self, plan):
        assert text(plan)[:-2] == [
            "things",
            "  ~ validator changed, now strict and error",
            "      + additionalProperties false",
            '      + check price_positive {"price": {"$gte": 0}}',
            '      - check {"a": {"$gt": 3}}',
            "      ~ address.zip maxLength 7 (was 5)",
            "      - country enum",
            "      - gone required",
            "      + name maxLength 50",
            "      + name required",
            "      ~ price bsonType int or null (was int)",
            "      ~ price minimum 0 (was 1)",
        ]

    def test_the_json_has_the_rules_and_both_validators_whole(self, plan):
        document = json.loads(render_json(plan))
        (change,) = document["differences"]
        rule = next(one for one in change["rules"] if one["keyword"] == "minimum")
        assert rule == {
            "sign": "~",
            "path": "price",
            "keyword": "minimum",
            "before": {"$numberInt": "1"},
            "after": {"$numberInt": "0"},
            "words": "price minimum 0 (was 1)",
        }
        (operation,) = document["steps"]
        arguments = operation["arguments"]
        assert "$and" in arguments["before"]["query"]
        assert arguments["after"]["query"]["$and"][1] == {"price": {"$gte": {"$numberInt": "0"}}}

    def test_a_saved_plan_tells_the_same(self, plan):
        assert render_text(load(render_json(plan))) == render_text(plan)


@pytest.mark.parametrize(
    "condition",
    [
        {"name": {"$regex": "^ab"}},
        {"$or": [{"name": None}, {"name": {"$regex": "^ab"}}]},
        {"name": {"$regex": "^ab$", "$options": "i"}},
        {"name": {"$not": {"$regex": "^ab"}}},
    ],
)
def test_a_saved_plan_with_patterns_is_applied(matrix_database, condition):
    query = {"$and": [{"$jsonSchema": SCHEMA}, condition]}
    saved = render_json(make_plan(matrix_database, [spec(query)]))
    apply(matrix_database, load(saved))
    assert make_plan(matrix_database, [spec(query)]).in_sync


@given(validator=raw_bson.validators())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
def test_any_validator_comes_back_to_the_byte(database, validator):
    database.drop_collection("things")
    try:
        database.create_collection("things", validator=validator)
    except OperationFailure:
        assume(False)  # The server has no such validator.
    before = stored(database)
    plan = load(render_json(make_plan(database, [spec()], replacing())))
    replaced = [step for step in plan.operations if isinstance(step, SetValidator)]
    # A validator that by chance says what the model says is taken over as it is.
    assume(replaced)
    run = apply(database, plan)
    assert stored(database) != before
    roll_back(database, run)
    assert stored(database) == before
