"""The catalog in the shape of Django's ``get_constraints``."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.backend.constraints import get_constraints
from djongo_services.introspection import read_catalog

Mongo = Database[dict[str, Any]]

KEYS = {
    "columns",
    "orders",
    "primary_key",
    "unique",
    "foreign_key",
    "check",
    "index",
    "type",
    "options",
    "definition",
}


def constraints(database: Mongo) -> dict[str, dict[str, Any]]:
    return get_constraints(read_catalog(database)["things"])


def test_a_compound_index_in_full(matrix_database: Mongo) -> None:
    matrix_database["things"].create_index([("a", 1), ("b", -1)], unique=True, sparse=True)
    assert constraints(matrix_database)["a_1_b_-1"] == {
        "columns": ["a", "b"],
        "orders": ["ASC", "DESC"],
        "primary_key": False,
        "unique": True,
        "foreign_key": None,
        "check": False,
        "index": True,
        "type": "idx",
        "options": {"unique": True, "sparse": True},
        "definition": {
            "v": 2,
            "key": {"a": 1, "b": -1},
            "name": "a_1_b_-1",
            "unique": True,
            "sparse": True,
        },
    }


def test_id_is_the_primary_key(matrix_database: Mongo) -> None:
    matrix_database.create_collection("things")
    assert constraints(matrix_database) == {
        "_id_": {
            "columns": ["_id"],
            "orders": ["ASC"],
            "primary_key": True,
            "unique": True,
            "foreign_key": None,
            "check": False,
            "index": True,
            "type": "idx",
            "options": {},
            "definition": {"v": 2, "key": {"_id": 1}, "name": "_id_"},
        }
    }


@pytest.mark.parametrize(
    ("keys", "columns", "orders", "kind"),
    [
        ([("a", "text"), ("b", "text")], ["a", "b"], ["TEXT", "TEXT"], "text"),
        ([("x", -1), ("a", "text")], ["x", "a"], ["DESC", "TEXT"], "text"),
        ([("a", "2dsphere")], ["a"], ["GEO"], "2dsphere"),
        ([("a", "2d"), ("b", 1)], ["a", "b"], ["2D", "ASC"], "2d"),
        ([("a", "hashed")], ["a"], ["HASHED"], "hashed"),
        ([("$**", 1)], [], [], "wildcard"),
        ([("a.$**", 1)], [], [], "wildcard"),
    ],
)
def test_every_kind(
    matrix_database: Mongo, keys: Any, columns: list[str], orders: list[str], kind: str
) -> None:
    matrix_database["things"].create_index(keys, name="it")
    found = constraints(matrix_database)["it"]
    assert set(found) == KEYS
    assert (found["columns"], found["orders"], found["type"]) == (columns, orders, kind)
    assert (found["index"], found["unique"], found["primary_key"]) == (True, False, False)


@pytest.mark.parametrize(
    "options",
    [
        {"expireAfterSeconds": 60},
        {"sparse": True},
        {"hidden": True},
        {"partialFilterExpression": {"a": {"$gt": 1}}},
    ],
)
def test_options_are_kept(matrix_database: Mongo, options: dict[str, Any]) -> None:
    matrix_database["things"].create_index("a", **options)
    assert constraints(matrix_database)["a_1"]["options"] == options


def test_clustered_is_the_primary_key(newest_database: Mongo) -> None:
    database = newest_database
    database.create_collection("things", clusteredIndex={"key": {"_id": 1}, "unique": True})
    (found,) = constraints(database).values()
    assert found["primary_key"]
    assert found["unique"]
    assert (found["columns"], found["type"]) == (["_id"], "clustered")


def test_a_view_has_none(matrix_database: Mongo) -> None:
    matrix_database.create_collection("things", viewOn="other", pipeline=[])
    assert constraints(matrix_database) == {}


def test_the_validator_is_a_check(matrix_database: Mongo) -> None:
    query = {
        "$jsonSchema": {"properties": {"a": {"bsonType": "int"}}, "required": ["a", "b"]},
        "c": {"$gt": 1},
        "$or": [{"d": 1}, {"e.f": {"$exists": True}}],
        "$expr": {"$lt": ["$g", {"$add": ["$h.i", {"$literal": "$j"}, "$$ROOT.k"]}]},
    }
    matrix_database.create_collection("things", validator=query, validationLevel="moderate")
    found = constraints(matrix_database)
    assert list(found) == ["_id_", "validator"]
    assert found["validator"] == {
        "columns": ["a", "b", "c", "d", "e.f", "g", "h.i"],
        "orders": [],
        "primary_key": False,
        "unique": False,
        "foreign_key": None,
        "check": True,
        "index": False,
        "type": None,
        "options": {"validationLevel": "moderate", "validationAction": "error"},
        "definition": query,
    }


def test_an_index_may_have_the_validators_name(matrix_database: Mongo) -> None:
    matrix_database.create_collection("things", validator={"a": 1})
    matrix_database["things"].create_index("a", name="validator")
    found = constraints(matrix_database)
    assert found["validator"]["index"]
    assert found["validator_"]["check"]
