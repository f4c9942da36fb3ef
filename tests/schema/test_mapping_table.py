"""The row of the table for a field, and the fields for a BSON type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.utils import ConnectionHandler
from django.test.utils import isolate_apps

from djongo_services.introspection.modelling import types as modelling
from djongo_services.schema.mapping import (
    FieldMapping,
    django_fields,
    field_schema,
    from_document,
    mapping_of,
    model_schema,
    register_field,
    table,
    to_document,
    writes,
)
from tests.schema.apps.mapping import models as app


class Colour(models.Field):
    """Stored as three bytes."""


@pytest.fixture
def registry() -> Iterator[None]:
    """Fields that a test registers are removed afterwards."""
    kept = dict(table._rows)
    yield
    table._rows.clear()
    table._rows.update(kept)


@pytest.mark.usefixtures("registry")
@isolate_apps("tests.schema.apps.mapping")
def test_a_registered_field() -> None:
    class Paint(models.Model):
        id = models.IntegerField(primary_key=True)
        colour = Colour()

        class Meta:
            app_label = "mapping"

    before = model_schema(Paint, backend=False, rules="model")
    assert before.schema["properties"]["colour"] == {"not": {"bsonType": "null"}}
    assert [problem.reason for problem in before.problems] == [
        "the type of Colour is not known; any value passes. Use register_field to state its type."
    ]
    register_field(
        Colour,
        FieldMapping(
            backend=writes("binData"),
            plain=writes("binData"),
            encode=lambda value, field: bytes.fromhex(value),
            decode=lambda value, field: value.hex(),
        ),
    )
    after = model_schema(Paint, backend=False, rules="model")
    assert after.schema["properties"]["colour"]["bsonType"] == "binData"
    assert after.problems == ()
    assert to_document(Paint(id=1, colour="ff8000")) == {"_id": 1, "colour": b"\xff\x80\x00"}
    assert from_document(Paint, {"_id": 1, "colour": b"\xff\x80\x00"}).colour == "ff8000"


@pytest.mark.usefixtures("registry")
def test_an_internal_type_can_be_registered_anew() -> None:
    register_field("FloatField", FieldMapping(backend=writes("string"), plain=writes("string")))
    assert field_schema(app.Everything._meta.get_field("weighed"), backend=True, rules="model") == {
        "bsonType": ["string", "null"]
    }


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("slogan", ("string",)),
        ("weighed", ("double", "int", "long", "decimal")),
        ("point", ("array",)),
        ("email", ("string",)),
        ("decimal_wide", ("double", "int", "long", "decimal")),
        ("bson", ()),
    ],
)
def test_custom_fields_are_what_their_bases_are(name: str, types: tuple[str, ...]) -> None:
    row = mapping_of(cast("Any", app.Everything._meta.get_field(name)))
    assert row is not None
    assert row.backend.types == types


def test_every_field_of_django_has_a_row() -> None:
    """A field that Django adds must be listed here before the mapping accepts it."""
    known = {name for name in table._rows if isinstance(name, str)}
    fields = {
        name
        for name, found in vars(models).items()
        if isinstance(found, type) and issubclass(found, models.Field)
    }
    elsewhere = {
        # What they are is their target's or their expression's affair, or another field's.
        *("Field", "ForeignKey", "ForeignObject", "OneToOneField", "ManyToManyField"),
        *("GeneratedField", "CompositePrimaryKey", "OrderWrt"),
        *("EmailField", "URLField", "CommaSeparatedIntegerField", "ImageField"),
    }
    assert fields - elsewhere <= known


@pytest.mark.parametrize(
    ("types", "first", "also"),
    [
        ({"string"}, "CharField", "TextField"),
        ({"long"}, "IntegerField", "DurationField"),
        ({"int"}, "SmallIntegerField", "IntegerField"),
        ({"int", "long", "null"}, "IntegerField", "FloatField"),
        ({"bool"}, "BooleanField", "JSONField"),
        ({"objectId"}, "ObjectIdAutoField", "ObjectIdField"),
    ],
)
def test_the_way_back(types: set[str], first: str, also: str) -> None:
    found = django_fields(types)
    assert found[0] == first
    assert also in found


def test_no_field_for_nothing() -> None:
    assert django_fields({"null"}) == ()
    assert django_fields({"regex"}) == ()


def test_the_way_back_agrees_with_the_models_that_inspection_writes() -> None:
    """Inspection chooses one field for types; it must be one that holds them."""
    chosen = {
        "string": "TextField",
        "int": "SmallIntegerField",
        "long": "BigIntegerField",
        "double": "FloatField",
        "decimal": "DecimalField",
        "bool": "BooleanField",
        "date": "DateTimeField",
        "objectId": "ObjectIdField",
        "binData": "BinaryField",
    }
    for types in modelling._BACKEND:
        names = {chosen[name] for name in types} if len(types) == 1 else {"BigIntegerField"}
        assert names <= set(django_fields(types)), types


def test_choices_need_a_backend_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "connections", ConnectionHandler({}))
    with pytest.raises(ImproperlyConfigured, match="describe the model with backend=False"):
        model_schema(app.Ruled, backend=True, rules="model")


def test_models_of_installed_apps_have_schemas() -> None:
    for model in apps.get_models(include_auto_created=True):
        for backend in (True, False):
            schema: Any = model_schema(model, backend=backend, rules="model").schema
            assert schema["bsonType"] == "object"
