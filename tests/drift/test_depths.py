"""Samples against proofs, on a real server: what chance allows and what is certain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.commands.conftest import Result, Run

Mongo = Database[dict[str, Any]]

DOCUMENTS = 2_000
SAMPLE = ("--sample", "100")
CHECK = ("--check", "--fail-on", "moved", "-v", "0")


@pytest.fixture
def things(database: Mongo) -> Any:
    """One of them has an additional field, and one a different type."""
    things = database.things
    things.insert_many([{"_id": n, "size": n} for n in range(DOCUMENTS)])
    things.update_one({"_id": 1}, {"$set": {"rare": 1}})
    things.update_one({"_id": 2}, {"$set": {"size": "large"}})
    return things


@pytest.fixture
def since(inspectmongo: Run, tmp_path: Path) -> Callable[..., Result]:
    """``since("complete", "sample")``: what the second says against the first."""
    file = tmp_path / "baseline.json"

    def compare(before: str, after: str, change: Callable[[], object] | None = None) -> Result:
        keep = ("--format", "json", "--output", str(file), "--depth", before, *SAMPLE)
        assert inspectmongo(*keep).code == 0
        if change is not None:
            change()
        return inspectmongo("--baseline", str(file), "--depth", after, *SAMPLE, *CHECK)

    return compare


DEPTHS = ["sample", "complete", "exact"]


@pytest.mark.parametrize("before", DEPTHS[1:])
@pytest.mark.parametrize("after", DEPTHS)
def test_what_is_rare_and_was_missed_is_no_finding(
    things: Any, since: Callable[..., Result], before: str, after: str
) -> None:
    """A sample that misses a rare field, or has it by chance, does not prove that anything
    changed."""
    result = since(before, after)
    assert (result.code, result.stderr) == (0, "")


@pytest.mark.parametrize("after", DEPTHS[1:])
@pytest.mark.parametrize("before", DEPTHS[1:])
def test_a_single_new_document_is_found_by_a_proof(
    things: Any, since: Callable[..., Result], before: str, after: str
) -> None:
    def change() -> None:
        things.update_one({"_id": 3}, {"$set": {"isbn": "x", "size": 1.5}})

    result = since(before, after, change)
    assert result.code == 1
    found = [line.strip() for line in result.stdout.splitlines() if line.startswith("  ")]
    assert [line.split(":")[0] for line in found] == ["+ size", "+ isbn"]
    assert found[0].startswith("+ size: type double: ")
    assert found[1].startswith("+ isbn: string, in ")


@pytest.mark.parametrize("before", DEPTHS)
@pytest.mark.parametrize("after", DEPTHS)
def test_what_changed_in_half_of_the_documents_is_found_at_any_depth(
    things: Any, since: Callable[..., Result], before: str, after: str
) -> None:
    def change() -> None:
        things.update_many({"_id": {"$gte": DOCUMENTS // 2}}, {"$unset": {"size": 1}})

    result = since(before, after, change)
    assert result.code == 1
    assert "  ~ size: in all documents → in " in result.stdout


def test_a_map_of_many_keys_is_one_field(database: Mongo, since: Callable[..., Result]) -> None:
    days = [f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]
    things = database.things
    things.insert_many([{"by": dict.fromkeys(days, 1)} for _ in range(3)])

    def change() -> None:
        things.update_many({}, {"$set": {"by.2027-01-01": "x"}})

    result = since("exact", "exact", change)
    found = [line.strip() for line in result.stdout.splitlines() if line.startswith("  ")]
    assert found == ["+ by.<key>: type string: int → int 99.7 %, string 0.3 %"]
