from __future__ import annotations

from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.errors import OperationFailure

from djongo_services.schema.violators import count_violators, find_violators

pytestmark = pytest.mark.versions


SCHEMA = {
    "$jsonSchema": {
        "required": ["name"],
        "properties": {
            "name": {"bsonType": "string", "maxLength": 5},
            "price": {"bsonType": ["int", "long"], "minimum": 0},
            "kind": {"enum": ["a", "b"]},
            "code": {"pattern": "^[A-Z]+$"},
            "at": {
                "bsonType": "object",
                "required": ["x"],
                "additionalProperties": False,
                "properties": {"x": {"bsonType": "int"}, "_id": {}},
            },
            "tags": {"items": {"bsonType": "string"}},
        },
    }
}


@pytest.fixture
def things(matrix_database):
    matrix_database.things.insert_many(
        [
            {"_id": 0, "name": "fine", "price": 1},
            {"_id": 1, "price": 1},
            {"_id": 2, "name": "fine", "price": "12"},
            {"_id": 3, "name": "much too long", "price": -1},
            {"_id": 4, "name": "fine", "kind": "c", "code": "x\x1b[31m"},
            {"_id": 5, "name": "fine", "at": {"y": 1}, "tags": ["a", 2]},
        ]
    )
    return matrix_database


def test_are_counted(things):
    assert count_violators(things.things, SCHEMA) == 5


def test_are_listed_with_reasons(things, request):
    found = {v.id: v.reasons for v in find_violators(things, "things", SCHEMA, limit=10)}
    assert list(found) == [1, 2, 3, 4, 5]
    if "4.4" in request.node.name:
        assert set(found.values()) == {()}  # That server gives no reasons.
        return
    assert found == {
        1: ("the document: name missing",),
        2: ("price: is string, must be int or long",),
        3: ("name: 'much too long' breaks maxLength 5", "price: -1 breaks minimum 0"),
        4: (
            "kind: 'c' is not among the choices",
            "code: 'x\\x1b[31m' does not match '^[A-Z]+$'",
        ),
        5: ("at: y not known to the model", "at: x missing", "tags[1]: is int, must be string"),
    }


def test_are_bounded_and_leave_nothing_behind(things):
    assert len(list(find_violators(things, "things", SCHEMA, limit=2))) == 2
    assert things.list_collection_names() == ["things"]


def test_rules_besides_the_schema(things, request):
    query = {"$and": [{"price": {"$gt": 0}}, SCHEMA]}
    reasons = [v.reasons for v in find_violators(things, "things", query, limit=10)]
    if "4.4" not in request.node.name:
        assert reasons[2][:1] == ("price: -1 does not satisfy {'$gt': 0}",)


def test_named_rules_are_told_by_their_names(things, request):
    check = {"$expr": {"$gte": ["$price", 0]}}
    found = find_violators(
        things, "things", {"$and": [SCHEMA, check]}, limit=10, checks={"price_positive": check}
    )
    if "4.4" not in request.node.name:
        assert {v.id: v.reasons for v in found}[3] == (
            "name: 'much too long' breaks maxLength 5",
            "price: -1 breaks minimum 0",
            "breaks the constraint price_positive",
        )


def test_a_validator_that_is_no_query(things):
    with pytest.raises(OperationFailure):
        list(find_violators(things, "things", {"$nonsense": 1}, limit=1))


def test_alternatives_and_exceptions(matrix_database, request):
    schema = {
        "$jsonSchema": {
            "properties": {
                "a": {"anyOf": [{"enum": [""]}, {"bsonType": "string", "minLength": 3}]},
                "b": {"anyOf": [{"bsonType": "int"}, {"bsonType": "bool"}]},
                "c": {"not": {"enum": ["no"]}},
            }
        }
    }
    matrix_database.things.insert_one({"a": "x", "b": "y", "c": "no"})
    (found,) = find_violators(matrix_database, "things", schema, limit=1)
    if "4.4" in request.node.name:
        assert found.reasons == ()
        return
    assert found.reasons == (
        "a: 'x' breaks minLength 3",
        "b: is string, must be int, or b: is string, must be bool",
        "c: matches what is excluded",
    )


def test_the_value_is_shown_whatever_it_is(matrix_database, request):
    schema = {
        "$jsonSchema": {
            "properties": {
                "empty": {"minProperties": 1},
                "large": {"maxProperties": 1},
                "none": {"enum": ["x"]},
                "list": {"minItems": 1},
                "pair": {"dependencies": {"a": ["b"]}},
            }
        }
    }
    document: dict[str, Any] = {
        "empty": {},
        "large": {"a": 1, "b": 2},
        "none": None,
        "list": [],
        "pair": {"a": 1},
    }
    matrix_database.things.insert_one(document)
    (found,) = find_violators(matrix_database, "things", schema, limit=1)
    if "4.4" not in request.node.name:
        assert found.reasons == (
            "empty: {} breaks minProperties 1",
            "large: an object with 2 keys breaks maxProperties 1",
            "none: null is not among the choices",
            "list: [] breaks minItems 1",
            "pair: a requires b",
        )


def test_dates_beyond_the_calendar(matrix_database):
    year = DatetimeMS(2**62)
    matrix_database.things.insert_one({"_id": year, "at": year})
    query = {"$jsonSchema": {"properties": {"at": {"bsonType": "string"}}}}
    (found,) = find_violators(matrix_database, "things", query, limit=5)
    assert found.id == year
