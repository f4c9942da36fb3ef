"""A project that was synced once, and its ``migrate``: what users see, step by step."""

from __future__ import annotations

import json

import pytest
from pymongo.errors import WriteError

from djongo_services.schema.applying import History
from djongo_services.schema.operations import SetValidator
from tests.schema.migrated.shop import NEW_BOOK, OLD, OLD_BOOK, SHORT, TO_SHORT, change


class TestAfterModelsChange:
    def test_migrate_passes_and_the_validator_follows(self, synced):
        change(synced)
        said = synced.manage("migrate")
        assert "Relaxing validators: shop_book\n" in said
        assert "Validators now as the models: shop_book (strict, error)\n" in said
        level, action, schema = synced.validator("shop_book")
        assert (level, action) == ("strict", "error")
        assert sorted(schema["properties"]) == ["_id", "country", "pages", "title"]
        assert schema["description"].startswith("Kept by djongo_services, from shop.Book [")
        assert "In sync" in synced.manage("syncmongoschema", "--check")
        synced.database.shop_book.insert_one(dict(NEW_BOOK))
        with pytest.raises(WriteError):
            synced.database.shop_book.insert_one(dict(OLD_BOOK))

    def test_the_change_of_the_validator_is_in_the_history(self, synced):
        change(synced)
        synced.manage("migrate")
        run, _ = History(synced.database).runs()
        (step,) = History(synced.database).steps(run.id)
        assert (run.status, step.operation.words()) == (
            "done",
            "change the validator, strict and error",
        )
        assert isinstance(step.operation, SetValidator)
        assert step.operation.before.level == "strict"
        assert "relaxed" not in str(step.operation.before.query)

    def test_reversed_it_is_the_validator_of_that_migration(self, synced):
        change(synced)
        synced.manage_all(["migrate"], ["migrate", "shop", "0001"])
        _, _, schema = synced.validator("shop_book")
        assert sorted(schema["properties"]) == ["_id", "code", "country", "title"]
        assert schema["additionalProperties"] is False
        synced.database.shop_book.insert_one(dict(OLD_BOOK))
        refused = synced.manage("syncmongoschema", code=2)
        assert "1 migration is not applied: shop.0002_change; run migrate first" in refused
        assert "shop.0002_change" in synced.manage("syncmongoschema", "--check", code=1)

    def test_rules_as_strict_as_they_were(self, synced):
        synced.manage("syncmongoschema", "--validation", "strict", "--validation-action", "warn")
        change(synced)
        synced.manage("migrate")
        assert synced.validator("shop_book")[:2] == ("strict", "warn")

    def test_documents_that_violate_the_new_models_are_reported(self, synced):
        change(synced, SHORT, TO_SHORT)
        said = synced.manage("migrate")
        assert "shop_book: 1 document violates the validator of the models" in said
        assert "see syncmongoschema --database default --violations 10" in said
        assert synced.validator("shop_book")[:2] == ("moderate", "warn")
        assert "In sync" in synced.manage("syncmongoschema", "--check")

    def test_faked_migrations_count_as_applied(self, synced):
        change(synced)
        synced.manage("migrate", "--fake")
        level, action, schema = synced.validator("shop_book")
        assert "pages" in schema["properties"]
        assert (level, action) == ("moderate", "warn")

    @pytest.mark.parametrize("command", [("migrate", "--plan"), ("sqlmigrate", "shop", "0002")])
    def test_commands_that_only_show_relax_nothing(self, synced, command):
        change(synced)
        before = synced.validator("shop_book")
        synced.manage(*command)
        assert synced.validator("shop_book") == before

    def test_flush_leaves_validators_alone(self, synced):
        before = synced.validator("shop_book")
        synced.manage("flush", "--noinput")
        assert synced.database.shop_book.count_documents({}) == 0
        assert synced.validator("shop_book") == before


class TestBeforeMigrations:
    def test_sync_is_refused_and_names_those_that_wait(self, project):
        said = project.manage("syncmongoschema", code=2)
        assert (
            "CommandError: 1 migration is not applied: shop.0001_initial; run migrate first, so "
            "that it finds the database in the expected state.\n"
        ) in said
        assert project.database.list_collection_names() == []
        project.manage("migrate")
        project.manage("syncmongoschema")

    def test_plan_and_check_say_so_too(self, project):
        said = project.manage("syncmongoschema", "--check", code=1)
        assert (
            "Migrations that are not applied; run migrate first:\n    shop.0001_initial\n" in said
        )
        assert "\nPlan: 1 to add, 1 migration to apply first; 1 step.\n" in said
        plan = project.folder / "plan.json"
        arguments = ("--plan", "--format", "json", "--output", str(plan))
        project.manage("syncmongoschema", *arguments)
        assert json.loads(plan.read_text())["waiting"] == ["shop.0001_initial"]
        said = project.manage("syncmongoschema", "--from-plan", str(plan), code=2)
        assert "run migrate first" in said

    def test_an_app_without_migrations_never_waits(self, unmigrated):
        commands = (
            ["syncmongoschema"],
            ["migrate", "--run-syncdb"],
            ["syncmongoschema", "--check"],
        )
        assert unmigrated.manage_all(*commands).count("In sync") == 1


class TestUnmigratedApps:
    def test_a_new_model_of_a_synced_app_gets_its_validator(self, unmigrated):
        unmigrated.manage_all(["migrate", "--run-syncdb"], ["syncmongoschema"])
        unmigrated.write("models.py", OLD + "\nclass Shelf(models.Model):\n    pass\n")
        said = unmigrated.manage_all(["migrate", "--run-syncdb"], ["syncmongoschema", "--check"])
        assert "shop_shelf (strict, error)" in said
        assert "In sync" in said


class TestSyncOnMigrate:
    def test_waits_for_migrations_that_are_not_applied(self, project):
        project.configure(SYNC_ON_MIGRATE=True)
        change(project)
        said = project.manage("migrate", "shop", "0001")
        assert "Not synced until they are applied: 1 migration is not applied" in said
        assert "validator" not in self.options(project)
        project.manage("migrate")
        assert "In sync" in project.manage("syncmongoschema", "--check")

    def options(self, project):
        (found,) = project.database.list_collections(filter={"name": "shop_book"})
        return found["options"]


ASKED = """
import django
from django.core.management import call_command
from django.db.models.signals import post_migrate, pre_migrate
from pymongo import monitoring

class Listener(monitoring.CommandListener):
    sent = []
    def started(self, event):
        self.sent.append(event.command_name)
    def succeeded(self, event):
        pass
    failed = succeeded

monitoring.register(Listener())
django.setup()
counts = []
for connected in (True, False):
    if not connected:
        pre_migrate.disconnect(dispatch_uid="djongo_services.before_migrate")
        post_migrate.disconnect(dispatch_uid="djongo_services.after_migrate")
    call_command("migrate", "shop", "zero", verbosity=0)
    Listener.sent.clear()
    call_command("migrate", "shop", verbosity=0)
    counts.append(sorted(Listener.sent))
with_it, without = counts
for name in without:
    with_it.remove(name)
assert with_it == ["listCollections"], with_it
"""


def test_a_database_that_was_never_synced_is_asked_one_question(project):
    project.manage("migrate")
    project.run("-c", ASKED)
