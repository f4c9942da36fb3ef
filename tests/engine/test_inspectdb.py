"""``inspectdb`` on the engine: models of the engine's own tables, and of any collections."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from django.core.management import CommandError, call_command
from django.db import models, transaction
from django.test.utils import isolate_apps
from django_mongodb_backend.fields import (
    ArrayField,
    EmbeddedModelArrayField,
    EmbeddedModelField,
    ObjectIdAutoField,
    PolymorphicEmbeddedModelField,
)
from django_mongodb_backend.models import EmbeddedModel
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.introspection import inspect_database
from djongo_services.introspection.modelling import render_models
from tests.conftest import RunDjango
from tests.engine.titled import create_tables

Mongo = Database[dict[str, Any]]

ROUND_TRIP = {
    *("archive_loan", "archive_medium", "archive_note", "archive_person", "archive_place"),
    *("archive_search", "auth_group", "auth_group_permissions", "auth_permission", "auth_user"),
    *("auth_user_groups", "auth_user_user_permissions", "django_admin_log", "django_content_type"),
    *("django_flatpage", "django_flatpage_sites", "django_redirect", "django_session"),
    "django_site",
}


def inspected(*names: str, **options: Any) -> str:
    out = StringIO()
    call_command("inspectdb", *names, database="engine", stdout=out, **options)
    return out.getvalue()


def classes_of(source: str) -> dict[str, str]:
    """The text of each class, with the comments above it, by its name."""
    blocks = source.split("\n\n\n")[1:]
    return {
        match[1]: block.strip()
        for block in blocks
        if (match := re.search(r"^class (\w+)", block, re.MULTILINE))
    }


@pytest.fixture
def app() -> Iterator[None]:
    with isolate_apps("tests.engine.shop"):
        yield


def test_the_demo_and_django_own_apps_come_back(
    manage: RunDjango, mongodb_server: MongoServer, tmp_path: Path
) -> None:
    """Tables of the models that inspectdb prints are those that it was asked about: columns with
    their types, limits, keys and nulls, and indexes with their names."""
    name = f"test_{uuid.uuid4().hex}"
    env = {
        "MONGODB_URI": mongodb_server.uri,
        "MONGODB_NAME": name,
        "DEMO_VAR": str(tmp_path),
    }
    try:
        done = manage(
            code="from tests.engine.round_trip.run import main\nmain()",
            settings="tests.engine.round_trip.settings",
            env=env,
        )
    finally:
        with mongodb_server.client() as client:
            client.drop_database(name)
            client.drop_database(f"{name}_copy")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer["tables"]) >= ROUND_TRIP
    assert answer["differing"] == {}


@pytest.mark.usefixtures("app")
def test_keys_relations_and_checks(engine: Any) -> None:
    class Country(models.Model):
        code = models.CharField(max_length=2, primary_key=True)
        slug = models.SlugField(unique=True)

        class Meta:
            app_label = "shop"
            db_table = "country"

    class Place(models.Model):
        id = models.CharField(max_length=8, primary_key=True, db_column="_id")
        country = models.ForeignKey(Country, models.CASCADE)
        by_slug = models.ForeignKey(Country, models.CASCADE, to_field="slug", related_name="+")
        above = models.ForeignKey("self", models.CASCADE, null=True)
        height = models.IntegerField()

        class Meta:
            app_label = "shop"
            db_table = "place"
            constraints = (
                models.CheckConstraint(condition=models.Q(height__lt=9000), name="no_space"),
            )

    class Harbour(models.Model):
        place = models.OneToOneField(Place, models.CASCADE, primary_key=True)

        class Meta:
            app_label = "shop"
            db_table = "harbour"

    create_tables(engine, [Country, Place, Harbour])
    assert classes_of(inspected()) == {
        "Country": """\
class Country(models.Model):
    code = models.CharField(max_length=2, primary_key=True)
    slug = models.SlugField(unique=True)

    class Meta:
        managed = False
        db_table = "country"
        verbose_name_plural = "countries\"""",
        "Harbour": """\
class Harbour(models.Model):
    place = models.OneToOneField("Place", models.DO_NOTHING, primary_key=True)

    class Meta:
        managed = False
        db_table = "harbour\"""",
        "Place": """\
class Place(models.Model):
    id = models.CharField(max_length=8, primary_key=True, db_column="_id")
    country = models.ForeignKey("Country", models.DO_NOTHING)
    by_slug = models.ForeignKey(
        "Country",
        models.DO_NOTHING,
        to_field="slug",
        related_name="place_by_slug",
    )
    above = models.ForeignKey("Place", models.DO_NOTHING, null=True, blank=True)
    height = models.IntegerField()

    class Meta:
        managed = False
        db_table = "place"
        # Check constraint no_space: {"$or": [{"height": {"$lt": 9000}}, {"height": null}]}""",
    }


@pytest.mark.usefixtures("app")
def test_a_relation_to_a_table_that_was_not_chosen(engine: Any) -> None:
    class Maker(models.Model):
        id = ObjectIdAutoField(primary_key=True)

        class Meta:
            app_label = "shop"
            db_table = "maker"

    class Thing(models.Model):
        id = ObjectIdAutoField(primary_key=True)
        maker = models.ForeignKey(Maker, models.CASCADE)

        class Meta:
            app_label = "shop"
            db_table = "thing"

    create_tables(engine, [Maker, Thing])
    source = inspected("thing")
    assert list(classes_of(source)) == ["Thing"]
    assert "    # maker_id refers to maker.\n    maker_id = ObjectIdField(db_index=True)" in source


@pytest.mark.usefixtures("app")
def test_embedded_models_come_back(engine: Any) -> None:
    class Point(EmbeddedModel):
        x = models.IntegerField()
        day = models.DateField(null=True)

        class Meta:
            app_label = "shop"

    class Spot(EmbeddedModel):
        x = models.IntegerField()
        day = models.DateField(null=True)

        class Meta:
            app_label = "shop"

    class Drawing(models.Model):
        id = ObjectIdAutoField(primary_key=True)
        start = EmbeddedModelField(Point)
        end = EmbeddedModelField(Point, null=True)
        spots = EmbeddedModelArrayField(Spot)
        weights = ArrayField(models.DecimalField(max_digits=5, decimal_places=1))
        either = PolymorphicEmbeddedModelField([Point, Spot])

        class Meta:
            app_label = "shop"
            db_table = "drawing"

    create_tables(engine, [Drawing])
    classes = classes_of(inspected())
    assert list(classes) == ["Point", "Spot", "Drawing"]
    for name, where in (("Point", "drawing: start, end"), ("Spot", "drawing: spots[]")):
        assert (
            classes[name]
            == f"""\
# {where}.
class {name}(EmbeddedModel):
    id = ObjectIdAutoField(primary_key=True)
    x = models.IntegerField()
    day = models.DateField(null=True, blank=True)

    class Meta:
        managed = False"""
        )
    assert classes["Drawing"].splitlines()[1:8] == [
        "    id = ObjectIdAutoField(primary_key=True)",
        "    start = EmbeddedModelField(Point)",
        "    end = EmbeddedModelField(Point, null=True, blank=True)",
        "    spots = EmbeddedModelArrayField(Spot)",
        "    weights = ArrayField(models.DecimalField(max_digits=5, decimal_places=1))",
        "    # object.",
        "    either = BSONField()",
    ]


@pytest.mark.usefixtures("app")
def test_names_of_indexes_are_kept(engine: Any) -> None:
    class Thing(models.Model):
        id = ObjectIdAutoField(primary_key=True)
        name = models.CharField(max_length=9)
        code = models.CharField(max_length=9, unique=True)
        size = models.IntegerField(db_index=True)

        class Meta:
            app_label = "shop"
            db_table = "thing"
            indexes = (models.Index(fields=["name"], name="by_name"),)

    create_tables(engine, [Thing])
    source = inspected()
    assert "    name = models.CharField(max_length=9)\n" in source
    assert "    code = models.CharField(max_length=9, unique=True)\n" in source
    assert "    size = models.IntegerField(db_index=True)\n" in source
    assert 'models.Index(fields=["name"], name="by_name")' in source


def test_foreign_collections_are_as_inspectmongo_has_them(engine: Any, database: Mongo) -> None:
    makers = [{"_id": ObjectId(), "name": f"m{number}"} for number in range(9)]
    database["makers"].insert_many(makers)
    database["things"].insert_many(
        {
            "maker_id": maker["_id"],
            "size": {"w": 1, "h": 2.5},
            "tags": ["a"],
            "mixed": maker["name"] if number % 2 else number,
        }
        for number, maker in enumerate(makers)
    )
    database["things"].create_index([("tags", "text")], name="tags_text")
    database["things"].create_index("maker_id", unique=True)
    database.create_collection("seen", viewOn="things", pipeline=[{"$project": {"tags": 1}}])
    expected = render_models(inspect_database(database), style="backend")
    source = inspected(include_views=True)
    assert classes_of(source) == classes_of(expected)
    assert source == expected.replace("Generated by inspectmongo", "Generated by inspectdb")


@pytest.mark.usefixtures("app")
def test_own_and_foreign_collections_together(engine: Any, database: Mongo) -> None:
    class Thing(models.Model):
        id = ObjectIdAutoField(primary_key=True)
        day = models.DateField()

        class Meta:
            app_label = "shop"
            db_table = "thing"

    create_tables(engine, [Thing])
    thing = ObjectId()
    engine.database["thing"].insert_one({"_id": thing, "day": datetime(2026, 1, 1)})
    database["foreign"].insert_one({"thing_id": thing})
    classes = classes_of(inspected())
    assert "    day = models.DateField()" in classes["Thing"]
    assert '    thing = models.ForeignKey("Thing", models.DO_NOTHING' in classes["Foreign"]
    assert classes["Foreign"].startswith("# 1 document, every field counted.\n")


def test_views_come_when_asked_for(engine: Any, database: Mongo) -> None:
    database["plain"].insert_one({"a": 1})
    database.create_collection("seen", viewOn="plain", pipeline=[])
    assert list(classes_of(inspected())) == ["Plain"]
    assert list(classes_of(inspected(include_views=True))) == ["Plain", "Seen"]
    assert list(classes_of(inspected("seen"))) == ["Seen"]
    chosen = inspected(include_views=True, table_name_filter=lambda name: name == "seen")
    assert list(classes_of(chosen)) == ["Seen"]


def test_a_table_that_does_not_exist(engine: Any, database: Mongo) -> None:
    database["plain"].insert_one({"a": 1})
    source = inspected("plain", "nothing")
    assert list(classes_of(source)) == ["Plain"]
    assert source.endswith(
        "# Unable to inspect table 'nothing'\n# The error was: There is no such collection.\n"
    )


def test_within_a_transaction(engine: Any, database: Mongo) -> None:
    database["plain"].insert_one({"a": 1})
    before = inspected()
    with transaction.atomic(using="engine"):
        engine.database["plain"].insert_one({"b": 1})
        assert inspected() == before
    assert database["plain"].count_documents({}) == 2


def test_a_server_that_does_not_answer_is_one_sentence(engine: Any) -> None:
    engine.close_pool()
    engine.settings_dict["HOST"] = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200"
    with pytest.raises(CommandError, match=r"127\.0\.0\.1:9"):
        inspected()


def test_other_databases_have_django_own_command(manage: RunDjango) -> None:
    done = manage(
        code="from django.db import connections\n"
        "from django.core.management import call_command\n"
        "connections['sql'].cursor().execute('CREATE TABLE things (name varchar(9))')\n"
        "call_command('inspectdb', database='sql')"
    )
    assert done.returncode == 0, done.stderr
    assert "# This is an auto-generated Django model module." in done.stdout
    assert "    name = models.CharField(max_length=9, blank=True, null=True)" in done.stdout


def test_choices_that_the_validator_says(engine: Any, database: Mongo) -> None:
    """With the rules of forms, the validator has choices instead of a length."""
    text = {"bsonType": "string", "title": "CharField"}
    properties = {
        "_id": {"bsonType": "objectId", "title": "ObjectIdAutoField"},
        "state": {**text, "enum": ["new", "sent", ""]},
        "grade": {"bsonType": ["int", "null"], "title": "SmallIntegerField", "enum": [2, 1, None]},
        "code": {**text, "anyOf": [{"enum": [""]}, {"maxLength": 4, "pattern": "^A"}]},
        "endless": text,
    }
    database.create_collection("things", validator={"$jsonSchema": {"properties": properties}})
    assert classes_of(inspected())["Thing"].splitlines()[1:6] == [
        "    id = ObjectIdAutoField(primary_key=True)",
        '    state = models.CharField(max_length=4, choices=[("new", "new"), ("sent", "sent")])',
        '    grade = models.SmallIntegerField(choices=[(2, "2"), (1, "1")], null=True, blank=True)',
        "    code = models.CharField(max_length=4)",
        "    endless = models.TextField()",
    ]
