"""Primary keys that change. ``_id`` never does, so another key is a column of its own, and ``_id``
stays."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from bson import ObjectId
from django.db import DataError, IntegrityError, models
from django.db.migrations import operations as o
from django_mongodb_backend.fields import EmbeddedModelArrayField
from pymongo.errors import OperationFailure

from djongo_services.schema.options import _ATTRIBUTE as OPTIONS
from djongo_services.schema.options import CollectionOptions, take_options
from tests.engine.migrating.state import key
from tests.engine.migrating.test_steps import char, create, embedded, index_keys
from tests.mongodb_orm import connections


@pytest.fixture
def thing(moving):
    moving.do(
        create(
            "Thing",
            ("name", char()),
            ("parent", models.ForeignKey("moving.Thing", models.CASCADE, null=True)),
            indexes=[models.Index(fields=["name", "id"], name="by_name")],
        ),
        create("Tag", ("things", models.ManyToManyField("moving.Thing"))),
        create("Note", ("thing", models.OneToOneField("moving.Thing", models.CASCADE))),
        embedded("Part", ("thing", models.ForeignKey("moving.Thing", models.CASCADE, "+"))),
        create("Whole", ("parts", EmbeddedModelArrayField("moving.Part"))),
    )
    thing = moving.model("Thing").objects.create(name="a")
    moving.model("Thing").objects.create(name="b", parent=thing)
    moving.model("Tag").objects.create().things.add(thing)
    moving.model("Note").objects.create(thing=thing)
    part = moving.model("Part")(thing=thing)
    moving.model("Whole").objects.create(parts=[part])
    return thing


def related(moving):
    """What the ORM finds by the keys of things."""
    things = moving.model("Thing").objects
    (whole,) = moving.model("Whole").objects.all()
    return [
        things.get(name="b").parent.name,
        moving.model("Tag").objects.get().things.get().name,
        moving.model("Note").objects.get().thing.name,
        things.get(pk=whole.parts[0].thing_id).name,
    ]


def test_values_are_copied_with_all_that_refers_to_them(moving, thing):
    moving.do(o.AlterField("Thing", "id", char(max_length=24, primary_key=True)))
    assert moving.out_of_step() == []
    assert moving.model("Thing").objects.get(pk=str(thing.pk)).name == "a"
    assert related(moving) == ["a"] * 4
    assert ["name", "id"] in index_keys(moving, "Thing")
    things = moving.collection("Thing")
    assert sorted(things.distinct("_id")) == [ObjectId(one) for one in things.distinct("id")]
    with pytest.raises(IntegrityError):
        moving.model("Thing").objects.create(pk=str(thing.pk), name="c")


def test_the_same_backwards(moving, thing):
    moving.do(o.AlterField("Thing", "id", char(max_length=24, primary_key=True)))
    moving.do(o.AlterField("Thing", "id", key()[1]))
    assert moving.out_of_step() == []
    assert moving.model("Thing").objects.get(pk=thing.pk).name == "a"
    assert related(moving) == ["a"] * 4
    assert moving.collection("Thing").count_documents({"id": {"$exists": True}}) == 0
    assert ["name", "_id"] in index_keys(moving, "Thing")


def test_a_key_that_is_not_at_id_cannot_get_there(moving, thing):
    moving.do(o.AlterField("Thing", "id", char(max_length=24, primary_key=True)))
    other = str(ObjectId())
    moving.model("Thing").objects.create(pk=other, name="c")
    before = moving.validator("Thing"), moving.documents("Thing")
    with pytest.raises(
        DataError, match=r"^moving_thing\.id cannot become the key at _id"
    ) as raised:
        moving.do(o.AlterField("Thing", "id", key()[1]))
    assert f'has "{other}". Nothing was changed.' in str(raised.value)
    assert (moving.validator("Thing"), moving.documents("Thing")) == before
    assert moving.out_of_step() == []
    assert related(moving) == ["a"] * 4


def test_what_cannot_be_converted_is_listed_and_nothing_changes(moving, thing):
    with pytest.raises(DataError, match=r"^moving_thing\._id cannot become IntegerField"):
        moving.do(o.AlterField("Thing", "id", models.IntegerField(primary_key=True)))
    assert moving.out_of_step() == []
    assert related(moving) == ["a"] * 4


def test_what_refers_to_it_and_cannot_be_converted_is_listed_as_well(moving):
    moving.do(
        create("Thing"),
        create("Note", ("thing", models.ForeignKey("moving.Thing", models.CASCADE))),
    )
    dangling = moving.collection("Note").insert_one({"thing_id": ObjectId()}).inserted_id
    with pytest.raises(DataError, match=rf"^moving_note\.thing_id .* _id {dangling} has "):
        moving.do(o.AlterField("Thing", "id", models.IntegerField(primary_key=True)))
    assert moving.out_of_step() == []


def test_a_closed_collection(moving, monkeypatch):
    closed = type("Closed", (), {OPTIONS: CollectionOptions(closed=True)})
    project = SimpleNamespace(get_model=lambda label: closed)
    monkeypatch.setattr("djongo_services.schema.options.apps", project)
    moving.do(create("Thing", ("name", char())))
    moving.model("Thing").objects.create(name="a")
    moving.do(o.AlterField("Thing", "id", char(max_length=24, primary_key=True)))
    take_options(moving.model("Thing"))
    assert moving.schema("Thing")["additionalProperties"] is False
    assert moving.schema("Thing")["properties"]["_id"] == {}
    moving.model("Thing").objects.create(pk="b", name="b")
    moving.do(o.AlterField("Thing", "name", char(null=True)))
    assert moving.schema("Thing")["properties"]["_id"] == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (char(primary_key=True, max_length=5), char(primary_key=True, max_length=9)),
        (char(primary_key=True), models.SlugField(primary_key=True)),
        (models.UUIDField(primary_key=True), char(primary_key=True, max_length=32)),
    ],
    ids=["longer", "slug", "uuid"],
)
def test_rules_of_what_refers_to_it_follow(moving, old, new):
    """Of the same type, so that no value changes."""
    moving.do(
        o.CreateModel("Thing", [("code", old)]),
        create("Note", ("thing", models.ForeignKey("moving.Thing", models.CASCADE))),
    )
    moving.do(o.AlterField("Thing", "code", new))
    assert moving.out_of_step() == []


def test_another_field_becomes_the_key_and_is_one_no_longer(moving):
    """As makemigrations writes it if a field gets ``primary_key=True``."""
    moving.do(create("Thing", ("code", char(unique=True))))
    moving.model("Thing").objects.create(code="a")
    moving.do(o.RemoveField("Thing", "id"), o.AlterField("Thing", "code", char(primary_key=True)))
    assert moving.out_of_step() == []
    assert moving.model("Thing").objects.get(pk="a").code == "a"
    with pytest.raises(OperationFailure, match="E11000"):
        moving.collection("Thing").insert_one({"code": "a"})
    moving.do(o.AlterField("Thing", "code", char(unique=True)), o.AddField("Thing", *key()))
    assert moving.out_of_step() == []


def test_a_new_field_is_the_key(moving):
    moving.do(create("Thing", ("name", char())))
    moving.model("Thing").objects.create(name="n")
    code = char(primary_key=True, default="a")
    moving.do(o.RemoveField("Thing", "id"), o.AddField("Thing", "code", code))
    assert moving.out_of_step() == []
    assert moving.model("Thing").objects.get(pk="a").name == "n"
    with pytest.raises(IntegrityError):
        moving.model("Thing").objects.create(pk="a", name="m")


def test_a_key_is_replaced_by_an_automatic_one(moving):
    moving.do(o.CreateModel("Thing", [("code", char(primary_key=True)), ("name", char())]))
    moving.model("Thing").objects.create(code="a", name="n")
    moving.do(o.RemoveField("Thing", "code"), o.AddField("Thing", *key()))
    assert moving.out_of_step() == []
    assert moving.model("Thing").objects.get().name == "n"


def test_nothing_is_lost_by_an_interruption(moving, thing):
    """Interrupted after each command, one after another, until it comes through."""
    from djongo_services.backend.schema import DatabaseSchemaEditor

    def stopping(name, left):
        real = getattr(DatabaseSchemaEditor, name)

        def send(*args, **kwargs):
            real(*args, **kwargs)
            if next(left) == 0:
                raise KeyboardInterrupt

        return send

    DatabaseSchemaEditor.migrate_begins(connections["default"], verbosity=0, stdout=None)
    change = o.AlterField("Thing", "id", char(max_length=24, primary_key=True))
    interrupted = 0
    while True:
        left = iter(range(interrupted, -1, -1))
        with pytest.MonkeyPatch.context() as patched:
            for name in ("run", "update", "_add_field_unique"):
                patched.setattr(DatabaseSchemaEditor, name, stopping(name, left))
            try:
                moving.do(change)
                break
            except KeyboardInterrupt:
                interrupted += 1
    assert interrupted > 8
    assert moving.out_of_step() == []
    assert related(moving) == ["a"] * 4
    assert ["id"] in index_keys(moving, "Thing")


def test_the_text_has_the_index_before_the_values(moving):
    moving.do(create("Thing"))
    text = moving.text(o.AlterField("Thing", "id", char(primary_key=True)))
    (index,) = (number for number, one in enumerate(text) if "createIndexes" in one)
    (values,) = (number for number, one in enumerate(text) if "updateMany" in one)
    assert index < values
    assert '"input": "$_id", "to": "string"' in text[values]
