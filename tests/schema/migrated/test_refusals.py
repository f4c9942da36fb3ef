"""A validator that is in force and refuses what a migration writes."""

from __future__ import annotations

import pytest
from django.core.management import CommandError
from pymongo.errors import DuplicateKeyError

from djongo_services.introspection.catalog import Validator
from djongo_services.schema.migrating.receivers import explaining
from djongo_services.schema.ownership import marked
from tests.backend_app.models import Author
from tests.mongodb_orm import connection

pytestmark = pytest.mark.django_db
OURS = marked({"$jsonSchema": {"required": ["rank"]}}, ["shop.Author"])
THEIRS = {"rank": {"$exists": True}}
TABLE = Author._meta.db_table


def insert_one(database):
    database[TABLE].insert_one({"name": "n"})


def insert_many(database):
    database[TABLE].insert_many([{"rank": 1}, {"name": "n"}])


def by_the_orm(database):
    Author.objects.create(name="n")


def update_by_the_orm(database):
    database[TABLE].insert_one({"name": "n", "rank": 1})
    database[TABLE].update_one({"name": "n"}, {"$unset": {"rank": 1}})


@pytest.fixture(params=[OURS, THEIRS])
def refusing(request):
    """Migrations happen inside of it; beside the collection is another with a validator."""
    connection.database.command(
        "collMod",
        TABLE,
        validator=request.param,
        validationLevel="strict",
        validationAction="error",
    )
    validators = {TABLE: Validator(query=request.param), "others": Validator(query=THEIRS)}
    yield explaining(connection.SchemaEditorClass, validators)
    connection.database.command("collMod", TABLE, validator={}, validationLevel="off")
    connection.database[TABLE].delete_many({})


@pytest.mark.parametrize("write", [insert_one, insert_many, by_the_orm, update_by_the_orm])
def test_the_sentence_names_the_collection(refusing, write, request):
    with pytest.raises(CommandError) as raised, refusing(connection):
        write(connection.database)
    said = str(raised.value)
    assert said.startswith(f"The validator of {TABLE} refuses a document of this migration")
    is_ours = request.node.callspec.params["refusing"] is OURS
    wanted = "to its dependencies" if is_ours else "djongo_services did not write it"
    assert wanted in said


def test_other_errors_stay_what_they_are(refusing):
    connection.database[TABLE].insert_one({"_id": 1, "rank": 1})
    with pytest.raises(DuplicateKeyError), refusing(connection):
        connection.database[TABLE].insert_one({"_id": 1, "rank": 1})
