"""``inspectmongo --baseline``: what changed since a report was kept, on real servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.commands.conftest import Result, Run
from tests.introspection.render_example import HOSTILE

Mongo = Database[dict[str, Any]]
Since = Callable[..., Result]


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    return tmp_path / "baseline.json"


@pytest.fixture
def keep(inspectmongo: Run, baseline: Path) -> Callable[..., None]:
    """Keep a report of the database as it is."""

    def write(*arguments: str) -> None:
        result = inspectmongo("--format", "json", "--output", str(baseline), *arguments)
        assert result.code == 0

    return write


@pytest.fixture
def since(inspectmongo: Run, baseline: Path) -> Since:
    """The changes since the baseline."""

    def run(*arguments: str) -> Result:
        return inspectmongo("--baseline", str(baseline), "-v", "0", *arguments)

    return run


def changes(result: Result) -> list[str]:
    """The lines of differences and doubts, and the summary."""
    assert result.code == 0, result.stderr
    lines = result.stdout.splitlines()
    return [line.strip() for line in lines if line.startswith("  ")] + [lines[-1]]


def test_nothing_changed(database: Mongo, keep: Any, since: Since) -> None:
    database.books.insert_many([{"title": f"Book {number}"} for number in range(50)])
    keep()
    assert changes(since()) == ["No differences in 1 collection."]


def test_every_kind_of_difference(database: Mongo, keep: Any, since: Since) -> None:
    books = database.books
    books.insert_many(
        [
            {"_id": n, "title": f"Book {n}", "price": n + (n % 2) / 2, "tags": ["a"], "old": 1}
            for n in range(100)
        ]
    )
    database.gone.insert_one({"a": 1})
    books.create_index("title")
    books.create_index("price")
    keep()
    database.gone.drop()
    database.came.insert_one({"x": 1})
    books.update_many({}, {"$unset": {"old": 1}})
    books.update_one({"_id": 1}, {"$set": {"title": 7, "isbn": {"a": 1, "b": 2}}})
    books.update_many({"_id": {"$gte": 50}}, {"$set": {"tags": ["a"] * 20, "price": 1.5}})
    books.drop_indexes()
    books.create_index("price", expireAfterSeconds=5)
    books.create_index("isbn", unique=True, sparse=True)
    database.command("collMod", "books", validator={"title": {"$exists": True}})
    assert changes(since()) == [
        "+ title: type int: string → string 99 %, int 1 %",
        "~ tags: 1 element → 1 to 20 elements, 10.5 on average  (moved)",
        "+ isbn: object with 2 fields inside, in 1 % of documents",
        "- old: was int, in all documents",
        "~ index price_1 expireAfterSeconds: none → 5",
        "+ index isbn_1: isbn ↑, unique, sparse",
        "- index title_1: was title ↑",
        "+ validator: strict, error",
        "+ collection: collection of 1 document, 2 fields",
        "- collection: was collection of 1 document, 2 fields",
        "9 differences are new, 1 moved.",
    ]


def test_only_what_was_chosen_is_compared(database: Mongo, keep: Any, since: Since) -> None:
    for name in ("books", "people", "tmp_1"):
        database[name].insert_one({"a": 1})
    keep()
    database.books.update_one({}, {"$set": {"b": 1}})
    database.people.update_one({}, {"$set": {"b": 1}})
    database.tmp_1.drop()
    database.tmp_2.insert_one({})
    assert changes(since("books")) == [
        "+ b: int, in all documents",
        "1 difference is new.",
    ]
    assert len(changes(since("--exclude", "tmp_*"))) == 3


def test_what_this_app_keeps_is_not_compared(database: Mongo, keep: Any, since: Since) -> None:
    database.books.insert_one({"a": 1})
    database.djongo_services_runs.insert_one({"a": 1})
    keep()
    database.djongo_services_runs.drop()
    database.djongo_services_profiles.insert_one({"a": 1})
    assert changes(since()) == ["No differences in 1 collection."]
    assert changes(since("djongo_services_runs"))[-1] == "1 difference is new."


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_data(database: Mongo, keep: Any, since: Since, name: str) -> None:
    database.things.insert_one({"a": 1})
    keep()
    database.things.update_one({}, {"$set": {"a": {name: 1}}})
    stdout = since().stdout
    assert "\x1b" not in stdout
    assert "\u202e" not in stdout
    assert changes(since())[-1] == "2 differences are new."


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "Cannot read the baseline {path!r}: No such file or directory."),
        ("", "Cannot use the baseline {path!r}. It is empty; create it again with inspectmongo "),
        ('{"a": 1', "Cannot use the baseline {path!r}. It is truncated at line 1; create it "),
    ],
)
def test_a_baseline_that_is_none(
    inspectmongo: Run, baseline: Path, content: str | None, sentence: str
) -> None:
    if content is not None:
        baseline.write_text(content)
    result = inspectmongo("--baseline", str(baseline))
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("CommandError: " + sentence.format(path=str(baseline)))
    assert result.stderr.count("\n") == 1
