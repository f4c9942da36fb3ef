"""The messages about a document that a validator refused: from insert, update, bulk and upsert."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from django.db import models
from django.db.migrations import operations as o
from django.db.models import Q
from django_mongodb_backend.fields import ArrayField, EmbeddedModelArrayField
from django_mongodb_backend.models import EmbeddedModel
from pymongo import InsertOne, UpdateOne
from pymongo.errors import OperationFailure

from djongo_services.backend.refusals import explain_refusal
from tests.engine.helpers import names_constraints
from tests.engine.migrating.conftest import moving as moving
from tests.engine.migrating.state import key
from tests.mongodb_orm import connection

GOOD = {"name": "n", "size": 1, "parts": None, "numbers": None}


@pytest.fixture
def things(moving: Any) -> Any:
    moving.do(
        o.CreateModel("Part", [("street", models.CharField(max_length=3))], bases=(EmbeddedModel,)),
        o.CreateModel(
            "Thing",
            [
                key(),
                ("name", models.CharField(max_length=5)),
                ("size", models.PositiveIntegerField()),
                ("parts", EmbeddedModelArrayField("moving.Part", null=True)),
                ("numbers", ArrayField(models.IntegerField(), null=True)),
            ],
        ),
        o.AddConstraint(
            "Thing", models.CheckConstraint(condition=Q(size__lt=10), name="size_below_10")
        ),
    )
    connection.database.moving_thing.insert_one(dict(GOOD))
    return connection.database.moving_thing


def explained(error: OperationFailure) -> Any:
    return explain_refusal(error.details, "moving_thing")


WAYS = {
    "insert": lambda things, change: things.insert_one({**GOOD, **change}),
    "several": lambda things, change: things.insert_many([dict(GOOD), {**GOOD, **change}]),
    "update": lambda things, change: things.update_one({}, {"$set": change}),
    "bulk": lambda things, change: things.bulk_write(
        [InsertOne(dict(GOOD)), UpdateOne({}, {"$set": change})]
    ),
    "upsert": lambda things, change: things.update_one(
        {"_id": ObjectId()}, {"$set": {**GOOD, **change}}, upsert=True
    ),
    "findAndModify": lambda things, change: things.find_one_and_update({}, {"$set": change}),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_way_of_writing_names_field_and_constraint(things, way):
    with pytest.raises(OperationFailure) as raised:
        way(things, {"name": "too long"})
    refusal = explained(raised.value)
    assert refusal.message == "moving_thing.name is longer than 5 characters."
    assert (refusal.constraint, refusal.fields) == (None, ("name",))
    with pytest.raises(OperationFailure) as raised:
        way(things, {"size": 12})
    refusal = explained(raised.value)
    if names_constraints(things.database):
        assert refusal.message == "CHECK constraint failed: size_below_10 (moving_thing)"
        assert (refusal.constraint, refusal.fields) == ("size_below_10", ())
    else:
        assert refusal.message.endswith('a document, which does not match {"size": {"$lt": 10}}.')


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 3}, "moving_thing.name is int, but must be string."),
        ({"name": None}, "moving_thing.name is null, but must be string."),
        ({"size": -1}, "moving_thing.size is below 0: -1."),
        ({"parts": [{"street": "s"}, {}]}, "moving_thing.parts[1].street is missing."),
        ({"numbers": [1, "x"]}, "moving_thing.numbers[1] is string, but must be"),
    ],
    ids=["type", "null", "minimum", "embedded", "item"],
)
def test_the_reason(things, change, words):
    with pytest.raises(OperationFailure) as raised:
        things.insert_one({**GOOD, **change})
    assert explained(raised.value).message.startswith(words)


def test_a_missing_field(things):
    with pytest.raises(OperationFailure) as raised:
        things.insert_one({"name": "n"})
    assert explained(raised.value).message == "moving_thing.size is missing."


def test_a_server_that_does_not_say_why():
    refusal = explain_refusal({"code": 121, "errmsg": "Document failed validation"}, "things")
    assert refusal.message.startswith("things: the validator of the collection refused")
    assert (refusal.constraint, refusal.fields) == (None, ())
