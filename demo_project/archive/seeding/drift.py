"""Deliberate, listed differences between the archive's collections and its models.

``syncmongoschema`` finds and repairs all of them; seeding again brings them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.collection import Collection
from pymongo.database import Database

from demo_project.archive.seeding.keys import all_of, key
from djongo_services.schema.ownership import marked

DAY = 24 * 3600
COLLECTIONS = tuple(
    f"archive_{name}" for name in ("person", "place", "note", "medium", "loan", "search")
)
OLD_VALIDATOR = marked(
    {
        "$jsonSchema": {
            "required": ["filename", "note_id"],
            "properties": {"filename": {"bsonType": "string"}},
        }
    },
    ["archive.Medium"],
)
"""The validator that syncmongoschema wrote for an earlier version of the model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """A difference between the database and the models, and the plan's line about it."""

    collection: str
    says: str
    """What differs, for human readers."""
    sign: str
    """``+``, ``~`` or ``-``."""
    words: str
    """The beginning of the plan's line."""

    def __str__(self) -> str:
        return f"{self.collection}: {self.says}"


DRIFT = (
    Drift(
        collection="archive_person",
        says="no validator; one person is an intern, which is no role",
        sign="+",
        words="validator, moderate and warn; 1 document violates it",
    ),
    Drift(
        collection="archive_person",
        says="the index person_name has the name name_1",
        sign="~",
        words="index person_name {name: 1}: renamed from name_1",
    ),
    Drift(
        collection="archive_place",
        says="no validator; one place has the number 358 for a country, another is 12,000 m high",
        sign="+",
        words="validator, moderate and warn; 2 documents violate it",
    ),
    Drift(
        collection="archive_place",
        says="the index place_country_name is sparse",
        sign="~",
        words="index place_country_name {country: 1, name: 1}: no longer sparse",
    ),
    Drift(
        collection="archive_note",
        says="no validator; in one note the wind is beyond Beaufort's scale",
        sign="+",
        words="validator, moderate and warn; 1 document violates it",
    ),
    Drift(
        collection="archive_note",
        says="the index note_tags is missing",
        sign="+",
        words="index note_tags {tags: 1}",
    ),
    Drift(
        collection="archive_note",
        says="the index note_status_recorded is hidden",
        sign="~",
        words="index note_status_recorded {status: 1, recorded_at: -1}: now visible (was hidden)",
    ),
    Drift(
        collection="archive_note",
        says="no model declares the index author_recorded_by_hand",
        sign="-",
        words="index author_recorded_by_hand {author_id: 1, recorded_at: -1}: no model declares it",
    ),
    Drift(
        collection="archive_note",
        says="no model declares the index keywords_by_hand",
        sign="-",
        words="index keywords_by_hand {keywords: 1}: no model declares it",
    ),
    Drift(
        collection="archive_medium",
        says="an older validator, which asks for a file name only",
        sign="~",
        words="validator changed, now strict and error",
    ),
    Drift(
        collection="archive_medium",
        says="the index medium_note_filename is not unique",
        sign="~",
        words="index medium_note_filename {note_id: 1, filename: 1}: now unique (was not)",
    ),
    Drift(
        collection="archive_loan",
        says="no validator; one loan was returned before it was lent",
        sign="+",
        words="validator, moderate and warn; 1 document violates it",
    ),
    Drift(
        collection="archive_loan",
        says="the index loan_deposit_due takes in loans without a deposit",
        sign="~",
        words="index loan_deposit_due {due_on: 1}: now partial (was not)",
    ),
    Drift(
        collection="archive_search",
        says="no validator",
        sign="+",
        words="validator, strict and warn",
    ),
    Drift(
        collection="archive_search",
        says="the index search_expires keeps searches for a year",
        sign="~",
        words="index search_expires {searched_at: 1}: now expires after 90 days (was 365 days)",
    ),
)

DANGLING = ("archive.Note: place_id → archive_place: 2 documents refer to nothing",)
"""The output of ``--check --references`` about the two notes whose place is gone."""


def seed_drift(database: Database[Any]) -> None:
    """Let the archive drift; it may be freshly migrated, repaired, or already have drifted."""
    for name in COLLECTIONS:
        validator = OLD_VALIDATOR if name == "archive_medium" else {}
        database.command("collMod", name, validator=validator, validationLevel="strict")
    _drift_indexes(database)
    _violate(database)
    for number in (30, 31):
        _set(database.archive_note, key("NOTE", number), {"place_id": key("GONE", number)})


def _drift_indexes(database: Database[Any]) -> None:
    drop, make = _drop, _replace
    make(database.archive_person, "person_name", IndexModel("name", name="name_1"))
    make(database.archive_place, "place_country_name", _sparse())
    drop(database.archive_note, "note_tags")
    make(database.archive_note, "note_status_recorded", _hidden())
    make(database.archive_medium, "medium_note_filename", _not_unique())
    make(database.archive_loan, "loan_deposit_due", IndexModel("due_on", name="loan_deposit_due"))
    make(
        database.archive_search,
        "search_expires",
        IndexModel("searched_at", name="search_expires", expireAfterSeconds=365 * DAY),
    )


def _sparse() -> IndexModel:
    keys = [("country", ASCENDING), ("name", ASCENDING)]
    return IndexModel(keys, name="place_country_name", sparse=True)


def _hidden() -> IndexModel:
    keys = [("status", ASCENDING), ("recorded_at", DESCENDING)]
    return IndexModel(keys, name="note_status_recorded", hidden=True)


def _not_unique() -> IndexModel:
    return IndexModel(
        [("note_id", ASCENDING), ("filename", ASCENDING)],
        name="medium_note_filename",
        partialFilterExpression={"note_id": {"$type": "objectId"}, "filename": {"$type": "string"}},
    )


def _violate(database: Database[Any]) -> None:
    _set(database.archive_person, key("PERS", 5), {"role": "intern"})
    _set(database.archive_place, key("PLAC", 3), {"country": 358})
    _set(database.archive_place, key("PLAC", 11), {"elevation": 12_000})
    windy = database.archive_note.find_one(
        {**all_of("NOTE"), "weather.wind": {"$type": "number"}}, {"_id": 1}, sort=["_id"]
    )
    assert windy is not None
    _set(database.archive_note, windy["_id"], {"weather.wind": 40})
    before = {"$subtract": ["$lent_on", 3 * DAY * 1000]}
    _set(database.archive_loan, key("LOAN", 2), {"returned_on": before})


def _set(collection: Collection[Any], pk: Any, values: Mapping[str, Any]) -> None:
    """Set ``values``, expressions by path, without checks by the validator."""
    collection.update_one({"_id": pk}, [{"$set": dict(values)}], bypass_document_validation=True)


def _replace(collection: Collection[Any], name: str, index: IndexModel) -> None:
    _drop(collection, name)
    collection.create_indexes([index])


def _drop(collection: Collection[Any], name: str) -> None:
    if name in collection.index_information():
        collection.drop_index(name)
