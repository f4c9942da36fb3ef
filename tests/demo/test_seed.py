"""``seed_demo``: the same content every time, nothing doubled, nothing of others touched."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from bson import ObjectId
from pymongo import ASCENDING

from demo_project.archive.seeding.drift import DRIFT
from demo_project.archive.seeding.garbage import GARBAGE
from demo_project.archive.seeding.keys import all_of, key
from demo_project.archive.seeding.oddities import ODDITIES
from demo_project.archive.seeding.sizes import SIZES
from tests.demo.conftest import Demo

SEEDED = {
    "archive_person",
    "archive_place",
    "archive_note",
    "archive_medium",
    "archive_loan",
    "archive_search",
    "legacy_cards",
    "specimens",
    "Cabinet 7 (old labels)",
    "audit_trail",
    "published_notes",
}


def contents(demo: Demo) -> dict[str, list[dict[str, Any]]]:
    """Without the one date that follows the calendar."""
    return {
        name: list(demo.database[name].find({}, {"searched_at": 0}).sort("_id", ASCENDING))
        for name in SEEDED
    }


def test_a_second_run_makes_the_same_content_and_keeps_what_others_added(demo: Demo) -> None:
    before = contents(demo)
    added = demo.database.archive_place.insert_one({"name": "By hand", "slug": "by-hand"})
    try:
        done = demo.manage("seed_demo")
        assert done.stdout.startswith("Seeded 632 documents in 12 collections in ")
        assert demo.database.archive_place.count_documents({"slug": "by-hand"}) == 1
    finally:
        demo.database.archive_place.delete_one({"_id": added.inserted_id})
    assert contents(demo) == before


def test_counts_follow_the_size(demo: Demo) -> None:
    size = SIZES["small"]
    found = {name: demo.database[name].count_documents({}) for name in SEEDED}
    assert found["archive_person"] == size.people
    assert found["archive_note"] == size.notes
    assert found["archive_loan"] == size.loans
    assert found["legacy_cards"] == size.cards
    assert 0 < found["published_notes"] < size.notes


def test_references_of_the_models_point_to_documents_but_for_two(demo: Demo) -> None:
    dangling = {}
    for source, field, target in (
        ("archive_note", "author_id", "archive_person"),
        ("archive_note", "place_id", "archive_place"),
        ("archive_medium", "note_id", "archive_note"),
        ("archive_loan", "medium_id", "archive_medium"),
        ("archive_loan", "borrower_id", "archive_person"),
    ):
        keys = {found for found in demo.database[source].distinct(field) if found is not None}
        assert keys
        found = demo.database[target].count_documents({"_id": {"$in": [*keys]}})
        dangling[f"{source}.{field}"] = len(keys) - found
    assert {path: count for path, count in dangling.items() if count} == {
        "archive_note.place_id": 2
    }


def test_searches_are_recent_enough_to_stay(demo: Demo) -> None:
    oldest = demo.database.archive_search.find_one(sort=[("searched_at", ASCENDING)])
    assert oldest is not None
    assert dt.datetime.now(dt.UTC) - oldest["searched_at"] < dt.timedelta(days=61)


def test_a_missing_server_is_one_sentence(demo: Demo) -> None:
    done = demo.manage("seed_demo", MONGODB_URI="mongodb://127.0.0.1:1/")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: The MongoDB server of the connection 'default'")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_oddities_are_listed(demo: Demo) -> None:
    lines = demo.manage("seed_demo", "--list-oddities").stdout.splitlines()
    assert lines == [str(found) for found in (*ODDITIES, *DRIFT, *GARBAGE)]


def test_keys_are_stable_and_of_one_range() -> None:
    assert key("NOTE", 0) == ObjectId("659200804e4f544500000000")
    bounds = all_of("NOTE")["_id"]
    assert bounds["$gte"] <= key("NOTE", 199_999) <= bounds["$lte"]
    assert not bounds["$gte"] <= key("PERS", 1) <= bounds["$lte"]


@pytest.mark.parametrize(("name", "least", "most"), [("medium", 15e3, 25e3), ("large", 4e5, 6e5)])
def test_sizes_are_what_they_say(name: str, least: float, most: float) -> None:
    size = SIZES[name]
    total = size.people + size.places + size.notes + size.media + size.loans + size.searches
    assert least <= total + size.cards + size.readings <= most
