"""Indexes that a model declares twice, as SQL databases allow: MongoDB creates one of them."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, models
from django.db.migrations import operations as o
from django.db.models import Q

from djongo_services.introspection import read_catalog
from djongo_services.schema.diff import diff
from djongo_services.schema.target import collection_spec
from tests.engine.migrating.test_steps import char, create
from tests.mongodb_orm import connection, connections

BY_NAME = models.Index(fields=["name"], name="by_name")
ONCE = models.UniqueConstraint(fields=["name", "size"], name="once")


def names(moving):
    return sorted(set(moving.collection("Thing").index_information()) - {"_id_"})


def left_to_do(moving):
    spec = collection_spec([moving.model("Thing")], backend=connection)
    return [change.words for change in diff(read_catalog(connection.database), (spec,)).changes]


@pytest.fixture
def thing(moving):
    moving.do(
        create("Thing", ("name", char(db_index=True)), ("size", models.IntegerField(default=0)))
    )
    return moving


def test_in_a_new_collection(moving, caplog):
    owner = ("owner", models.ForeignKey("moving.Owner", models.CASCADE))
    by_owner = models.Index(fields=["owner"], name="by_owner")
    moving.do(create("Owner"), create("Thing", owner, indexes=[by_owner]))
    assert names(moving) == ["by_owner"]
    assert left_to_do(moving) == []
    assert caplog.messages == [
        "moving.Thing: the index for by_owner is the same as another one, and MongoDB creates only "
        "one of them; leave one out of the model."
    ]


def test_the_name_is_that_of_the_model(thing):
    thing.do(o.AddIndex("Thing", BY_NAME))
    assert names(thing) == ["by_name"]
    assert left_to_do(thing) == []


@pytest.mark.parametrize("first", ["index", "field"])
def test_one_of_them_goes(thing, first):
    gone = {
        "index": o.RemoveIndex("Thing", "by_name"),
        "field": o.AlterField("Thing", "name", char()),
    }
    thing.do(o.AddIndex("Thing", BY_NAME), gone.pop(first))
    assert len(names(thing)) == 1
    assert left_to_do(thing) == []
    thing.do(*gone.values())
    assert names(thing) == []
    assert left_to_do(thing) == []


def test_two_with_a_name(thing):
    again = models.Index(fields=["name"], name="again")
    thing.do(o.AddIndex("Thing", BY_NAME), o.AddIndex("Thing", again))
    assert names(thing) == ["by_name"]
    assert left_to_do(thing) == []
    thing.do(o.RemoveIndex("Thing", "by_name"), o.AlterField("Thing", "name", char()))
    assert names(thing) == ["again"]
    assert left_to_do(thing) == []
    thing.do(o.RemoveIndex("Thing", "again"))
    assert names(thing) == []


@pytest.fixture
def watched(thing, monkeypatch):
    """The names of the commands that are sent, after each of which a duplicate is refused."""
    from djongo_services.backend.schema import DatabaseSchemaEditor

    run = DatabaseSchemaEditor.run
    commands = []

    def watching(editor, command):
        run(editor, command)
        commands.append(next(iter(command)))
        with pytest.raises(IntegrityError):
            thing.model("Thing").objects.create(name="a")

    def watch():
        thing.model("Thing").objects.create(name="a")
        monkeypatch.setattr(DatabaseSchemaEditor, "run", watching)
        return commands

    return watch


@pytest.mark.parametrize("first", ["constraint", "together"])
def test_uniqueness_has_no_gap(thing, watched, monkeypatch, first):
    thing.do(o.AlterUniqueTogether("Thing", {("name", "size")}), o.AddConstraint("Thing", ONCE))
    things = thing.model("Thing").objects
    watched()
    gone = {
        "constraint": o.RemoveConstraint("Thing", "once"),
        "together": o.AlterUniqueTogether("Thing", set()),
    }
    thing.do(gone.pop(first))
    assert left_to_do(thing) == []
    with pytest.raises(IntegrityError):
        things.create(name="a")
    monkeypatch.undo()
    thing.do(*gone.values())
    assert left_to_do(thing) == []
    assert things.create(name="a").pk


def test_a_name_that_is_changed_leaves_no_gap_either(thing, watched):
    thing.do(o.AlterUniqueTogether("Thing", {("name", "size")}))
    commands = watched()
    thing.do(o.AddConstraint("Thing", ONCE))
    assert commands == ["createIndexes", "dropIndexes", "createIndexes", "dropIndexes"]
    assert "once" in names(thing)
    assert left_to_do(thing) == []


@pytest.mark.parametrize("after", range(4))
def test_a_name_that_is_changed_is_changed_after_an_interruption(thing, after):
    """Interrupted after each of its commands."""
    from djongo_services.backend.schema import DatabaseSchemaEditor

    DatabaseSchemaEditor.migrate_begins(connections["default"], verbosity=0, stdout=None)
    thing.do(o.AlterUniqueTogether("Thing", {("name", "size")}))
    run, left = DatabaseSchemaEditor.run, iter(range(after, -1, -1))

    def stopping(editor, command):
        run(editor, command)
        if next(left) == 0:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(DatabaseSchemaEditor, "run", stopping)
        with pytest.raises(KeyboardInterrupt):
            thing.do(o.AddConstraint("Thing", ONCE))
    thing.do(o.AddConstraint("Thing", ONCE))
    assert "once" in names(thing)
    assert not any("shadow" in name for name in names(thing))
    assert left_to_do(thing) == []


def test_an_index_made_by_hand_gets_the_name_of_the_model(moving, caplog):
    moving.do(create("Thing", ("name", char())))
    moving.collection("Thing").create_index("name", name="by_hand")
    moving.do(o.AddIndex("Thing", BY_NAME))
    assert names(moving) == ["by_name"]
    assert caplog.messages == []


def test_a_condition_makes_another_index(thing):
    once = models.UniqueConstraint(fields=["name", "size"], condition=Q(size__gt=5), name="large")
    thing.do(o.AddConstraint("Thing", once), o.AlterUniqueTogether("Thing", {("name", "size")}))
    thing.do(o.AlterUniqueTogether("Thing", set()))
    assert "large" in names(thing)
    assert left_to_do(thing) == []
    things = thing.model("Thing").objects
    things.create(name="a", size=1)
    things.create(name="a", size=1)


def test_other_options_are_another_index(thing):
    unique = models.UniqueConstraint(fields=["name"], name="unique_name")
    thing.do(o.AddConstraint("Thing", unique))
    assert len(names(thing)) == 2
    thing.do(o.AlterField("Thing", "name", char()))
    assert names(thing) == ["unique_name"]
