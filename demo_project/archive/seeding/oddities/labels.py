"""A collection whose name, keys and ids are hard to write in Python."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from demo_project.archive.seeding.batches import insert
from demo_project.archive.seeding.oddities.oddity import Oddity
from demo_project.archive.seeding.sizes import Size

COLLECTION = "Cabinet 7 (old labels)"

ODDITIES = (
    Oddity(collection=COLLECTION, says="a field with spaces", field="display name"),
    Oddity(collection=COLLECTION, says="a field with a dot", field=r"no\. of items"),
    Oddity(collection=COLLECTION, says="a field that begins with a dollar", field="$price"),
    Oddity(collection=COLLECTION, says="a field that is a Python keyword", field="class"),
    Oddity(collection=COLLECTION, says="a field outside of ASCII", field="größe"),
    Oddity(collection=COLLECTION, says="a field that looks like code", field='x"); import os #'),
    Oddity(collection=COLLECTION, says="a field that holds secrets", field="api key"),
)


def seed(database: Database[Any], size: Size) -> dict[str, int]:
    database.drop_collection(COLLECTION)
    count = size.cards // 4
    insert(database[COLLECTION], (_label(number) for number in range(count)))
    return {COLLECTION: count}


def _label(number: int) -> dict[str, Any]:
    return {
        "_id": f"label {number:04}",
        "display name": f"Drawer {number % 12}",
        "no. of items": number % 7,
        "$price": number / 4,
        "class": "abc"[number % 3],
        "größe": number % 5 + 1,
        'x"); import os #': "<script>alert(1)</script>",
        "api key": f"key-of-drawer-{number % 12}",
    }
