"""ObjectIds in projects whose ORM is on SQL."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bson import ObjectId
from django.core.exceptions import ValidationError

from djongo_services.objectids import BSONObjectIdField, ObjectIdFormField
from djongo_services.schema.mapping import field_schema
from tests.conftest import RunDjango

KEY = "65920080474f4e450000001e"


@pytest.mark.parametrize("value", ["x", "0" * 23, 12, b"short", ["a"]])
def test_what_is_no_object_id_is_refused(value: Any) -> None:
    field = BSONObjectIdField()
    with pytest.raises(ValidationError, match="is not an ObjectId"):
        field.to_python(value)


def test_values_are_object_ids() -> None:
    field = BSONObjectIdField()
    assert field.to_python(KEY) == field.get_prep_value(KEY) == ObjectId(KEY)
    assert field.to_python(None) is field.to_python("") is None
    assert field_schema(field, backend=False) == {"bsonType": "objectId"}


def test_forms_take_its_digits() -> None:
    field = BSONObjectIdField().formfield()
    assert isinstance(field, ObjectIdFormField)
    assert field.clean(f" {KEY} ") == ObjectId(KEY)
    assert field.prepare_value(ObjectId(KEY)) == KEY
    assert not field.has_changed(ObjectId(KEY), KEY)
    assert field.has_changed(ObjectId(KEY), "0" * 24)
    with pytest.raises(ValidationError, match="Enter an ObjectId: 24 digits"):
        field.clean("z" * 24)
    with pytest.raises(ValidationError, match="required"):
        field.clean("")
    assert BSONObjectIdField(blank=True).formfield().clean("") is None


_STORED = f"""
import json
from bson import ObjectId
from django.apps import apps
from django.core import serializers
from django.db import connection, models
from djongo_services.objectids import BSONObjectIdField

class Link(models.Model):
    document = BSONObjectIdField(null=True, unique=True)
    class Meta:
        app_label = "djongo_services"

class Beside(models.Model):
    link = models.ForeignKey(Link, models.CASCADE, to_field="document")
    class Meta:
        app_label = "djongo_services"

with connection.schema_editor() as editor:
    editor.create_model(Link)
    editor.create_model(Beside)
key = ObjectId("{KEY}")
one = Link.objects.create(document=key)
Link.objects.create(document=None)
Beside.objects.create(link=one)
found = Link.objects.get(document="{KEY}")
with connection.cursor() as cursor:
    cursor.execute("SELECT document FROM djongo_services_link ORDER BY id")
    rows = cursor.fetchall()
copied = next(serializers.deserialize("json", serializers.serialize("json", [found])))
print(json.dumps([
    found.document == key,
    Link.objects.filter(document__in=[key]).count(),
    Beside.objects.get(link__document=key).link_id == key,
    rows,
    copied.object.document == key,
]))
"""


def test_a_sql_table_has_its_text(django_sql: RunDjango) -> None:
    done = django_sql(code=_STORED)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, 1, True, [[KEY], [None]], True]
