"""Fields as Django's ``FieldInfo``, from validators and profiles."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.backends.base.introspection import FieldInfo
from pymongo.database import Database

from djongo_services.backend.description import describe_fields
from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Collection, Validator
from djongo_services.introspection.report import Coverage, Field, Profile, TypeCount

Mongo = Database[dict[str, Any]]


def described(
    schema: dict[str, Any] | None = None, profile: Profile | None = None, **options: Any
) -> dict[str, Any]:
    validator = None
    if schema is not None:
        validator = Validator(query={"$jsonSchema": schema}, **options)
    collection = Collection(name="things", validator=validator)
    return {field.name: field for field in describe_fields(collection, profile)}


def profile_of(documents: int, **fields: dict[str, int]) -> Profile:
    """``profile_of(3, a={"int": 2})``: three documents, two of them with an int at ``a``."""
    return Profile(
        collection="things",
        fields=tuple(
            Field(
                path=(name,),
                parents=documents,
                types={
                    kind: TypeCount(count=count, probability=count / documents)
                    for kind, count in types.items()
                },
            )
            for name, types in fields.items()
        ),
        coverage=Coverage(
            requested="exact", reached="exact", documents=documents, examined=documents
        ),
    )


def test_of_a_real_collection(matrix_database: Mongo) -> None:
    schema = {
        "bsonType": "object",
        "required": ["name", "born"],
        "properties": {
            "name": {"bsonType": "string", "maxLength": 80},
            "born": {"bsonType": ["date", "null"]},
            "height": {"bsonType": ["int", "double"]},
        },
    }
    matrix_database.create_collection(
        "people", validator={"$jsonSchema": schema}, collation={"locale": "de"}
    )
    fields = describe_fields(read_catalog(matrix_database)["people"])
    nothing = (None, None)
    # The codes of types are names here; Django asks nothing of them.
    info: Any = FieldInfo
    assert fields == [
        info("_id", "objectId", *nothing, *nothing, False, None, None),
        info("name", "string", 80, 80, *nothing, False, None, "de"),
        info("born", "date", *nothing, *nothing, True, None, None),
        info("height", "double", *nothing, *nothing, True, None, None),
    ]


def test_nothing_known_but_the_id() -> None:
    assert list(described()) == ["_id"]


def test_a_view_has_only_what_its_documents_have() -> None:
    view = Collection(name="v", type="view", options={"viewOn": "a", "pipeline": []})
    assert describe_fields(view) == []
    found = describe_fields(view, profile_of(1, a={"int": 1}))
    assert [field.name for field in found] == ["a"]


def test_a_time_series_has_its_own_fields() -> None:
    options = {"timeseries": {"timeField": "at", "metaField": "place"}}
    fields: list[Any] = describe_fields(Collection(name="t", type="timeseries", options=options))
    assert [(field.name, field.type_code, field.null_ok) for field in fields] == [
        ("at", "date", False),
        ("place", "mixed", True),
    ]


@pytest.mark.parametrize(
    ("types", "code"),
    [
        ({"string": 3}, "string"),
        ({"string": 1, "null": 2}, "string"),
        ({"null": 3}, "mixed"),
        ({"int": 1, "long": 1, "double": 1}, "double"),
        ({"decimal": 1, "int": 2}, "decimal"),
        ({"int": 2, "string": 1}, "mixed"),
        ({"binData:uuid": 3}, "binData:uuid"),
    ],
)
def test_types_of_documents(types: dict[str, int], code: str) -> None:
    assert described(profile=profile_of(3, a=types))["a"].type_code == code


@pytest.mark.parametrize(
    ("types", "null_ok"),
    [({"int": 3}, False), ({"int": 2}, True), ({"int": 2, "null": 1}, True)],
)
def test_null_and_missing_of_documents(types: dict[str, int], null_ok: bool) -> None:
    assert described(profile=profile_of(3, a=types))["a"].null_ok is null_ok


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ({"bsonType": "long"}, "long"),
        ({"type": "boolean"}, "bool"),
        ({"type": "number"}, "decimal"),
        ({"bsonType": ["int", "string"]}, "mixed"),
        ({"enum": ["a", "b"]}, "mixed"),
        ({}, "mixed"),
    ],
)
def test_types_of_schemas(schema: dict[str, Any], code: str) -> None:
    assert described({"properties": {"a": schema}})["a"].type_code == code


@pytest.mark.parametrize(
    ("options", "null_ok"),
    [
        ({}, False),
        ({"level": "moderate"}, True),
        ({"level": "off"}, True),
        ({"action": "warn"}, True),
    ],
)
def test_only_an_enforced_validator_forbids_null(options: dict[str, Any], null_ok: bool) -> None:
    schema = {"required": ["a"], "properties": {"a": {"bsonType": "int"}}}
    assert described(schema, **options)["a"].null_ok is null_ok


def test_documents_and_schema_together() -> None:
    schema = {
        "required": ["name", "later"],
        "properties": {
            "name": {"bsonType": "string", "maxLength": 5},
            "seen": {"bsonType": ["int", "null"]},
            "later": {"bsonType": "date"},
        },
    }
    profile = profile_of(2, seen={"long": 2}, _id={"int": 2}, name={"string": 2})
    found = described(schema, profile)
    assert [(field.name, field.type_code, field.null_ok) for field in found.values()] == [
        ("_id", "int", False),
        ("seen", "long", True),
        ("name", "string", False),
        ("later", "date", False),
    ]
    assert found["name"].internal_size == 5


def test_schemas_that_all_apply_are_read_together() -> None:
    query = {
        "$and": [
            {"$jsonSchema": {"properties": {"a": {"bsonType": "int"}, "b.c": {}}}},
            {"$jsonSchema": {"required": ["a"]}},
        ]
    }
    collection = Collection(name="things", validator=Validator(query=query))
    fields = describe_fields(collection)
    assert [(field.name, field.null_ok) for field in fields] == [("_id", False), ("a", False)]
