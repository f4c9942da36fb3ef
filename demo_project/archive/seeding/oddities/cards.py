"""``legacy_cards``: a card index, imported from a spreadsheet long ago, that no model describes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from demo_project.archive import words
from demo_project.archive.seeding.batches import insert
from demo_project.archive.seeding.keys import key
from demo_project.archive.seeding.oddities.oddity import Oddity
from demo_project.archive.seeding.sizes import Size

COLLECTION = "legacy_cards"
LONGEST = 2_500
"""Elements of the few arrays that were appended to for years."""
DEEPEST = 12

ODDITIES = (
    Oddity(
        collection=COLLECTION,
        says="shelf is a number on most cards and a text such as 12b on some",
        warning="mixed-types",
        path="shelf",
    ),
    Oddity(
        collection=COLLECTION,
        says="accession is missing on one card of eighty",
        warning="near-missing",
        path="accession",
    ),
    Oddity(
        collection=COLLECTION,
        says="that card spells it acession",
        warning="near-missing",
        path="acession",
    ),
    Oddity(
        collection=COLLECTION,
        says="weight holds numbers as text",
        warning="number-as-string",
        path="weight",
    ),
    Oddity(
        collection=COLLECTION,
        says="received holds dates as text",
        warning="date-as-string",
        path="received",
    ),
    Oddity(
        collection=COLLECTION,
        says=f"handled_by has a few names, and on one card of four hundred {LONGEST:,}",
        warning="unbounded-array",
        path="handled_by",
    ),
    Oddity(
        collection=COLLECTION,
        says=f"provenance nests owner in owner, {DEEPEST} deep",
        warning="deep-nesting",
    ),
    Oddity(
        collection=COLLECTION,
        says="note refers to archive_note, and one reference of twenty dangles",
        warning="dangling-reference",
        path="note",
    ),
    Oddity(
        collection=COLLECTION,
        says="place refers to archive_place without an index",
        warning="reference-without-index",
        path="place",
    ),
    Oddity(
        collection=COLLECTION,
        says="the index shelf_1 is a prefix of shelf_1_title_1",
        warning="redundant-index",
        path="shelf_1",
    ),
    Oddity(
        collection=COLLECTION,
        says="the index old_number_1 is on a path that no card has",
        warning="index-without-data",
        path="old_number_1",
    ),
)


def seed(database: Database[Any], size: Size) -> dict[str, int]:
    database.drop_collection(COLLECTION)
    cards = database[COLLECTION]
    cards.create_indexes(
        [
            IndexModel([("note", ASCENDING)], name="note_1"),
            IndexModel([("shelf", ASCENDING)], name="shelf_1"),
            IndexModel([("shelf", ASCENDING), ("title", ASCENDING)], name="shelf_1_title_1"),
            IndexModel([("old_number", ASCENDING)], name="old_number_1"),
        ]
    )
    insert(cards, (_card(number, size) for number in range(size.cards)))
    return {COLLECTION: size.cards}


def _card(number: int, size: Size) -> dict[str, Any]:
    gone = number % 20 == 13
    card: dict[str, Any] = {
        "_id": number + 1,
        "title": words.SUBJECTS[number % len(words.SUBJECTS)],
        "shelf": f"{number % 30}b" if number % 9 == 4 else number % 30,
        "weight": f"{number * 37 % 900 / 10:.1f}",
        "received": str(dt.date(1931, 5, 4) + dt.timedelta(days=number * 11 % 9_000)),
        "note": key("GONE" if gone else "NOTE", number * 7 % size.notes),
        "place": key("PLAC", number * 3 % size.places),
        "handled_by": _handlers(number),
        "provenance": _owners(DEEPEST if number == 5 else number % 2),
    }
    card["acession" if number % 80 == 17 else "accession"] = f"1931.{number:05}"
    return card


def _handlers(number: int) -> list[str]:
    count = LONGEST if number % 400 == 7 else number % 4
    return [words.GIVEN[(number + at) % len(words.GIVEN)] for at in range(count)]


def _owners(depth: int) -> dict[str, Any]:
    owner: dict[str, Any] = {"owner": words.FAMILY[depth]}
    if depth:
        owner["before"] = _owners(depth - 1)
    return owner
