"""Values that came to those of few, longer texts, and secrets that stay hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.commands.conftest import Run

Mongo = Database[dict[str, Any]]


@pytest.fixture
def loans(database: Mongo) -> Any:
    loans = database.loans
    states = ("lent", "lost")
    loans.insert_many([{"state": states[n % 2], "api_key": f"k{n % 2}"} for n in range(40)])
    return loans


@pytest.fixture
def keep(inspectmongo: Run, tmp_path: Path) -> str:
    return str(tmp_path / "baseline.json")


def changes(inspectmongo: Run, file: str, *arguments: str) -> list[str]:
    result = inspectmongo("--baseline", file, "-v", "0", *arguments)
    assert (result.code, result.stderr) == (0, "")
    return [line.strip() for line in result.stdout.splitlines() if line.startswith("  ")]


def test_values_that_came_and_went(loans: Any, inspectmongo: Run, keep: str) -> None:
    inspectmongo("--format", "json", "--values", "--output", keep)
    loans.update_many({"state": "lost"}, {"$set": {"state": "back"}})
    assert changes(inspectmongo, keep, "--values") == [
        '+ state: value: "back"',
        '- state: value: was "lost"',
    ]


def test_few_values_that_become_many(loans: Any, inspectmongo: Run, keep: str) -> None:
    inspectmongo("--format", "json", "--values", "--output", keep)
    many = [{"state": f"state number {n}", "api_key": "k1"} for n in range(1_500)]
    loans.insert_many(many)
    assert "~ state: value: one of 2 → one of 1,502" in changes(inspectmongo, keep, "--values")


def test_a_longer_text(loans: Any, inspectmongo: Run, keep: str) -> None:
    inspectmongo("--format", "json", "--values", "--output", keep)
    loans.update_one({}, {"$set": {"state": "x" * 100}})
    assert "~ state: up to 4 → up to 100  (moved)" in changes(inspectmongo, keep, "--values")


def test_values_are_not_read_unless_asked_for(loans: Any, inspectmongo: Run, keep: str) -> None:
    inspectmongo("--format", "json", "--values", "--output", keep)
    loans.update_many({}, {"$set": {"state": "back"}})
    assert changes(inspectmongo, keep) == []


@pytest.mark.parametrize("shown_by", ["the baseline", "the command", "neither"])
def test_secrets_stay_hidden(loans: Any, inspectmongo: Run, keep: str, shown_by: str) -> None:
    more = ["--show-secrets"] if shown_by == "the baseline" else []
    inspectmongo("--format", "json", "--values", "--output", keep, *more)
    loans.update_many({}, {"$set": {"api_key": "another"}})
    more = ["--show-secrets"] if shown_by == "the command" else []
    text = inspectmongo("--baseline", keep, "--values", "-v", "0", *more).stdout
    assert "another" not in text
    assert "k1" not in text
