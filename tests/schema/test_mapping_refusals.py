"""Values that Django's validation refuses and BSON can hold: the server refuses them when they are
written without Django."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId
from django.db import models
from pymongo.database import Database
from pymongo.errors import WriteError

from djongo_services.schema.mapping import field_schema, model_schema
from tests.schema.apps.mapping import models as app

Mongo = Database[dict[str, Any]]

REFUSED: dict[type[models.Model], dict[str, list[Any]]] = {
    app.Everything: {
        "boolean": [None, 1, "true"],
        "binary": [None, "text"],
        "char": [None, "", "nine chars", 5, b"bytes"],
        "char_blank": [None, "nine chars"],
        "char_null": ["nine chars", 1.5],
        "Char Column": [None, "nine chars"],
        "commas": ["1,,2", "1,2\n", "a", "1" * 31],
        "date": [None, "2024-01-01", 5],
        "datetime": [None, "2024-01-01T00:00"],
        "decimal": [None, "1.5", Decimal128("10000"), -10000, Decimal128("NaN"), float("inf")],
        "duration": [None, "1 s"],
        "email": ["x", "a@b@c", "a@b", "a b@example.com", "@example.com", "a@example.com\n"],
        "file": [None, "x" * 41],
        "file_path": ["x" * 41],
        "float": [None, "1.5", True],
        "ip": [None, "", "300.1.1.1", "1.2.3", "example.com", "01.1.1.1"],
        "ipv4": ["::1"],
        "ipv6": ["1.2.3.4"],
        "big": [None, "5", True],
        "positive": [-1, -0.5, Decimal128("-1")],
        "positive_big": [-1],
        "positive_small": [-1, 2**31],
        "small": [-(2**31) - 1, 2**31],
        "json": [None, "", [], {}, dt.datetime(2024, 1, 1), ObjectId("0" * 24)],
        "json_null": [b"x", ObjectId("0" * 24)],
        "slug": [None, "", "a b", "ä", "a\n", "x" * 51],
        "slug_unicode": ["a b", "a!"],
        "text": [None, 5],
        "time": [None, "12:00"],
        "url": ["example.com", "javascript://example.com/", "http://", "http://a b/", "http://x"],
        "uuid": [None, "x", "E3E70682C2094CAC629F6FBED82C07CD", b"0" * 16],
        "object_id": ["5"],
        "weighed": ["1"],
        "point": [{"x": 1}],
    },
    app.Ruled: {
        "bounded": [6, -6, 5.5, Decimal128("-5.01"), float("nan")],
        "bounded_float": [0.4, 1.6, 2],
        "bounded_decimal": [Decimal128("0.09"), Decimal128("1000"), 0],
        "bounded_duration": [999, 3001],
        "stepped": [1, -4, Int64(12), 7.5],
        "stepped_offset": [1],
        "short": ["ab", ""],
        "short_blank": ["ab"],
        "code": ["A1", "ab1", "AB", "AB1x"],
        "not_code": ["a1"],
        "words": ["!", "a  b"],
        "no_null": ["a\0b"],
        "domain": ["-a.com", "a..com", "localhost"],
        "picture": ["a.gif", "png", "a.png.exe"],
        "ascii_domain": ["пример.рф"],
        "grade": ["", "x", None, "G"],
        "grade_blank": ["x", None],
        "grade_null": ["x"],
        "number": [0, 4, None, "1"],
        "price": [Decimal128("1.6"), None],
        "day": [dt.datetime(2024, 3, 1), None],
    },
    app.Nested: {
        "person": [None, {}, {"name": "x"}, {"name": "", "former": []}, 5],
        "maybe": [
            {"name": "x", "former": [{}]},
            {"name": "x", "former": [], "extra": 1},
            {"name": "x", "former": [], "address": {"street": "more than 10"}},
        ],
        "pet": [
            {},
            {"lives": 3},
            {"_label": "mapping.Cat", "lives": 10},
            {"_label": "mapping.Dog", "lives": 3},
            {"_label": "mapping.Cow", "lives": 3},
        ],
        "pets": [[None], [{"_label": "mapping.Dog", "breed": "longer"}]],
        "tags": [None, [""], ["longer"], [5], [None], "x"],
        "pair": [[1], [1, 2, 3], ["a", "b"]],
        "few": [[1, 2, 3, 4], ["x"]],
        "matrix": [[1], [["x"]]],
        "some": [None, [], [5]],
        "thread": [{"text": "x", "answers": None}],
    },
    app.Related: {
        "shop_id": [None, "x", 5],
        "named_id": ["too long", 5],
        "restaurant_id": ["x"],
        "content_type_id": [5],
    },
    app.Inexpressible: {"a.b": ["x", None], "blob": ["x"]},
}
CASES = [
    pytest.param(model, name, value, id=f"{model.__name__}.{name}={value!r}"[:60])
    for model, fields in REFUSED.items()
    for name, wrong in fields.items()
    for value in wrong
]


@pytest.fixture(scope="module")
def mongo(mongodb_server: Any) -> Iterator[Mongo]:
    """One database for all cases: each collection is open for one property at a time."""
    with mongodb_server.client() as client:
        yield client["test_mapping_refusals"]
        client.drop_database("test_mapping_refusals")


@pytest.mark.parametrize(("model", "name", "wrong"), CASES)
def test_refused(mongo: Mongo, model: type[models.Model], name: str, wrong: Any) -> None:
    """By the schema of this one property, so that nothing else can be the reason."""
    schema = dict(model_schema(model, backend=True, closed=True, rules="model").schema)
    key = "patternProperties" if "." in name else "properties"
    inner = schema[key][r"\Aa\.b\z" if "." in name else name]
    alone = {"properties": {"value": inner}}
    name = f"{model.__name__}.{name}"
    if name not in mongo.list_collection_names():
        mongo.create_collection(name, validator={"$jsonSchema": alone})
    with pytest.raises(WriteError) as caught:
        mongo[name].insert_one({"value": wrong})
    assert caught.value.code == 121


def test_what_is_required(database: Mongo) -> None:
    for model in (app.Everything, app.Ruled, app.Nested, app.Related, app.Restaurant):
        schema = model_schema(model, backend=True, rules="model").schema
        wanted = {
            field.column
            for field in model._meta.local_concrete_fields
            if not field.null and field.column != "_id"
        }
        assert set(schema["required"]) == wanted


def test_a_closed_schema_refuses_other_names(database: Mongo) -> None:
    for closed in (True, False):
        name = f"named_{closed}"
        found = model_schema(app.Named, backend=True, closed=closed, rules="model")
        database.create_collection(name, validator={"$jsonSchema": found.schema})
        database[name].insert_one({"name": "x"})
        if closed:
            with pytest.raises(WriteError):
                database[name].insert_one({"name": "y", "other": 1})
        else:
            database[name].insert_one({"name": "y", "other": 1})


def test_a_field_alone() -> None:
    assert field_schema(app.Named._meta.get_field("name"), backend=True, rules="model") == {
        "bsonType": "string",
        "maxLength": 6,
        "minLength": 1,
    }


def test_what_cannot_be_expressed_is_said() -> None:
    found = {
        problem.subject: problem.reason
        for problem in model_schema(app.Inexpressible, backend=True, rules="model").problems
    }
    assert {name: reason.split(", because ")[-1] for name, reason in found.items()} == {
        "mapping.Inexpressible": "the server treats such a name as a path; "
        "only Django enforces it.",
        "mapping.Inexpressible.lucky": "it is code; only Django enforces it.",
        "mapping.Inexpressible.late": "only numbers have a minimum there; use a CheckConstraint "
        "for other values; only Django enforces it.",
        "mapping.Inexpressible.current": "its limit is computed each time; "
        "only Django enforces it.",
        "mapping.Inexpressible.fractions": "steps of fractions depend on how they are rounded; "
        "only Django enforces it.",
        "mapping.Inexpressible.shifted": "MongoDB counts steps from 0 only; "
        "only Django enforces it.",
        "mapping.Inexpressible.blob": "no keyword checks the length of binData values; "
        "only Django enforces it.",
        "mapping.Inexpressible.twice": "the server may read a back-reference differently; "
        "only Django enforces it.",
    }
    nested = model_schema(app.Nested, backend=True, rules="model").problems
    assert ["contains itself" in problem.reason for problem in nested] == [True]
    related = model_schema(app.Related, backend=True, rules="model").problems
    assert [problem.subject for problem in related] == ["mapping.Related.limited"]


def test_everything_else_is_expressed() -> None:
    for model in (app.Everything, app.Ruled, app.Restaurant, app.Proxy, app.Shop):
        assert model_schema(model, backend=True, rules="model").problems == ()


def test_abstract_models_have_no_schema() -> None:
    with pytest.raises(ValueError, match=r"mapping\.Base is abstract"):
        model_schema(app.Base, backend=True, rules="model")
