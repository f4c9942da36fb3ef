"""``specimens``: a validator that is younger than some of the documents, and many kinds of
indexes."""

from __future__ import annotations

from typing import Any

from bson import DBRef
from pymongo import ASCENDING, HASHED, IndexModel
from pymongo.collation import Collation
from pymongo.database import Database

from demo_project.archive import words
from demo_project.archive.seeding.batches import insert
from demo_project.archive.seeding.keys import key
from demo_project.archive.seeding.oddities.oddity import Oddity
from demo_project.archive.seeding.sizes import Size

COLLECTION = "specimens"
SCHEMA = {
    "bsonType": "object",
    "required": ["name", "grams"],
    "properties": {
        "name": {"bsonType": "string", "minLength": 1},
        "grams": {"bsonType": ["int", "double"], "minimum": 0},
    },
}

ODDITIES = (
    Oddity(
        collection=COLLECTION,
        says="three documents are older than the validator, which would refuse them",
        warning="validator-violations",
    ),
    Oddity(
        collection=COLLECTION,
        says="collector is a DBRef to archive_person",
        field="collector",
    ),
    Oddity(collection=COLLECTION, says="a partial unique index", index="label_unique_when_present"),
    Oddity(
        collection=COLLECTION, says="an index with a German collation", index="name_by_dictionary"
    ),
    Oddity(collection=COLLECTION, says="a hidden index", index="grams_hidden"),
    Oddity(collection=COLLECTION, says="a hashed index", index="kind_hashed"),
    Oddity(collection=COLLECTION, says="a wildcard index", index="remarks_wildcard"),
)


def seed(database: Database[Any], size: Size) -> dict[str, int]:
    database.drop_collection(COLLECTION)
    specimens = database.create_collection(
        COLLECTION,
        validator={"$jsonSchema": SCHEMA},
        validationLevel="moderate",
        validationAction="error",
    )
    specimens.create_indexes(_indexes())
    count = size.cards // 2
    insert(specimens, (_specimen(number, size) for number in range(count)))
    return {COLLECTION: count}


def _indexes() -> list[IndexModel]:
    return [
        IndexModel(
            [("label", ASCENDING)],
            name="label_unique_when_present",
            unique=True,
            partialFilterExpression={"label": {"$type": "string"}},
        ),
        IndexModel(
            [("name", ASCENDING)],
            name="name_by_dictionary",
            collation=Collation("de", strength=2),
        ),
        IndexModel([("grams", ASCENDING)], name="grams_hidden", hidden=True),
        IndexModel([("kind", HASHED)], name="kind_hashed"),
        IndexModel([("remarks.$**", ASCENDING)], name="remarks_wildcard"),
    ]


def _specimen(number: int, size: Size) -> dict[str, Any]:
    specimen: dict[str, Any] = {
        "_id": key("SPEC", number),
        "name": words.SUBJECTS[number % len(words.SUBJECTS)],
        "kind": words.TAGS[number % len(words.TAGS)],
        "grams": number % 50 + 0.5,
        "label": f"S{number:05}",
        "collector": DBRef("archive_person", key("PERS", number % size.people)),
        "remarks": {"condition": "good" if number % 3 else "fragile"},
    }
    match number:
        case 3:
            specimen["grams"] = "about 40"
        case 11:
            specimen["grams"] = -1
        case 19:
            del specimen["name"]
    return specimen
