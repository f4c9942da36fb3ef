"""Comparing, building and counting, compared with the bare commands to the server.

A check reads the catalog of the models' collections and compares it; its peers are
``listCollections`` and a loop of ``listIndexes``. The peer of index builds is one
``createIndexes``, that of counts of violators one ``$nor``. The comparison alone is measured in CPU
seconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import apply
from djongo_services.schema.diff import diff
from djongo_services.schema.spec import CollectionSpec, IndexSpec
from djongo_services.schema.violators import count_violators

MODELS = 1_000
DOCUMENTS = 1_000_000
LARGE_REPEATS = 5
"""The most repeats of work that takes seconds."""

Document = dict[str, Any]
Measured = Mapping[str, float]
Row = dict[str, Any]


def run(uri: str, repeats: int) -> list[Row]:
    with MongoClient[Document](uri) as client:
        database = client["benchmark_schema"]
        client.drop_database(database)
        try:
            rows = _many_models(database, repeats)
            client.drop_database(database)
            _fill(database)
            few = min(repeats, LARGE_REPEATS)
            return [*rows, _builds(database, few), _violators(database, few)]
        finally:
            client.drop_database(database)


def _many_models(database: Database[Document], repeats: int) -> list[Row]:
    specs = tuple(_model(number) for number in range(MODELS))
    apply(database, diff(_catalog(database), specs))
    catalog = _catalog(database)
    assert diff(catalog, specs).in_sync

    def bare() -> object:
        names = [entry["name"] for entry in database.list_collections()]
        return [list(database[name].list_indexes()) for name in names]

    wall = _interleaved(
        {"ours": lambda: diff(_catalog(database), specs), "bare": bare}, repeats, time.perf_counter
    )
    cpu = _interleaved({"diff": lambda: diff(catalog, specs)}, repeats, time.process_time)
    name = f"check of {MODELS:,} models in sync"
    peer = "listCollections and listIndexes"
    return [
        _compared(name, wall, "bare", peer, target=2.5),
        {
            "name": f"diff of {MODELS:,} models, CPU",
            "ours": cpu["diff"] * 1000,
            "peer_name": None,
            "peer": None,
            "unit": "ms",
            "ratio": None,
            "target": "at most 300 ms",
            "reached": cpu["diff"] <= 0.3,
        },
    ]


def _catalog(database: Database[Document]) -> Any:
    return read_catalog(database, statistics=False, usage=False, multikey=False)


def _model(number: int) -> CollectionSpec:
    """Ten fields with a validator, and three indexes: plain, unique as the backend creates it,
    TTL."""
    fields = {f"field_{n}": {"bsonType": ["string", "null"], "maxLength": 100} for n in range(8)}
    properties = {
        "_id": {"bsonType": "objectId"},
        "kind": {"enum": ["a", "b", "c"]},
        "at": {"bsonType": ["date", "null"]},
        **fields,
    }
    schema = {"bsonType": "object", "required": ["kind"], "properties": properties}
    partial = {"partialFilterExpression": {"field_0": {"$type": "string"}}}
    return CollectionSpec(
        name=f"collection_{number:04d}",
        models=(f"app.Model{number}",),
        validator={"$jsonSchema": schema},
        indexes=(
            IndexSpec(name="kind_at", keys=(("kind", 1), ("at", -1))),
            IndexSpec(name="uniq", keys=(("field_0", 1),), options={"unique": True, **partial}),
            IndexSpec(name="ttl", keys=(("at", 1),), options={"expireAfterSeconds": 86400 * 365}),
        ),
    )


SCHEMA: Document = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": ["kind", "number"],
        "properties": {
            "kind": {"enum": ["a", "b", "c"]},
            "number": {"bsonType": ["int", "long"], "minimum": 0},
            "word": {"bsonType": "string", "maxLength": 100, "pattern": "^[a-z]+"},
            "price": {"bsonType": ["int", "long", "double", "decimal", "null"]},
        },
    }
}
"""One document in a thousand violates it."""

INDEXES = (
    IndexSpec(name="kind_number", keys=(("kind", 1), ("number", -1))),
    IndexSpec(name="word", keys=(("word", 1),)),
    IndexSpec(name="price", keys=(("price", 1),), options={"sparse": True}),
    IndexSpec(name="number", keys=(("number", 1),)),
)


def _fill(database: Database[Document]) -> None:
    size = 10_000
    for start in range(0, DOCUMENTS, size):
        database.things.insert_many(
            {
                "kind": "abc"[number % 3] if number % 1000 else "violates",
                "number": number * 7919 % DOCUMENTS,
                "word": f"word {number * 104729 % DOCUMENTS}",
                "price": number / 100,
                "text": "x" * 100,
            }
            for number in range(start, start + size)
        )


def _builds(database: Database[Document], repeats: int) -> Row:
    spec = CollectionSpec(name="things", models=("app.Thing",), indexes=INDEXES)
    by_hand = [{"key": dict(one.keys), "name": one.name, **one.options} for one in INDEXES]

    def ours() -> None:
        apply(database, diff(read_catalog(database), (spec,)))

    def bare() -> None:
        database.command("createIndexes", "things", indexes=by_hand)

    measured = _interleaved(
        {"ours": ours, "bare": bare}, repeats, time.perf_counter, database.things.drop_indexes
    )
    name = f"4 indexes on {DOCUMENTS:,} documents"
    return _compared(name, measured, "bare", "createIndexes", target=1.1)


def _violators(database: Database[Document], repeats: int) -> Row:
    things = database.things

    def bare() -> int:
        return things.count_documents({"$nor": [SCHEMA]})

    measured = _interleaved(
        {"ours": lambda: count_violators(things, SCHEMA), "bare": bare}, repeats, time.perf_counter
    )
    name = f"count of violators among {DOCUMENTS:,} documents"
    return _compared(name, measured, "bare", "$nor count", target=1.2)


def _interleaved(
    contestants: Mapping[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float],
    prepare: Callable[[], object] = lambda: None,
) -> Measured:
    """Medians in seconds; a first round is not counted, and each round reverses the order."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for number in range(repeats + 1):
        order.reverse()
        for name in order:
            prepare()
            started = clock()
            contestants[name]()
            if number:
                taken[name].append(clock() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _compared(name: str, seconds: Measured, peer: str, peer_name: str, *, target: float) -> Row:
    ratio = seconds["ours"] / seconds[peer]
    return {
        "name": name,
        "ours": seconds["ours"] * 1000,
        "peer_name": peer_name,
        "peer": seconds[peer] * 1000,
        "unit": "ms",
        "ratio": ratio,
        "target": f"at most {target:g}",
        "reached": ratio <= target,
    }
