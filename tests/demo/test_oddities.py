"""Everything that the seed lists as odd is odd on the server."""

from __future__ import annotations

from typing import Any

import pytest

from demo_project.archive.seeding.drift import DRIFT
from demo_project.archive.seeding.oddities import ODDITIES, Oddity
from demo_project.archive.seeding.oddities.cards import LONGEST
from tests.demo.conftest import ROOT, Demo


def types(demo: Demo, collection: str, path: str) -> set[str]:
    pipeline = [{"$group": {"_id": {"$type": f"${path}"}}}]
    return {found["_id"] for found in demo.database[collection].aggregate(pipeline)}


def index(demo: Demo, collection: str, name: str) -> dict[str, Any]:
    return demo.database[collection].index_information()[name]


@pytest.mark.parametrize("oddity", [found for found in ODDITIES if found.index], ids=str)
def test_index_is_there(demo: Demo, oddity: Oddity) -> None:
    assert oddity.index in demo.database[oddity.collection].index_information()


def test_every_oddity_names_a_collection_and_something_to_see(demo: Demo) -> None:
    names = set(demo.database.list_collection_names())
    for oddity in ODDITIES:
        assert oddity.collection in names
        shown = (oddity.warning, oddity.field, oddity.index, oddity.option, oddity.type)
        assert any(shown), oddity


def test_cards_have_mixed_and_texted_values(demo: Demo) -> None:
    assert types(demo, "legacy_cards", "shelf") == {"int", "string"}
    assert types(demo, "legacy_cards", "accession") == {"string", "missing"}
    assert types(demo, "legacy_cards", "weight") == types(demo, "legacy_cards", "received")
    assert demo.database.legacy_cards.count_documents({"accession": None}) == 1
    assert demo.database.legacy_cards.count_documents({"acession": {"$exists": True}}) == 1
    assert demo.database.legacy_cards.count_documents({f"handled_by.{LONGEST - 1}": {"$ne": None}})
    assert demo.database.legacy_cards.count_documents({"provenance" + ".before" * 12: {}}) == 0
    assert demo.database.legacy_cards.count_documents(
        {"provenance" + ".before" * 12 + ".owner": {"$exists": True}}
    )


def test_some_references_of_the_cards_dangle(demo: Demo) -> None:
    keys = demo.database.legacy_cards.distinct("note")
    found = demo.database.archive_note.count_documents({"_id": {"$in": keys}})
    assert len(keys) - found == 4
    keys = demo.database.legacy_cards.distinct("place")
    assert demo.database.archive_place.count_documents({"_id": {"$in": keys}}) == len(keys)


def test_the_validator_would_refuse_three_specimens(demo: Demo) -> None:
    (options,) = (
        found["options"] for found in demo.database.list_collections(filter={"name": "specimens"})
    )
    assert options["validationAction"] == "error"
    assert demo.database.specimens.count_documents({"$nor": [options["validator"]]}) == 3


def test_kinds_of_collections(demo: Demo) -> None:
    found = {each["name"]: each for each in demo.database.list_collections()}
    assert found["published_notes"]["type"] == "view"
    assert found["weather_readings"]["type"] == "timeseries"
    assert found["audit_trail"]["options"]["capped"]


def test_indexes_that_migrations_make(demo: Demo) -> None:
    assert index(demo, "archive_note", "note_text")["weights"] == {"title": 5, "body": 1}
    assert index(demo, "archive_place", "place_location")["key"] == [("location", "2dsphere")]


def test_days_are_keys_of_a_map(demo: Demo) -> None:
    note = demo.database.archive_note.find_one({"visits_per_day": {"$ne": {}}})
    assert note is not None
    assert all(len(day) == 10 and day[4] == "-" for day in note["visits_per_day"])


def test_labels_have_hard_names(demo: Demo) -> None:
    label = demo.database["Cabinet 7 (old labels)"].find_one()
    assert label is not None
    assert [*label] == [
        *("_id", "display name", "no. of items", "$price", "class", "größe"),
        'x"); import os #',
        "api key",
    ]


def test_the_readme_lists_them() -> None:
    text = " ".join((ROOT / "demo_project" / "README.md").read_text("utf-8").split())
    says = [*(one.says for one in ODDITIES), *(one.says for one in DRIFT)]
    assert [one for one in says if one not in text] == []
