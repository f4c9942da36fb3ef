"""The fields that generated modules use where the backend has none."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex, Timestamp, json_util
from django import forms
from django.core.exceptions import ValidationError
from django.db import connection, models

from djongo_services.modelfields import BSONField, Decimal128Field, ExtendedJSONField
from tests.conftest import RunDjango

VALUES = [
    "text",
    1,
    Int64(1),
    1.5,
    True,
    ObjectId("0" * 24),
    Decimal128("1.50"),
    Binary(b"0" * 16, 4),
    Regex("a", "i"),
    Timestamp(1, 2),
    {"a": [1, {"b": Int64(2)}]},
    [Int64(3)],
]


class Form(forms.Form):
    value = ExtendedJSONField()


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_form_gives_back_what_it_showed(value: Any) -> None:
    shown = Form(initial={"value": value})["value"].value()
    form = Form({"value": shown}, initial={"value": value})

    assert form.is_valid()
    assert form.cleaned_data["value"] == value
    assert type(form.cleaned_data["value"]) is type(value)
    assert not form.has_changed()


def test_a_form_shows_again_what_is_no_json() -> None:
    form = Form({"value": "{oops"}, initial={"value": 1})

    assert form.errors == {"value": ["Enter valid Extended JSON."]}
    assert form["value"].value() == "{oops"
    assert form.has_changed()


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"$oid": "x"}', '{"$numberDecimal": "x"}', '{"$binary": 1}', '{"$uuid": "x"}'],
    ids=lambda text: text[:20],
)
def test_what_is_no_value_is_an_error_of_the_field(text: str) -> None:
    assert Form({"value": text}).errors == {"value": ["Enter valid Extended JSON."]}


def test_a_disabled_field_keeps_its_value() -> None:
    class Disabled(forms.Form):
        value = ExtendedJSONField(disabled=True)

    form = Disabled({"value": "2"}, initial={"value": 1})

    assert form.is_valid()
    assert form.cleaned_data == {"value": 1}
    assert not form.has_changed()


def test_an_empty_optional_value_is_null() -> None:
    field = BSONField(null=True, blank=True).formfield()

    assert field.clean("") is None
    with pytest.raises(ValidationError):
        BSONField().formfield().clean("")


def test_serializers_get_canonical_extended_json() -> None:
    class Serialized(models.Model):
        value = BSONField()

        class Meta:
            app_label = "backend_app"
            managed = False

    text = Serialized._meta.get_field("value").value_to_string(Serialized(value={"a": Int64(1)}))

    assert json.loads(text) == {"a": {"$numberLong": "1"}}
    assert json_util.loads(text, json_options=json_util.CANONICAL_JSON_OPTIONS) == {"a": Int64(1)}


def test_migrations_can_write_the_fields() -> None:
    name, path, args, kwargs = BSONField(null=True).deconstruct()
    assert (name, path, args, kwargs) == (
        None,
        "djongo_services.modelfields.BSONField",
        [],
        {"null": True},
    )
    assert Decimal128Field().deconstruct()[1:] == (
        "djongo_services.modelfields.Decimal128Field",
        [],
        {"max_digits": 34, "decimal_places": 17},
    )


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_decimals_need_not_be_finite(text: str) -> None:
    field = Decimal128Field()

    assert str(field.to_python(Decimal128(text))) == text
    prepared = field.get_db_prep_save(Decimal(text), connection)
    assert isinstance(prepared, Decimal128)
    assert str(prepared) == text


def test_any_value_can_be_looked_up(manage: RunDjango) -> None:
    done = manage(
        code="""
from bson import Int64, ObjectId, Timestamp
from django.db import connection, models
from djongo_services.modelfields import BSONField

class Mixed(models.Model):
    value = BSONField(null=True)
    class Meta:
        app_label = "backend_app"
        db_table = "mixed_values"

values = [1, 2.5, "a", Int64(7), ObjectId("0" * 24), Timestamp(1, 2), [1, 2], {"a": 1}, None]
collection = connection.database["mixed_values"]
collection.drop()
Mixed.objects.bulk_create(Mixed(value=value) for value in values)
for value in values[:-1]:
    found = [each.value for each in Mixed.objects.filter(value=value)]
    assert value in found, (value, found)
assert Mixed.objects.filter(value__gt=2).count() == 2
assert Mixed.objects.filter(value__in=["a", 2.5]).count() == 2
assert Mixed.objects.filter(value__isnull=True).count() == 1
assert [type(d["value"]) for d in collection.find()] == [type(value) for value in values]
collection.drop()
print("ok")
"""
    )

    assert (done.stdout, done.stderr) == ("ok\n", "")
