"""``manage.py syncmongoschema`` as users see it: stdout, stderr, exit code, the database."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from djongo_services.connections import connections
from djongo_services.schema.applying import SchemaLease
from djongo_services.schema.signals import schema_synced
from tests.commands.conftest import Result
from tests.introspection.guarded import PASSWORD, guarded_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(matrix_database, settings):
    host, port = matrix_database.client.address
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {
            "default": {"HOST": f"mongodb://{host}:{port}/", "NAME": matrix_database.name}
        },
        "SCHEMA": {"MODELS": ["library"]},
    }
    return matrix_database


def sync(*arguments: str) -> Result:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("syncmongoschema", *arguments, stdout=stdout, stderr=stderr)
    except CommandError as error:
        code = error.returncode
        stderr.write(f"{error}\n")
    except SystemExit as left:
        code = int(left.code or 0)
    return Result(code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())


def indexes(database: Any) -> dict[str, set[str]]:
    return {
        name: set(database[name].index_information())
        for name in database.list_collection_names()
        if not name.startswith("djongo_services_")
    }


class TestPlan:
    def test_shows_what_would_be_done_and_does_nothing(self, library):
        result = sync("--plan")
        assert result.code == 0
        lines = result.stdout.splitlines()
        assert lines[0] == "authors"
        assert lines[1] == "  + create collection"
        assert "  + index title_pages {title: 1, pages: -1}  (slow)" in lines
        assert re.fullmatch(r"Plan: \d+ to add; \d+ steps\.", lines[-1])
        assert library.list_collection_names() == []

    def test_estimates_builds_in_collections_with_documents(self, library):
        library.books.insert_one({"_id": 1, "title": "T", "author_id": 1, "pages": 1})
        lines = sync("--plan").stdout.splitlines()
        index = "  + index title_pages {title: 1, pages: -1}  (slow, about 0 to 1 second)"
        assert index in lines
        assert lines[-2] == (
            "Index builds take about 0 to 1 second, estimated from usual speeds of servers."
        )
        (step,) = [
            step
            for step in json.loads(sync("--plan", "--format", "json").stdout)["steps"]
            if step["kind"] == "build-indexes" and step["collection"] == "books"
        ]
        assert step["estimate"]["words"] == "about 0 to 1 second"
        assert (step["estimate"]["documents"], step["estimate"]["builds"]) == (1, 0)

    def test_of_one_model(self, library):
        assert "books" not in sync("--plan", "library.Author").stdout

    @pytest.mark.parametrize(
        ("label", "sentence"),
        [
            ("libary", "There is no app 'libary'; did you mean library?"),
            ("library.Boook", "The app 'library' has no model 'Boook'; did you mean Book?"),
            ("a.b.c", "There is no app 'a'."),
        ],
    )
    def test_an_unknown_label_names_close_ones(self, library, label, sentence):
        result = sync("--plan", label)
        assert result.code == 2
        assert sentence in result.stderr

    def test_json_can_be_applied_later(self, library, tmp_path):
        path = tmp_path / "plan.json"
        assert sync("--plan", "--format", "json", "--output", str(path)).code == 0
        document = json.loads(path.read_text())
        assert document["format_version"] == 1
        assert document["fingerprint"]
        assert sync("--from-plan", str(path)).code == 0
        assert "title_pages" in indexes(library)["books"]

    def test_a_program_names_the_file_by_its_text(self, library, tmp_path):
        path = str(tmp_path / "plan.json")
        quiet = {"stdout": io.StringIO(), "stderr": io.StringIO()}
        call_command("syncmongoschema", plan=True, format="json", output=path, **quiet)
        call_command("syncmongoschema", from_plan=path, noinput=True, **quiet)
        assert "title_pages" in indexes(library)["books"]

    def test_a_plan_for_a_database_that_changed_is_refused(self, library, tmp_path):
        path = tmp_path / "plan.json"
        sync("--plan", "--format", "json", "--output", str(path))
        library.books.create_index("title")
        result = sync("--from-plan", str(path))
        assert result.code == 2
        assert "has changed since the plan was made" in result.stderr

    def test_violators_are_counted_again_for_a_saved_plan(self, library, tmp_path):
        path = tmp_path / "plan.json"
        library.create_collection("authors")
        sync("--plan", "--format", "json", "--output", str(path))
        library.authors.insert_one({"_id": 1, "name": 5})
        result = sync("--from-plan", str(path))
        assert result.code == 2
        assert "authors: 1 document violates the validator since the plan was made" in result.stderr
        assert "books" not in indexes(library)

    def test_a_missing_plan(self, library, tmp_path):
        result = sync("--from-plan", str(tmp_path / "none.json"))
        assert result.code == 2
        assert "Cannot read the plan" in result.stderr


class TestApply:
    def test_makes_the_database_what_the_models_say(self, library):
        result = sync()
        assert result.code == 0, result.stderr
        assert re.search(r"Applied \d+ steps in run [0-9a-f]{24}\.", result.stderr)
        assert "title_pages" in indexes(library)["books"]
        again = sync()
        assert again.stdout == f"In sync: {library.name} matches the models.\n"

    def test_tells_a_signal(self, library):
        heard = []

        def hear(**kwargs):
            heard.append(kwargs["using"])

        schema_synced.connect(hear)
        try:
            sync()
        finally:
            schema_synced.disconnect(hear)
        assert heard == ["default"]

    def test_the_server_enforces_the_models(self, library):
        from pymongo.errors import WriteError

        sync()
        with pytest.raises(WriteError):
            library.books.insert_one({"_id": 1, "title": "T", "author_id": 1, "pages": -1})
        with pytest.raises(WriteError):
            library.books.insert_one({"_id": 1, "title": 3, "author_id": 1, "pages": 1})

    def test_violators_keep_a_validator_gentle_until_they_are_mended(self, library):
        library.books.insert_one({"_id": 1, "title": 3, "author_id": 1, "pages": 1})
        result = sync()
        assert "1 document violates it" in result.stdout
        assert options_of(library, "books")["validationAction"] == "warn"
        shown = sync("--violations", "5")
        assert shown.stdout.startswith("books: 1 document violates the validator\n  1")
        library.books.update_one({"_id": 1}, {"$set": {"title": "Three"}})
        assert sync().code == 0
        assert options_of(library, "books")["validationAction"] == "error"
        assert sync("--violations", "5").stdout == "No document violates a validator.\n"

    def test_duplicates_are_listed(self, library):
        library.authors.insert_many([{"_id": 1, "name": "A"}, {"_id": 2, "name": "A"}])
        result = sync()
        assert result.code == 2
        assert '{name: "A"}: 2 documents, such as 1 and 2' in result.stderr
        assert "make them distinct and run again" in result.stderr


class TestDestructive:
    @pytest.fixture
    def unmanaged(self, library):
        sync()
        library.books.create_index("pages", name="nobodys")
        return library

    def test_nothing_is_done_without_permission(self, unmanaged):
        result = sync("--prune", "drop")
        assert result.code == 2
        assert "Add --allow-destructive" in result.stderr
        assert "nobodys" in indexes(unmanaged)["books"]

    def test_without_a_terminal_to_ask(self, unmanaged, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
        result = sync("--prune", "drop", "--allow-destructive")
        assert result.code == 2
        assert "--noinput" in result.stderr
        assert "nobodys" in indexes(unmanaged)["books"]

    def test_is_done_when_allowed(self, unmanaged):
        assert sync("--prune", "drop", "--allow-destructive", "--noinput").code == 0
        assert "nobodys" not in indexes(unmanaged)["books"]

    def test_old_documents_expire_only_when_allowed(self, library):
        library.visits.insert_one({"_id": 1, "at": datetime(2000, 1, 1)})
        refused = sync()
        assert refused.code == 2
        assert "'visits: build index visit_ttl {at: 1}'; nothing was done" in refused.stderr
        assert indexes(library) == {"visits": {"_id_"}}
        assert sync("--allow-destructive", "--noinput").code == 0
        assert "visit_ttl" in indexes(library)["visits"]

    def test_where_nothing_can_expire_nothing_is_destroyed(self, library):
        library.create_collection("visits")
        assert sync().code == 0
        assert "visit_ttl" in indexes(library)["visits"]

    def test_an_index_in_use_needs_its_name(self, unmanaged):
        unmanaged.books.find_one({"pages": 1})
        kept = sync("--prune", "drop", "--allow-destructive", "--noinput")
        assert "in use; name it to drop it" in kept.stdout
        options = ("--drop-index", "books.nobodys", "--allow-destructive", "--noinput")
        assert sync(*options).code == 0
        assert "No undeclared index 'books.nobodys'" in sync(*options).stderr
        assert "nobodys" not in indexes(unmanaged)["books"]


class TestCheck:
    def test_says_what_differs_and_never_writes(self, library):
        result = sync("--check")
        assert result.code == 1
        assert "+ create collection" in result.stdout
        assert library.list_collection_names() == []

    def test_in_sync(self, library):
        sync()
        result = sync("--check")
        assert (result.code, result.stdout) == (
            0,
            f"In sync: {library.name} matches the models.\n",
        )

    @pytest.mark.parametrize("authors", [[], [{"name": "A"}], [{"name": 5}]])
    def test_says_the_same_as_the_plan(self, library, authors):
        """Whether documents violate the rules decides how strict a validator is at first."""
        library.create_collection("authors")
        if authors:
            library.authors.insert_many(authors)
        for _ in range(2):
            assert sync("--check").stdout == sync("--plan").stdout
            sync()
        library.authors.delete_many({})
        assert sync("--check").stdout == sync("--plan").stdout

    @pytest.mark.parametrize("mode", ["--check", "--plan", None])
    def test_where_no_models_are_chosen(self, library, settings, mode):
        configured = settings.DJONGO_SERVICES["CONNECTIONS"]
        settings.DJONGO_SERVICES = {"CONNECTIONS": configured}
        result = sync(*([mode] if mode else []))
        assert (result.code, result.stdout) == (2, "")
        assert result.stderr.splitlines()[-1] == (
            "No models are chosen for the connection 'default'; list them in "
            'DJONGO_SERVICES["SCHEMA"]["MODELS"], such as {"default": ["app", "app.Model"]}.'
        )

    def test_references(self, library):
        sync()
        library.authors.insert_one({"_id": 1, "name": "A"})
        library.books.insert_one({"_id": 1, "title": "T", "author_id": 1, "pages": 1})
        assert sync("--check", "--references").code == 0
        library.authors.delete_one({"_id": 1})
        result = sync("--check", "--references")
        assert result.code == 1
        assert "library.Book" in result.stderr


class TestHistory:
    def test_counts_steps_as_the_plan_does(self, library):
        planned = sync("--plan").stdout.splitlines()[-1].rpartition("; ")[2].removesuffix(".")
        assert f"Applied {planned} in run " in sync().stderr
        (run,) = json.loads(sync("--history", "--format", "json").stdout)["runs"]
        assert [f"{run['steps']} steps", f"{run['done']} steps"] == [planned, planned]

    def test_lists_runs_and_rolls_back(self, library):
        assert sync("--history").stdout == "No runs yet.\n"
        sync()
        library.books.drop_index("title_pages")
        sync()
        runs = json.loads(sync("--history", "--format", "json").stdout)["runs"]
        assert [run["status"] for run in runs] == ["done", "done"]
        assert runs[0]["run"] in sync("--history").stdout
        refused = sync("--rollback", runs[0]["run"])
        assert refused.code == 2  # Dropping an index destroys it.
        undone = sync("--rollback", runs[0]["run"], "--allow-destructive", "--noinput")
        assert undone.code == 0, undone.stderr
        shown = sync("--history").stdout
        assert f"done, rolls back {runs[0]['run']} " in shown
        _, header, _, first, *_ = shown.splitlines()
        assert header.split() == [
            *("WHAT", "STATUS", "STARTED", "(UTC)", "TOOK", "STEPS", "BY", "RUN")
        ]
        assert first.strip().startswith("1 index  ")
        assert "less than 1 second" in first
        assert "…" not in shown
        assert "title_pages" not in indexes(library)["books"]

    def test_later_runs_that_changed_the_same(self, library):
        sync()
        for _ in range(2):
            library.books.drop_index("title_pages")
            sync()
        runs = json.loads(sync("--history", "--format", "json").stdout)["runs"]
        latest, earlier = runs[0]["run"], runs[1]["run"]
        allowed = ("--allow-destructive", "--noinput")
        refused = sync("--rollback", earlier, *allowed)
        assert refused.code == 2
        assert refused.stderr.splitlines()[-1] == (
            f"Run {earlier} cannot be rolled back alone, because later runs changed the "
            f"same objects: run {latest} (index title_pages of books). Roll those back first, or "
            f"add --with-later."
        )
        undone = sync("--rollback", earlier, "--with-later", *allowed)
        assert undone.code == 0, undone.stderr
        assert f"Rolled back run {earlier} and run {latest} in run " in undone.stderr
        found = json.loads(sync("--history", "--format", "json").stdout)["runs"][0]
        assert found["rolls_back"] == [latest, earlier]
        assert "title_pages" not in indexes(library)["books"]
        again = sync("--rollback", earlier)
        assert f"was rolled back by run {found['run']} already." in again.stderr

    @pytest.mark.parametrize("run", ["nonsense", "0" * 24])
    def test_no_such_run(self, library, run):
        result = sync("--rollback", run)
        assert result.code == 2
        assert "--history" in result.stderr


def test_another_run_is_at_work(library):
    with SchemaLease(library):
        result = sync()
    assert result.code == 3
    assert "Another run is changing the schema: process" in result.stderr


def test_a_user_who_may_only_read(settings, tmp_path):
    with guarded_server(tmp_path, "6.0") as server:
        with server.user(roles=[{"role": "read", "db": "test_shop"}]):
            uri = f"mongodb://someone:{PASSWORD}@127.0.0.1:{server.port}/"
            settings.DJONGO_SERVICES = {
                "CONNECTIONS": {"default": {"HOST": uri, "NAME": "test_shop"}},
                "SCHEMA": {"MODELS": ["library"]},
            }
            assert sync("--check").code == 1
            result = sync()
            connections.close_all()
    assert result.code == 2
    assert result.stderr.splitlines()[-1].endswith(
        " lacks a privilege: not authorized on test_shop to execute insert on "
        "djongo_services_leases. Grant it, or use a connection of another user."
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--references",), "--references requires --check"),
        (("--with-later",), "--with-later requires --rollback"),
        (("--violations", "0"), "--violations must be positive, not 0."),
        (("--plan", "--check"), "not allowed with"),
        (("--prune", "all"), "invalid choice"),
        (("--from-plan", "plan.json", "library"), "APP[.MODEL] cannot be combined with --from"),
        (("--history", "--prune", "drop"), "--prune cannot be combined with --history"),
        (("--violations", "1", "--validation", "off"), "--validation cannot be combined with"),
        (
            ("--drop-index", "books.nosuch"),
            "No undeclared index 'books.nosuch'; write COLLECTION.INDEX",
        ),
    ],
)
def test_wrong_options(library, arguments, sentence):
    result = sync(*arguments)
    assert result.code == 2
    assert sentence in result.stderr


def options_of(database: Any, name: str) -> dict[str, Any]:
    (found,) = database.list_collections(filter={"name": name})
    return found["options"]
