"""``inspectmongo`` on a real database: options, formats and what it says of odd databases."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections as databases
from pymongo.database import Database

from tests.commands.conftest import Run
from tests.introspection.render_example import HOSTILE

Mongo = Database[dict[str, Any]]

FORMATS = ("report", "json", "models", "jsonschema", "mermaid", "html")


@pytest.fixture
def archive(database: Mongo) -> Mongo:
    """People, and notes that refer to them; one note differs."""
    people = [{"_id": number, "name": f"Person {number}"} for number in range(1, 11)]
    database.people.insert_many(people)
    notes = [
        {"title": f"Note {number}", "person_id": 1 + number % 10, "tags": ["a", "b"]}
        for number in range(50)
    ]
    database.notes.insert_many(notes)
    database.notes.insert_one({"title": 7})
    database.notes.create_index("person_id")
    return database


def collections(stdout: str) -> dict[str, Any]:
    return {found["name"]: found for found in json.loads(stdout)["collections"]}


def types(collection: Any) -> dict[str, dict[str, int]]:
    return {
        field["path"]: {name: found["count"] for name, found in field["types"].items()}
        for field in collection["fields"]
    }


@pytest.mark.usefixtures("archive")
def test_json_with_exact_counts(inspectmongo: Run) -> None:
    result = inspectmongo("--format", "json", "--depth", "exact")
    assert result.code == 0
    found = collections(result.stdout)
    assert list(found) == ["notes", "people"]
    assert found["notes"]["count"] == 51
    counted = types(found["notes"])
    assert counted["title"] == {"string": 50, "int": 1}
    assert counted["tags"] == {"array": 50}
    assert counted["tags[]"] == {"string": 100}
    assert found["notes"]["coverage"]["reached"] == "exact"
    (reference,) = found["notes"]["references"]
    assert (reference["path"], reference["target"]) == ("person_id", "people")
    assert "mixed-types" in {warning["code"] for warning in found["notes"]["warnings"]}


def test_the_same_facts_on_every_server_version(
    matrix_database: Mongo, connect_to: Callable[..., None], inspectmongo_on: Callable[..., Run]
) -> None:
    matrix_database.things.insert_many([{"a": 1}, {"a": "x"}, {}])
    result = inspectmongo_on(matrix_database)("--format", "json", "--depth", "exact", "-v", "0")
    assert (result.code, result.stderr) == (0, "")
    assert types(collections(result.stdout)["things"])["a"] == {"int": 1, "string": 1}


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("format", FORMATS)
def test_machine_output_is_alone_on_stdout(inspectmongo: Run, format: str) -> None:
    loud = inspectmongo("--format", format, "-v", "3")
    quiet = inspectmongo("--format", format, "-v", "0")
    assert (loud.code, quiet.code, quiet.stderr) == (0, 0, "")
    assert "Connecting" not in loud.stdout
    assert quiet.stdout.endswith("\n")


@pytest.mark.usefixtures("archive")
def test_the_report_names_collections_fields_and_references(inspectmongo: Run) -> None:
    text = inspectmongo("--depth", "complete").stdout
    for words in ("notes  collection", "people  collection", "person_id", "→ people", "_id_"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_json_schema_that_every_document_satisfies(inspectmongo: Run, archive: Mongo) -> None:
    result = inspectmongo("--format", "jsonschema", "--depth", "complete")
    validators = json.loads(result.stdout)
    assert list(validators) == ["notes", "people"]
    for name, validator in validators.items():
        archive.command("collMod", name, validator=validator)
        assert archive[name].count_documents({"$nor": [validator]}) == 0


def test_the_json_schema_of_one_collection_is_the_validator_itself(
    inspectmongo: Run, archive: Mongo
) -> None:
    text = inspectmongo("people", "--format", "jsonschema", "--depth", "complete").stdout
    archive.command("collMod", "people", validator=json.loads(text))
    assert list(json.loads(text)) == ["$jsonSchema"]


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("style", ["backend", "plain"])
def test_models_are_python(inspectmongo: Run, style: str) -> None:
    result = inspectmongo("--format", "models", "--style", style, "--depth", "complete")
    names = {node.name for node in ast.parse(result.stdout).body if isinstance(node, ast.ClassDef)}
    assert len(names) >= 2
    assert ("django_mongodb_backend" in result.stdout) == (style == "backend")


def test_models_follow_the_kind_of_connection(
    inspectmongo: Run,
    archive: Mongo,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: Any,
) -> None:
    assert "django_mongodb_backend" not in inspectmongo("--format", "models").stdout
    monkeypatch.setitem(databases["default"].settings_dict, "NAME", archive.name)
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    with django_db_blocker.unblock():
        assert "django_mongodb_backend" in inspectmongo("--format", "models").stdout


@pytest.mark.usefixtures("archive")
def test_chosen_and_excluded_collections(inspectmongo: Run) -> None:
    def names(*arguments: str) -> list[str]:
        return list(collections(inspectmongo("--format", "json", *arguments).stdout))

    assert names("people") == ["people"]
    assert names("people", "notes") == ["notes", "people"]
    assert names("--exclude", "peo*") == ["notes"]
    assert names("--exclude", "peo*", "--exclude", "note?") == []


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("format", FORMATS)
def test_a_collection_both_named_and_excluded_is_left_out(inspectmongo: Run, format: str) -> None:
    result = inspectmongo("people", "--exclude", "p*", "--format", format, "-v", "0")
    assert (result.code, result.stderr) == (0, "")
    assert "people" not in result.stdout


@pytest.mark.usefixtures("archive")
def test_values_leave_the_server_only_when_asked_for(inspectmongo: Run) -> None:
    assert "Person 1" not in inspectmongo("--format", "json").stdout
    with_values = inspectmongo("--format", "json", "--values").stdout
    assert "Person 1" in with_values


@pytest.mark.usefixtures("archive")
def test_a_small_sample_is_marked(inspectmongo: Run) -> None:
    text = inspectmongo("notes", "--sample", "5").stdout
    assert "sample of 5 of 51 documents: shares are estimates, ±" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--sample", "0"], "--sample must be a positive number of documents, not 0."),
        (["--sample", "-3"], "--sample must be a positive number of documents, not -3."),
        (
            ["--style", "plain"],
            "--style requires --format models; it cannot be combined with --format report.",
        ),
        (
            ["--show-secrets"],
            "--show-secrets requires --values; without it no values are read.",
        ),
        (
            ["--mute", "mixed-type"],
            "--mute: There is no warning 'mixed-type'; did you mean 'mixed-types'?",
        ),
        (
            ["--mute", ""],
            "--mute: A warning to mute must be a code, a path or a pattern, not an empty string.",
        ),
    ],
)
def test_arguments_that_make_no_sense(
    inspectmongo: Run, arguments: list[str], sentence: str
) -> None:
    result = inspectmongo(*arguments)
    assert (result.code, result.stdout, result.stderr) == (2, "", f"CommandError: {sentence}\n")


@pytest.mark.usefixtures("archive")
def test_warnings_are_muted_by_option_and_setting(inspectmongo: Run, settings: Any) -> None:
    def codes(*arguments: str) -> tuple[list[str], int]:
        notes = collections(inspectmongo("--format", "json", *arguments).stdout)["notes"]
        return [warning["code"] for warning in notes["warnings"]], notes["muted"]

    assert codes() == (["mixed-types", "near-missing", "near-missing"], 0)
    assert codes("--mute", "mixed-types") == (["near-missing", "near-missing"], 1)
    assert codes("--mute", "tags", "--mute", "mixed-types:notes.*") == (["near-missing"], 2)
    settings.DJONGO_SERVICES = {**settings.DJONGO_SERVICES, "INSPECTION": {"MUTE": ["tags"]}}
    assert codes("--mute", "mixed-types") == (["near-missing"], 2)
    assert "2 warnings muted" in inspectmongo("--mute", "mixed-types", "-v", "0").stdout


def test_a_setting_that_mutes_nothing_there_is(inspectmongo: Run, settings: Any) -> None:
    settings.DJONGO_SERVICES = {**settings.DJONGO_SERVICES, "INSPECTION": {"MUTE": ["mixed-type"]}}
    result = inspectmongo()
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith('CommandError: DJONGO_SERVICES["INSPECTION"]["MUTE"]: There is')


@pytest.mark.parametrize("format", FORMATS)
def test_secrets_are_shown_only_when_asked_for(
    inspectmongo: Run, database: Mongo, format: str
) -> None:
    database.users.insert_many(
        {"password": f"hunter{n % 2}", "state": ("in", "out")[n % 2]} for n in range(40)
    )
    arguments = ["--format", format, "--values", "-v", "0"]
    hidden = inspectmongo(*arguments).stdout
    shown = inspectmongo(*arguments, "--show-secrets").stdout
    assert "hunter" not in hidden
    assert ("hunter0" in shown) == (format != "mermaid")


@pytest.mark.usefixtures("archive")
def test_an_unknown_collection_with_a_close_name(inspectmongo: Run) -> None:
    result = inspectmongo("peple", "-v", "0")
    assert (result.code, result.stdout) == (2, "")
    assert "peple" in result.stderr
    assert "people" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_database_is_no_trouble(inspectmongo: Run, database: Mongo, format: str) -> None:
    result = inspectmongo("--format", format, "-v", "0")
    assert (result.code, result.stderr) == (0, "")
    if format == "report":
        last = result.stdout.splitlines()[-1]
        assert last == f"The database {database.name} has no collections to show."


@pytest.mark.parametrize("depth", ["sample", "complete", "exact"])
@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_collection(inspectmongo: Run, database: Mongo, depth: str, format: str) -> None:
    database.create_collection("nothing")
    result = inspectmongo("--format", format, "--depth", depth, "-v", "0")
    assert (result.code, result.stderr) == (0, "")
    if format == "json":
        nothing = collections(result.stdout)["nothing"]
        assert (nothing["count"], nothing["fields"]) == (0, [])


def test_a_view_over_a_missing_collection_is_empty(inspectmongo: Run, database: Mongo) -> None:
    database.create_collection("window", viewOn="gone", pipeline=[])
    result = inspectmongo("-v", "0")
    assert (result.code, result.stderr) == (0, "")
    assert "window  view on gone" in result.stdout


def test_a_view_that_fails_is_shown_with_the_reason(inspectmongo: Run, database: Mongo) -> None:
    database.create_collection(
        "broken", viewOn="things", pipeline=[{"$project": {"x": {"$divide": [1, "$zero"]}}}]
    )
    database.things.insert_one({"zero": 0})
    result = inspectmongo("--format", "json", "-v", "0")
    broken = collections(result.stdout)["broken"]
    assert [warning["code"] for warning in broken["warnings"]] == ["unreadable"]
    assert types(collections(result.stdout)["things"])["zero"] == {"int": 1}


@pytest.mark.parametrize("format", FORMATS)
def test_collection_and_field_names_of_every_kind(
    inspectmongo: Run, database: Mongo, format: str
) -> None:
    for name in HOSTILE:
        database[name].insert_one({name: name})
    for name in ("système", "a.b.c", " ", "x" * 120, "*", "?", "~"):
        database[name].insert_one({"a": {name: 1}})
    result = inspectmongo("--format", format, "--values", "--depth", "complete", "-v", "0")
    assert (result.code, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    if format == "json":
        assert set(HOSTILE) <= collections(result.stdout).keys()
    if format == "models":
        ast.parse(result.stdout)


def test_a_privilege_missing_for_everything(
    connect_to: Callable[..., None], database: Mongo, refuse: Any, run: Run
) -> None:
    connect_to(refuse("listCollections", errorCode=13), database.name)
    result = run("-v", "0")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("CommandError: The database user may not list the collections")
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("archive")
def test_a_privilege_missing_for_the_documents(
    connect_to: Callable[..., None], database: Mongo, refuse: Any, run: Run
) -> None:
    connect_to(refuse("aggregate", errorCode=13), database.name)
    result = run("-v", "0")
    assert (result.code, result.stderr) == (0, "")
    assert "statistics not available: " in result.stdout
    assert "! 'notes' cannot be read: the database user lacks the privilege" in result.stdout
    assert "person_id_1" in result.stdout


@pytest.mark.usefixtures("archive")
def test_a_connection_lost_at_the_start(
    connect_to: Callable[..., None], database: Mongo, refuse: Any, run: Run
) -> None:
    connect_to(refuse("listCollections", closeConnection=True), database.name)
    result = run("--format", "json", "-v", "0")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("CommandError: The connection to the MongoDB server")
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("archive")
def test_a_connection_lost_midway_gives_a_partial_result(
    connect_to: Callable[..., None], database: Mongo, refuse: Any, run: Run
) -> None:
    connect_to(refuse("find", closeConnection=True), database.name)
    result = run("--format", "json", "-v", "0")
    assert result.code == 2
    assert result.stderr.startswith("CommandError: The result is partial: The connection ")
    assert result.stderr.count("\n") == 1
    assert json.loads(result.stdout)["stopped"] in result.stderr


@pytest.mark.parametrize("format", ["models", "jsonschema", "mermaid"])
def test_what_cannot_be_read_is_said_where_the_format_has_no_place_for_it(
    inspectmongo: Run, archive: Mongo, format: str
) -> None:
    archive.command({"create": "a..b"})
    result = inspectmongo("--format", format, "--exclude", "people")
    assert result.code == 0
    assert "'a..b' cannot be read: PyMongo refuses its name" in result.stderr
    assert "cannot be read" not in inspectmongo("--format", format, "-v", "0").stderr


@pytest.mark.parametrize("format", FORMATS)
def test_a_hundred_levels(inspectmongo: Run, database: Mongo, format: str) -> None:
    deep: Any = 1
    for _ in range(90):
        deep = {"in": [deep]} if _ % 2 else {"in": deep}
    database.deep.insert_one(deep)
    result = inspectmongo("--format", format, "--depth", "exact", "--values", "-v", "0")
    assert (result.code, result.stderr) == (0, "")
    if format == "report":
        # Deep fields stay legible: none is squeezed to a letter a line.
        assert max(map(len, result.stdout.splitlines())) <= 100
        assert len(result.stdout.splitlines()) < 200
        assert "(60) in " in result.stdout
