"""A database that has drifted from its models in every way that a plan can mend."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from djongo_services.schema.spec import CollectionSpec, IndexSpec

SPECS = (
    CollectionSpec(
        name="notes",
        models=("app.Note",),
        validator={"$jsonSchema": {"required": ["n"], "properties": {"n": {"bsonType": "int"}}}},
        indexes=(
            IndexSpec(name="n_renamed", keys=(("n", 1),)),
            IndexSpec(name="text_search", keys=(("text", "text"),)),
            IndexSpec(name="kind_sparse", keys=(("kind", 1),), options={"sparse": True}),
            IndexSpec(name="at_ttl", keys=(("at", 1),), options={"expireAfterSeconds": 7200}),
            IndexSpec(name="code_uniq", keys=(("code", 1),), options={"unique": True}),
            IndexSpec(name="fresh", keys=(("fresh", -1),)),
        ),
    ),
    CollectionSpec(
        name="people",
        models=("app.Person",),
        indexes=(IndexSpec(name="name_idx", keys=(("name", 1),)),),
    ),
)

WANTED = {
    "notes": {"_id_", "n_renamed", "text_search", "kind_sparse", "at_ttl", "code_uniq", "fresh"},
    "people": {"_id_", "name_idx"},
}


def drift(database: Database[Any]) -> None:
    notes = database.notes
    notes.insert_many([{"n": n, "code": n, "text": "word", "kind": "a"} for n in range(200)])
    notes.create_index([("n", 1)], name="n_old")
    notes.create_index([("title", "text")], name="text_search")
    notes.create_index([("kind", 1)], name="kind_sparse")
    notes.create_index([("at", 1)], name="at_ttl", expireAfterSeconds=3600)
    notes.create_index([("code", 1)], name="code_uniq")


def indexes_of(database: Database[Any]) -> dict[str, set[str]]:
    return {name: set(database[name].index_information()) for name in WANTED}
