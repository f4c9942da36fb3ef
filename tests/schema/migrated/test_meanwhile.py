"""``migrate`` when it fails, when other commands run meanwhile, and when it finds validators that
it may not change."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.schema.migrated.shop import NEW, NEW_BOOK, OLD_BOOK, TO_NEW, change, migration


class TestInterrupted:
    def test_a_migration_that_fails_leaves_the_lease_to_the_next_command(self, synced):
        migration(synced, "0002_fail", "migrations.RunPython(fail)")
        assert "ValueError: on purpose" in synced.manage("migrate", code=1)
        level, _, schema = synced.validator("shop_book")
        assert level == "off"
        assert "; relaxed by migrate at " in schema["description"]
        migration(synced, "0002_fail", "")
        synced.manage("migrate")
        assert synced.validator("shop_book")[:2] == ("strict", "error")

    def test_also_where_it_fails_in_the_same_process(self, synced):
        migration(synced, "0002_fail", "migrations.RunPython(fail)")
        synced.run(
            "-c",
            "import django; django.setup()\n"
            "from django.core.management import call_command\n"
            "try:\n"
            "    call_command('migrate', verbosity=0)\n"
            "except ValueError:\n"
            "    call_command('migrate', 'shop', '0002', fake=True, verbosity=0)\n"
            "else:\n"
            "    raise SystemExit('It did not fail.')\n",
        )
        assert synced.validator("shop_book")[:2] == ("strict", "error")

    def test_it_is_not_begun_while_another_run_is_at_work(self, synced):
        change(synced)
        synced.database.djongo_services_leases.insert_one(
            {
                "_id": "schema",
                "holder": "elsewhere:7:0",
                "since": datetime(2026, 1, 1),
                "expires": datetime(9999, 1, 1),
            }
        )
        said = synced.manage("migrate", code=1)
        assert "CommandError: migrate did not start: Another run is changing the schema" in said
        assert synced.validator("shop_book")[0] == "strict"
        assert "code" in synced.database.shop_book.find_one()


class TestModelsThatDisagree:
    """After some migration, two models share a collection, and no validator fits both."""

    STATE = "migrations.SeparateDatabaseAndState(state_operations=[migrations.{}])"

    def test_migrations_pass_and_validators_follow_when_the_models_agree(self, synced):
        made = """CreateModel("Tome", [
            ("id", django_mongodb_backend.fields.ObjectIdAutoField(primary_key=True)),
            ("title", models.IntegerField()),
        ], options={"db_table": "shop_book"})"""
        migration(synced, "0002_two", self.STATE.format(made))
        left = self.STATE.format('DeleteModel("Tome")')
        migration(synced, "0003_one", left, after="0002_two")
        said = synced.manage("migrate", "shop", "0002", code=1)
        assert "The migrations are applied, but the validators were not restored" in said
        assert "share the collection shop_book and differ" in said
        synced.manage("migrate")
        assert synced.validator("shop_book")[:2] == ("strict", "error")


class TestMeanwhile:
    """Old code and new code write while a migration is at work, and other commands are run."""

    def held(self, project, *target):
        with project.database.ready.watch() as ready:
            process = project.start("-m", "django", "migrate", *target)
            next(ready)
        return process

    def ended(self, project, process):
        project.database.signals.insert_one({})
        said = "".join(process.communicate(timeout=120))
        assert process.returncode == 0, said

    def test_nothing_is_refused_and_no_run_interferes(self, synced):
        change(synced, NEW, f"{TO_NEW} migrations.RunPython(wait),")
        with self.held(synced) as process:
            books = synced.database.shop_book
            odd = books.insert_many([{"title": 5}, dict(OLD_BOOK), {"colour": "red"}])
            books.insert_one(dict(NEW_BOOK))
            books.delete_many({"_id": {"$in": odd.inserted_ids}})
            said = synced.manage("check", "--database", "default")
            assert "does not check documents of shop_book" in said
            assert "shop.0002_change; run migrate" in synced.manage("syncmongoschema", code=2)
            said = synced.manage("migrate", code=1)
            assert "migrate did not start: Another run is changing the schema" in said
            self.ended(synced, process)
        assert synced.validator("shop_book")[:2] == ("strict", "error")

    def test_backwards_a_sync_meets_the_lease(self, synced):
        change(synced, NEW, f"{TO_NEW} migrations.RunPython(migrations.RunPython.noop, wait),")
        synced.manage("migrate")
        with self.held(synced, "shop", "0001") as process:
            said = synced.manage("syncmongoschema", code=3)
            assert "Another run is changing the schema" in said
            assert synced.validator("shop_book")[0] == "off"
            # Nothing to apply, and nothing to put right while another run is at work.
            said = synced.manage("migrate")
            assert "The validators of 'default' were left alone: Another run" in said
            self.ended(synced, process)
        level, action, schema = synced.validator("shop_book")
        assert (level, action) == ("strict", "error")
        assert "code" in schema["properties"]


class TestValidatorsOfOthers:
    @pytest.fixture
    def theirs(self, project):
        project.manage("migrate")
        project.database.shop_book.insert_one({**OLD_BOOK, "a": 1, "b": 2})
        query = {"$expr": {"$lte": ["$a", "$b"]}}
        project.database.command("collMod", "shop_book", validator=query)
        self.query = query
        return project

    def options(self, project):
        (found,) = project.database.list_collections(filter={"name": "shop_book"})
        return found["options"]

    def test_they_stay_in_force_while_migrations_pass(self, theirs):
        before = self.options(theirs)
        change(theirs)
        theirs.manage("migrate")
        assert self.options(theirs) == before

    def test_a_refusal_names_the_collection(self, theirs):
        migration(theirs, "0002_write", "migrations.RunPython(write)")
        said = theirs.manage("migrate", code=1)
        assert said.endswith(
            "CommandError: The validator of shop_book refuses a document of this migration. "
            "djongo_services did not write it, so it was left in force: change or remove it and "
            "run migrate again.\n"
        )
        assert "Traceback" not in said

    def test_sync_on_migrate_keeps_and_reports_them(self, theirs):
        theirs.configure(SYNC_ON_MIGRATE=True)
        said = theirs.manage("migrate")
        assert (
            "shop_book: validator: djongo_services did not write it, so it is kept and the rules "
            "of the models are not enforced; replace it with --replace-validator shop_book"
        ) in said
        assert self.options(theirs)["validator"] == self.query
