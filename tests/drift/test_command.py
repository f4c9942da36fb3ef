"""``inspectmongo`` against a connection and the models; exit codes; what makes no sense."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import Int64
from pymongo.database import Database

from djongo_services.drift.comparison import Comparison
from djongo_services.drift.signals import schema_drift_found
from tests.commands.conftest import Result, run_inspectmongo

Mongo = Database[dict[str, Any]]


def connections(database: Mongo, staging: Mongo) -> dict[str, Any]:
    host, port = database.client.address or ("", 0)
    uri = f"mongodb://{host}:{port}/"
    return {
        "CONNECTIONS": {
            "default": {"HOST": uri, "NAME": database.name},
            "staging": {"HOST": uri, "NAME": staging.name},
        },
        "SCHEMA": {"MODELS": ["library"]},
    }


@pytest.fixture
def staging(database: Mongo) -> Iterator[Mongo]:
    found = database.client[f"{database.name}_staging"]
    yield found
    database.client.drop_database(found.name)


@pytest.fixture
def library(database: Mongo, staging: Mongo, settings: Any) -> Mongo:
    """The models of ``library``, with the same documents in both databases."""
    settings.DJONGO_SERVICES = connections(database, staging)
    for side in (database, staging):
        side.authors.insert_many([{"_id": Int64(n), "name": f"Author {n}"} for n in range(10)])
        side.books.insert_many([book(n) for n in range(40)])
    return database


def book(number: int) -> dict[str, Any]:
    author = Int64(number % 10)
    title = f"Book {number}"
    return {"_id": Int64(number), "title": title, "author_id": author, "pages": Int64(300)}


def run(*arguments: str) -> Result:
    return run_inspectmongo(*arguments, "-v", "0")


def changes(result: Result) -> list[str]:
    assert result.stderr == ""
    return [line.strip() for line in result.stdout.splitlines() if line.startswith("  ")]


def test_two_connections_that_are_alike(library: Mongo) -> None:
    result = run("--against", "staging", "--check", "--fail-on", "moved")
    assert (result.code, changes(result)) == (0, [])
    assert "from  the connection 'staging'" in result.stdout
    assert result.stdout.endswith("No differences in 2 collections.\n")


def test_what_is_only_here_came(library: Mongo, staging: Mongo) -> None:
    library.books.update_one({"_id": 3}, {"$set": {"isbn": "x"}})
    staging.leftover.insert_one({})
    assert changes(run("--against", "staging")) == [
        "+ isbn: string, in 2.5 % of documents",
        "- collection: was collection of 1 document, 1 field",
    ]
    assert changes(run("--database", "staging", "--against", "default"))[0].startswith("- isbn")


@pytest.mark.parametrize("vanished", ["here", "there"])
def test_a_named_collection_may_be_on_one_side_only(
    library: Mongo, staging: Mongo, vanished: str
) -> None:
    (library if vanished == "here" else staging).books.drop()
    (line,) = changes(run("books", "--against", "staging"))
    assert line.startswith("- collection" if vanished == "here" else "+ collection")


def test_a_vanished_collection_and_a_baseline(library: Mongo, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    assert run("--format", "json", "--output", str(file)).code == 0
    library.books.drop()
    assert changes(run("books", "--baseline", str(file))) == [
        "- collection: was collection of 40 documents, 4 fields; the models keep their documents "
        "in it  (breaks the models)"
    ]


def test_a_name_that_neither_side_has(library: Mongo) -> None:
    result = run("boks", "--against", "staging")
    assert (result.code, result.stdout) == (2, "")
    assert "did you mean 'books'?" in result.stderr


class TestModels:
    def test_in_order(self, library: Mongo) -> None:
        result = run("--against-models", "--check")
        assert (result.code, changes(result)) == (0, [])
        assert "1 collection of models not there yet: visits.\n" in result.stdout

    def test_shapes_that_break_them(self, library: Mongo) -> None:
        library.books.update_one({"_id": 3}, {"$set": {"pages": "many"}})
        library.books.update_one({"_id": 4}, {"$unset": {"title": 1}})
        library.books.update_one({"_id": 5}, {"$set": {"isbn": 1, "title": "x" * 101}})
        library.other.insert_one({})
        result = run("--against-models", "--values", "--check", "--fail-on", "breaks")
        assert result.code == 1
        assert changes(result) == [
            "- title: in 97.5 % of documents; the models require it  (breaks the models)",
            "~ title: up to 101 characters; the models allow 100  (breaks the models)",
            "+ pages: type string: 2.5 % of the values; the models accept double, int, long or "
            "decimal  (breaks the models)",
            "+ isbn: int, in 2.5 % of documents",
        ]
        named = run("--against-models", "other", "books")
        assert "1 collection not compared, which belongs to no model.\n" in named.stdout

    def test_models_without_rules(self, library: Mongo, staging: Mongo, settings: Any) -> None:
        schema = {"MODELS": ["library"], "RULES": {"library.Author": "off"}}
        settings.DJONGO_SERVICES = connections(library, staging) | {"SCHEMA": schema}
        library.authors.update_one({"_id": 1}, {"$set": {"name": 5, "more": 1}})
        result = run("--against-models", "--check")
        assert (result.code, changes(result)) == (0, [])
        assert "1 collection not compared, whose models state no rules.\n" in result.stdout

    def test_without_models(self, library: Mongo, staging: Mongo, settings: Any) -> None:
        settings.DJONGO_SERVICES = connections(library, staging) | {"SCHEMA": {}}
        result = run("--against-models")
        assert (result.code, result.stdout) == (2, "")
        assert "No models are chosen for the connection 'default'" in result.stderr


class TestCheck:
    @pytest.fixture
    def moved(self, library: Mongo) -> Mongo:
        """A share that moved, and nothing else."""
        library.books.update_many({"_id": {"$lt": 10}}, {"$set": {"pages": 5.0}})
        library.client[f"{library.name}_staging"].books.update_many(
            {"_id": {"$lt": 5}}, {"$set": {"pages": 5.0}}
        )
        return library

    @pytest.mark.parametrize(("fail_on", "code"), [("moved", 1), ("new", 0), ("breaks", 0)])
    def test_what_moved(self, moved: Mongo, fail_on: str, code: int) -> None:
        result = run("--against", "staging", "--check", "--fail-on", fail_on)
        assert changes(result) == [
            "~ pages: long 88 %, double 12 % → long 75 %, double 25 %  (moved)"
        ]
        assert result.code == code

    def test_a_tolerance(self, moved: Mongo) -> None:
        assert changes(run("--against", "staging", "--tolerance", "13")) == []
        assert len(changes(run("--against", "staging", "--tolerance", "12"))) == 1

    def test_without_check_nothing_fails(self, moved: Mongo) -> None:
        assert run("--against", "staging").code == 0

    @pytest.mark.parametrize(("fail_on", "code"), [("moved", 1), ("new", 1), ("breaks", 0)])
    def test_what_is_new(self, library: Mongo, fail_on: str, code: int) -> None:
        library.books.update_one({"_id": 1}, {"$set": {"isbn": 1}})
        assert run("--against", "staging", "--check", "--fail-on", fail_on).code == code

    def test_accepted_differences_do_not_fail(self, library: Mongo, tmp_path: Path) -> None:
        library.books.update_one({"_id": 1}, {"$set": {"isbn": 1}})
        lines = run("--against", "staging", "--format", "accepted")
        assert lines.stdout.endswith("\n+ field books isbn  # int, in 2.5 % of documents\n")
        file = tmp_path / "accepted.txt"
        file.write_text(f"{lines.stdout}- index books gone\n", "utf-8")
        result = run_inspectmongo("--against", "staging", "--check", "--accept", str(file))
        assert result.code == 0
        assert result.stdout.endswith("No differences in 2 collections; 1 accepted.\n")
        assert result.stderr.endswith(
            f"{file} accepts what does not differ (any more): - index books gone\n"
        )

    def test_machine_output_is_alone_on_stdout(self, library: Mongo, tmp_path: Path) -> None:
        library.books.update_one({"_id": 1}, {"$set": {"isbn": 1}})
        result = run_inspectmongo("--against", "staging", "--format", "json", "--check")
        assert result.code == 1
        assert json.loads(result.stdout)["counts"]["new"] == 1
        file = tmp_path / "drift.html"
        assert run("--against", "staging", "--format", "html", "--output", str(file)).code == 0
        assert file.read_text("utf-8").startswith("<!doctype html>")


class TestUnreadable:
    """A part that could not be read is not reported as unchanged."""

    @pytest.fixture
    def unreadable(
        self, library: Mongo, refuse: Callable[..., str], settings: Any
    ) -> Callable[[], None]:
        def now() -> None:
            namespace = f"{library.name}.books"
            uri = refuse("find", "aggregate", errorCode=13, namespace=namespace)
            own = settings.DJONGO_SERVICES["CONNECTIONS"] | {
                "default": {"HOST": uri, "NAME": library.name}
            }
            settings.DJONGO_SERVICES = settings.DJONGO_SERVICES | {"CONNECTIONS": own}

        return now

    def test_since_a_baseline(
        self, library: Mongo, tmp_path: Path, unreadable: Callable[[], None]
    ) -> None:
        file = str(tmp_path / "baseline.json")
        assert run("--format", "json", "--output", file).code == 0
        unreadable()
        result = run("--baseline", file)
        assert result.code == 0
        assert "  ! Fields not compared: the later side has not read them.\n" in result.stdout
        result = run("--baseline", file, "--check")
        assert result.code == 2
        assert result.stderr.startswith(
            "CommandError: Not everything could be compared: books; the result says why."
        )
        library.came.insert_one({})
        assert run("--baseline", file, "--check").code == 1

    def test_against_the_models(self, library: Mongo, unreadable: Callable[[], None]) -> None:
        unreadable()
        result = run("--against-models", "--check")
        assert result.code == 2
        assert "  ! Fields not compared: the documents were not read.\n" in result.stdout


class TestSignal:
    @pytest.fixture
    def heard(self) -> Iterator[list[tuple[Any, str, Comparison]]]:
        found: list[tuple[Any, str, Comparison]] = []

        def hear(sender: Any, using: str, comparison: Comparison, **kwargs: Any) -> None:
            found.append((sender, using, comparison))

        schema_drift_found.connect(hear)
        yield found
        schema_drift_found.disconnect(hear)

    def test_it_is_sent_where_something_differs(
        self, library: Mongo, heard: list[tuple[Any, str, Comparison]]
    ) -> None:
        run("--against", "staging")
        assert heard == []
        library.books.update_one({"_id": 1}, {"$set": {"isbn": 1}})
        run("--against", "staging")
        ((sender, using, comparison),) = heard
        assert (sender, using) == (Comparison, "default")
        assert [one.subject for one in comparison.differences()] == ["isbn"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--check"], "--check requires --baseline, --against or --against-models."),
        (["--accept", "x"], "--accept requires --baseline, --against or --against-models."),
        (["--tolerance", "1"], "--tolerance requires --baseline, --against or --against-models."),
        (
            ["--format", "accepted"],
            "--format accepted requires --baseline, --against or --against-models.",
        ),
        (["--against-models", "--fail-on", "new"], "--fail-on requires --check."),
        (
            ["--against-models", "--format", "models"],
            "--format models cannot show a comparison; choose one of report, json, html, accepted.",
        ),
        (
            ["--against-models", "--tolerance", "101"],
            "--tolerance must be from 0 to 100 points, not 101.",
        ),
        (
            ["--against-models", "--tolerance", "nan"],
            "--tolerance must be from 0 to 100 points, not nan.",
        ),
        (
            ["--against", "default"],
            "--against and --database name the same connection 'default'.",
        ),
        (
            ["--against-models", "--accept", "/nowhere/at/all"],
            "Cannot read the accepted differences '/nowhere/at/all': No such file or directory.",
        ),
        (
            ["--against-models", "--baseline", "x"],
            "argument --baseline: not allowed with argument --against-models",
        ),
    ],
)
def test_arguments_that_make_no_sense(library: Mongo, arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"CommandError: {sentence}")


def test_an_unknown_connection(library: Mongo) -> None:
    result = run("--against", "stagin")
    assert (result.code, result.stdout) == (2, "")
    assert "'stagin'" in result.stderr


def test_a_wrong_line_of_accepted_differences(library: Mongo, tmp_path: Path) -> None:
    file = tmp_path / "accepted.txt"
    file.write_text("# known\n+ fields books\n")
    result = run("--against-models", "--accept", str(file))
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith(
        f"CommandError: Cannot use {str(file)!r}. Line 2: its second word must be one of "
    )


@pytest.mark.versions
def test_on_every_version_of_the_server(
    matrix_database: Mongo, settings: Any, inspectmongo_on: Callable[..., Any], tmp_path: Path
) -> None:
    """Options, indexes and validators of all kinds are the same when read back."""
    database = matrix_database
    database.create_collection("log", capped=True, size=4096)
    database.create_collection(
        "people",
        collation={"locale": "de"},
        validator={"$jsonSchema": {"properties": {"a": {"bsonType": ["int", "long"]}}}},
    )
    database.people.create_index(
        [("name", "text"), ("bio", "text")], weights={"name": 3}, collation={"locale": "simple"}
    )
    database.people.create_index([("at", 1)], expireAfterSeconds=60)
    database.people.create_index("$**", wildcardProjection={"x": 1})
    database.people.create_index([("place", "2dsphere"), ("a", -1)], sparse=True)
    database.people.create_index(
        "b", unique=True, partialFilterExpression={"b": {"$type": "long"}, "c": {"$gt": 1.5}}
    )
    database.people.insert_many([{"a": n, "b": Int64(n), "tags": ["x"] * n} for n in range(9)])
    database.command("create", "seen", viewOn="people", pipeline=[{"$match": {"a": {"$gt": 1}}}])
    file = tmp_path / "baseline.json"
    command = inspectmongo_on(database)
    assert command("--format", "json", "--values", "--output", str(file)).code == 0
    result = command(
        "--baseline", str(file), "--values", "--check", "--fail-on", "moved", "-v", "0"
    )
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.endswith("No differences in 3 collections.\n")
    database.people.drop_index("at_1")
    assert command("--baseline", str(file), "--check").code == 1
