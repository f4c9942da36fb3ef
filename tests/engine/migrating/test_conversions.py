"""Values of a field that gets another type: as PostgreSQL casts them, or refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from bson import Int64, ObjectId
from bson.decimal128 import Decimal128
from django.db import DataError, IntegrityError, models
from django.db.migrations import operations as o
from django.db.models import Q
from django_mongodb_backend.fields import EmbeddedModelField

from tests.engine.helpers import names_constraints
from tests.engine.migrating.test_steps import char, create, embedded
from tests.mongodb_orm import connection

DAY, MOMENT, TIME = models.DateField(), models.DateTimeField(), models.TimeField()
NOON = dt.datetime(2024, 5, 1, 12, 30, 15, 250_000)


@pytest.mark.parametrize(
    ("old", "new", "value", "after"),
    [
        (MOMENT, DAY, NOON, dt.datetime(2024, 5, 1)),
        (MOMENT, TIME, NOON, dt.datetime(1, 1, 1, 12, 30, 15, 250_000)),
        (DAY, MOMENT, dt.datetime(2024, 5, 1), dt.datetime(2024, 5, 1)),
        (DAY, char(), dt.datetime(2024, 5, 1), "2024-05-01"),
        (TIME, char(), dt.datetime(1, 1, 1, 12, 30), "12:30:00.000"),
        (MOMENT, char(max_length=30), NOON, "2024-05-01T12:30:15.250Z"),
        (char(), DAY, "2024-05-01", dt.datetime(2024, 5, 1)),
        (char(), DAY, "2024-05-01 12:30", dt.datetime(2024, 5, 1)),
        (char(), MOMENT, "2024-05-01 12:30", dt.datetime(2024, 5, 1, 12, 30)),
        (char(), TIME, "12:30", dt.datetime(1, 1, 1, 12, 30)),
    ],
    ids=lambda one: one if isinstance(one, str) else getattr(one, "description", None),
)
def test_dates(moving, old, new, value, after):
    moving.do(create("Thing", ("value", old)))
    moving.collection("Thing").insert_one({"value": value})
    moving.do(o.AlterField("Thing", "value", new))
    assert moving.documents("Thing") == [{"value": after}]
    assert moving.out_of_step() == []
    thing = moving.model("Thing").objects.get()
    thing.save()
    assert moving.documents("Thing") == [{"value": after}]


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        (models.IntegerField(), DAY, Int64(5)),
        (models.BigIntegerField(), MOMENT, Int64(5)),
        (models.FloatField(), TIME, 1.5),
        (DAY, TIME, dt.datetime(2024, 5, 1)),
        (TIME, MOMENT, dt.datetime(1, 1, 1, 12, 30)),
        (TIME, DAY, dt.datetime(1, 1, 1, 12, 30)),
        (MOMENT, models.BigIntegerField(), NOON),
        (DAY, models.BooleanField(), dt.datetime(2024, 5, 1)),
        (DAY, models.FloatField(), dt.datetime(2024, 5, 1)),
        (char(), DAY, "soon"),
        (models.DecimalField(max_digits=4, decimal_places=2), models.JSONField(), Decimal128("1")),
        (MOMENT, models.JSONField(), NOON),
    ],
)
def test_what_postgresql_does_not_cast_is_refused(moving, old, new, value):
    moving.do(create("Thing", ("value", old)))
    moving.collection("Thing").insert_one({"value": value})
    before = moving.validator("Thing"), moving.documents("Thing")
    with pytest.raises(DataError, match=r"^moving_thing\.value cannot become .* Nothing was "):
        moving.do(o.AlterField("Thing", "value", new))
    assert (moving.validator("Thing"), moving.documents("Thing")) == before


def test_days_are_found_again(moving):
    moving.do(create("Thing", ("value", MOMENT)))
    moving.collection("Thing").insert_one({"value": NOON})
    moving.do(o.AlterField("Thing", "value", DAY))
    found = moving.model("Thing").objects.filter(value=dt.date(2024, 5, 1))
    assert [thing.value for thing in found] == [dt.date(2024, 5, 1)]


def test_moments_of_one_day_are_not_unique(moving):
    moving.do(create("Thing", ("value", MOMENT)))
    moving.collection("Thing").insert_many([{"value": NOON}, {"value": dt.datetime(2024, 5, 1)}])
    with pytest.raises(IntegrityError, match="cannot be unique: 2 documents would have 2024-05-01"):
        moving.do(o.AlterField("Thing", "value", models.DateField(unique=True)))
    assert len(moving.documents("Thing")) == 2


class TestCheckConstraints:
    """Their constants have the type of the field."""

    @pytest.fixture
    def thing(self, moving):
        positive = models.CheckConstraint(condition=Q(size__gte=3), name="size_from_3")
        moving.do(create("Thing", ("size", models.IntegerField()), constraints=[positive]))
        moving.model("Thing").objects.create(size=20)
        return moving

    @pytest.mark.parametrize(
        ("new", "good", "bad"),
        [
            (models.DecimalField(max_digits=4, decimal_places=1), Decimal("3.5"), Decimal("2.5")),
            (models.FloatField(), 3.5, 2.5),
            (models.BigIntegerField(), 4, 2),
        ],
        ids=["decimal", "double", "long"],
    )
    def test_another_number(self, thing, new, good, bad):
        thing.do(o.AlterField("Thing", "size", new))
        assert thing.out_of_step() == []
        model = thing.model("Thing")
        model.objects.create(size=good)
        named = names_constraints(connection.database)
        with pytest.raises(IntegrityError, match="size_from_3" if named else "refused a document"):
            model.objects.create(size=bad)

    def test_texts_that_violate_it_are_refused(self, thing):
        """As a text, 20 comes before 3."""
        with pytest.raises(IntegrityError, match=r"^CHECK constraint failed: moving_thing\.size"):
            thing.do(o.AlterField("Thing", "size", char()))
        assert thing.out_of_step() == []
        thing.model("Thing").objects.update(size=30)
        thing.do(o.AlterField("Thing", "size", char()))
        assert thing.out_of_step() == []

    def test_both_pass_while_documents_change(self, thing, monkeypatch):
        from djongo_services.backend.schema.fields import FieldEditor

        change = FieldEditor._change_documents

        def meanwhile(editor, *args, **kwargs):
            change(editor, *args, **kwargs)
            things = thing.collection("Thing")
            things.insert_many([{"size": Int64(4)}, {"size": "4"}], ordered=False)
            change(editor, *args, **kwargs)

        monkeypatch.setattr(FieldEditor, "_change_documents", meanwhile)
        thing.model("Thing").objects.update(size=30)
        thing.do(o.AlterField("Thing", "size", char()))
        assert [one["size"] for one in thing.documents("Thing")] == ["30", "4", "4"]


def test_the_text_of_a_change_in_documents_within(moving):
    """The models that hold the embedded one are known by their collections only."""
    moving.do(
        embedded("Part", ("name", char()), ("size", models.IntegerField())),
        create("Whole", ("part", EmbeddedModelField("moving.Part", null=True))),
    )
    text = moving.text(o.RemoveField("Part", "size"), o.AlterField("Part", "name", char(null=True)))
    assert sum("collMod" in one for one in text) == 2
    assert not any('"size": {"bsonType"' in one for one in text)
    assert moving.out_of_step() == []


def test_keys_of_other_kinds_are_no_dates(moving):
    moving.do(create("Thing", ("value", models.TextField())))
    moving.collection("Thing").insert_one({"value": str(ObjectId())})
    with pytest.raises(DataError, match="cannot become DateTimeField"):
        moving.do(o.AlterField("Thing", "value", MOMENT))
