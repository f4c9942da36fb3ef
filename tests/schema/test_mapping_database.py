"""The rules "database": what a SQL database would refuse is refused, and nothing else is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from bson import Decimal128, Int64
from django.db import models
from pymongo.database import Database
from pymongo.errors import WriteError

from djongo_services.schema.mapping import field_schema, model_schema
from tests.schema.apps.mapping import models as app
from tests.schema.apps.mapping import plain

Mongo = Database[dict[str, Any]]
NAN, INFINITY = float("nan"), float("inf")

PASSES: dict[type[models.Model], dict[str, list[Any]]] = {
    app.Everything: {
        "char": ["", "eight ch"],
        "char_blank": [""],
        "commas": ["1,,2", "a", ""],
        "decimal": [0, Decimal128("9999.99"), Decimal128("-9999.999"), 9999.5, Int64(1)],
        "decimal_wide": [Decimal128("NaN"), Decimal128("1E+40")],
        "duration": [-1, Int64(2**62)],
        "email": ["", "x"],
        "file": ["", "x" * 40],
        "file_path": [""],
        "float": [NAN, INFINITY, 1, Decimal128("1")],
        "ip": ["::1", "x"],
        "ipv4": ["::1", None],
        "big": [Int64(2**63 - 1), 1e30],
        "integer": [Int64(2**63 - 1), 1.5],
        "positive": [0, Int64(2**63 - 1), 0.5],
        "small": [2**31 - 1, -(2**31)],
        "json": ["", [], {}, 0, False],
        "json_null": [None, {}],
        "slug": ["", "a b", "ä"],
        "text": ["", "x" * 10_000],
        "url": ["", "example.com"],
    },
    app.Ruled: {
        "bounded": [6, -6],
        "bounded_decimal": [Decimal128("0.09"), 0],
        "bounded_duration": [999],
        "stepped": [1],
        "short": ["ab", ""],
        "code": ["ab1", ""],
        "not_code": ["a1"],
        "no_null": ["a\0b"],
        "picture": ["a.gif", ""],
        "grade": ["", "x"],
        "number": [0, 4],
        "price": [Decimal128("1.6")],
        "day": [dt.datetime(2024, 3, 1)],
    },
    app.Nested: {
        "person": [{"name": "", "former": []}, {"name": "x", "address": None, "former": [None]}],
        "maybe": [None],
        "tags": [[], [""], [None], ["x"] * 99],
        "pair": [[1], [1, 2, 3], [None, 1]],
        "few": [[1.0, None, 3, 4]],
        "matrix": [[[1], None, [2, None]]],
    },
    app.Related: {"object_id": [""], "named_id": [""]},
    app.Inexpressible: {"lucky": [0], "blob": [b"", b"longer"], "current": [9999]},
}
REFUSED: dict[type[models.Model], dict[str, list[Any]]] = {
    app.Everything: {
        "boolean": [None, 1, "true"],
        "binary": [None, "text"],
        "char": [None, "nine chars", 5],
        "char_null": ["nine chars"],
        "date": [None, "2024-01-01"],
        "decimal": [None, "1.5", Decimal128("10000"), -10000, INFINITY],
        "email": [None, "x" * 255],
        "file": ["x" * 41],
        "file_path": ["x" * 41],
        "float": [None, "1.5"],
        "ip": [None, "x" * 40],
        "integer": [None, "1"],
        "positive": [None, -1, -0.5],
        "positive_big": [Int64(-1)],
        "positive_small": [-1, Int64(2**31)],
        "small": [Int64(2**31), Int64(-(2**31) - 1)],
        "json": [None, dt.datetime(2024, 1, 1)],
        "slug": [None, "x" * 51],
        "text": [None, 5],
        "url": ["x" * 201],
        "uuid": [None, "x"],
    },
    app.Ruled: {
        "bounded": [None, "1"],
        "bounded_decimal": [Decimal128("1000")],
        "grade": [None, "gb"],
        "number": [None, "1"],
        "price": [Decimal128("1000")],
    },
    app.Nested: {
        "person": [None, {}, {"name": None, "former": []}, {"name": "x" * 11, "former": []}],
        "maybe": [{"name": "x", "former": [], "address": {"street": "more than 10"}}],
        "tags": [None, ["longer"], [5]],
        "pair": [["a", "b"], 5],
        "pet": [
            {"_label": "mapping.Cow", "lives": 3},
            {"_label": "mapping.Dog", "breed": "longer"},
        ],
    },
    app.Related: {"shop_id": [None, "x"], "named_id": ["too long"]},
}


@pytest.fixture(scope="module")
def mongo(mongodb_server: Any) -> Iterator[Mongo]:
    with mongodb_server.client() as client:
        yield client["test_mapping_database"]
        client.drop_database("test_mapping_database")


def cases(table: dict[type[models.Model], dict[str, list[Any]]]) -> list[Any]:
    return [
        pytest.param(model, name, values, id=f"{model.__name__}.{name}")
        for model, fields in table.items()
        for name, values in fields.items()
    ]


def validated(mongo: Mongo, model: type[models.Model], name: str) -> Any:
    """A collection of the values of one property."""
    schema: Any = model_schema(model, backend=True, rules="database").schema
    collection = f"{model.__name__}.{name}"
    mongo.drop_collection(collection)
    alone = {"properties": {"value": schema["properties"][name]}}
    return mongo.create_collection(collection, validator={"$jsonSchema": alone})


@pytest.mark.parametrize(("model", "name", "values"), cases(PASSES))
def test_passes(mongo: Mongo, model: type[models.Model], name: str, values: list[Any]) -> None:
    validated(mongo, model, name).insert_many([{"value": value} for value in values])


@pytest.mark.parametrize(("model", "name", "values"), cases(REFUSED))
def test_is_refused(mongo: Mongo, model: type[models.Model], name: str, values: list[Any]) -> None:
    collection = validated(mongo, model, name)
    for value in values:
        with pytest.raises(WriteError) as caught:
            collection.insert_one({"value": value})
        assert caught.value.code == 121, value


def test_every_server_takes_the_schemas(matrix_database: Mongo) -> None:
    for model in (app.Everything, app.Ruled, app.Nested, app.Related, app.Inexpressible):
        schema = model_schema(model, backend=True).schema
        matrix_database.create_collection(model.__name__, validator={"$jsonSchema": schema})


def test_what_forms_alone_enforce_is_no_problem() -> None:
    """Rules that only forms enforce, and no database would, are not mentioned."""
    for model in (app.Everything, app.Ruled, app.Related):
        assert model_schema(model, backend=True).problems == ()
    (problem,) = model_schema(app.Inexpressible, backend=True).problems
    assert problem.reason.startswith("a schema cannot require 'a.b'")


def test_a_column_with_a_default_of_its_own_may_be_missing() -> None:
    for rules in ("database", "model"):
        assert model_schema(plain.Defaulted, backend=False, rules=rules).schema["required"] == [
            "_id"
        ]


def test_decimals_without_digits() -> None:
    """Some databases take them; and none is bounded."""
    field = models.DecimalField(name="price")
    assert set(field_schema(field, backend=True)) == {"bsonType"}
