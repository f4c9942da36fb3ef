"""Indexes that were created by hand on the collections of models."""

from __future__ import annotations

from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

from demo_project.archive.seeding.oddities.oddity import Oddity
from demo_project.archive.seeding.sizes import Size

ODDITIES = (
    Oddity(
        collection="archive_note",
        says="an index by hand, author_recorded_by_hand, which begins as Django's on author",
        index="author_recorded_by_hand",
    ),
    Oddity(
        collection="archive_note",
        says="an index by hand, keywords_by_hand, on a path that no note has",
        warning="index-without-data",
        path="keywords_by_hand",
    ),
    Oddity(
        collection="archive_note",
        says="visits_per_day is a map: its keys are days",
        field="visits_per_day.<key>",
    ),
    Oddity(collection="archive_note", says="a text index", index="note_text"),
    Oddity(collection="archive_place", says="a 2dsphere index", index="place_location"),
    Oddity(collection="archive_search", says="a TTL index", index="search_expires"),
)


def seed(database: Database[Any], size: Size) -> dict[str, int]:
    # Creating an index that already exists does nothing.
    database["archive_note"].create_indexes(
        [
            IndexModel(
                [("author_id", ASCENDING), ("recorded_at", DESCENDING)],
                name="author_recorded_by_hand",
            ),
            IndexModel([("keywords", ASCENDING)], name="keywords_by_hand"),
        ]
    )
    return {}
