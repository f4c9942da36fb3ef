"""The schema beside Django's migrations: synced after ``migrate``, checked with the databases."""

from __future__ import annotations

import logging

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command

from djongo_services.connections import connections
from djongo_services.schema.migrating.syncing import sync_after_migrate
from djongo_services.schema.syncing import make_plan
from djongo_services.schema.target import specs_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(database, mongodb_server, settings):
    def configure(**schema):
        settings.DJONGO_SERVICES = {
            "CONNECTIONS": {"default": {"HOST": mongodb_server.uri, "NAME": database.name}},
            "SCHEMA": {"MODELS": ["library"], **schema},
        }
        return database

    return configure


def migrated():
    sync_after_migrate("default")


def drift():
    return [found for found in run_checks(databases=["default"]) if found.id.endswith("W006")]


class TestAfterMigrate:
    def test_nothing_happens_unless_asked(self, library):
        database = library()
        migrated()
        assert database.list_collection_names() == []

    def test_the_apps_collections_are_synced(self, library):
        database = library(SYNC_ON_MIGRATE=True)
        migrated()
        assert {"authors", "books"} <= set(database.list_collection_names())
        assert "title_pages" in database.books.index_information()
        assert make_plan(database, specs_for(connections["default"])).in_sync

    def test_migrate_itself_does_it(self, library):
        database = library(SYNC_ON_MIGRATE=True)
        call_command("migrate", "library", run_syncdb=True, verbosity=0)
        (books,) = database.list_collections(filter={"name": "books"})
        assert books["options"]["validationLevel"] == "strict"

    def test_a_step_that_destroys_is_left_to_the_command(self, library, caplog):
        database = library(SYNC_ON_MIGRATE=True)
        migrated()
        database.books.drop_index("title_pages")
        database.command(
            "collMod", "visits", index={"name": "visit_ttl", "expireAfterSeconds": 7200}
        )
        with caplog.at_level(logging.WARNING, "djongo_services.schema"):
            migrated()
        assert "visits: not synced, because it destroys something: index visit_ttl" in caplog.text
        assert "title_pages" in database.books.index_information()
        assert "run syncmongoschema --database default --allow-destructive" in caplog.text

    def test_a_refusal_is_one_sentence_of_migrate(self, library):
        database = library(SYNC_ON_MIGRATE=True)
        database.authors.insert_many([{"_id": 1, "name": "A"}, {"_id": 2, "name": "A"}])
        with pytest.raises(CommandError) as raised:
            call_command("migrate", "library", run_syncdb=True, verbosity=0)
        assert str(raised.value).startswith(
            "The schema of the connection 'default' was not synced: authors: could not build index "
        )


class TestCheck:
    def test_drift_is_a_warning(self, library):
        library()
        (found,) = drift()
        assert "connection 'default' does not match the models. Plan: " in found.msg
        assert found.hint == "See manage.py syncmongoschema --database default --plan."

    def test_in_sync(self, library):
        library(SYNC_ON_MIGRATE=True)
        migrated()
        assert drift() == []

    def test_is_not_made_without_databases(self, library):
        library()
        assert [found for found in run_checks() if found.id.endswith("W006")] == []

    def test_an_unreachable_server_is_said_once(self, settings):
        settings.DJONGO_SERVICES = {
            "CONNECTIONS": {
                "default": {
                    "HOST": "mongodb://127.0.0.1:9",
                    "NAME": "x",
                    "OPTIONS": {"serverSelectionTimeoutMS": 50},
                }
            },
            "SCHEMA": {"MODELS": ["library"]},
        }
        found = [one.id for one in run_checks(databases=["default"])]
        assert found.count("djongo_services.W003") == 1
        assert drift() == []

    @pytest.mark.parametrize("host", ["mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=50", "x://"])
    def test_an_unusable_database_of_the_orm_is_no_traceback(self, manage, host):
        result = manage("check", "--database", "default", env={"DJONGO_SERVICES_TEST_URI": host})
        assert "Traceback" not in result.stderr
        assert "djongo_services." in result.stderr
