"""The inspection of a database with 4,000 small collections, compared with merely reading their
documents.

Each has twenty documents, an index and references to the next one; the work depends on the number
of collections, not of documents. The baseline is one loop of ``find()`` and ``list_indexes()`` over
all of them. The machine's load is reported, because on a busy machine the ratios say more than the
seconds.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database

from djongo_services.introspection import inspect_database, read_catalog
from djongo_services.introspection.rendering.text import render_text

COLLECTIONS = 4_000
DOCUMENTS = 20
TARGET = 60.0
"""In seconds."""

Row = dict[str, Any]


def run(uri: str, repeats: int) -> list[Row]:
    with MongoClient[dict[str, Any]](uri) as client:
        database = client["benchmark_inspection"]
        client.drop_database(database)
        names = _fill(database)
        try:
            seconds = _interleaved(_contestants(database, names), repeats)
        finally:
            client.drop_database(database)
    print(f"Load after the inspections: {', '.join(f'{each:.1f}' for each in os.getloadavg())}")
    return _rows(seconds)


def _fill(database: Database[dict[str, Any]]) -> list[str]:
    chance = random.Random(1)
    ids = [[ObjectId() for _ in range(DOCUMENTS)] for _ in range(COLLECTIONS)]
    names = [f"collection_{number:04d}" for number in range(COLLECTIONS)]

    def fill(number: int) -> None:
        database[names[number]].insert_many(_documents(ids, number, chance))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(COLLECTIONS)))
    return names


def _documents(
    ids: list[list[ObjectId]], number: int, chance: random.Random
) -> Iterator[dict[str, Any]]:
    others = ids[(number * 7 + 1) % COLLECTIONS]
    for position, own in enumerate(ids[number]):
        yield {
            "_id": own,
            "name": f"name {position}",
            "number": position,
            "owner_id": chance.choice(others),
            "address": {"city": "Vienna", "zip": str(1000 + position)},
            "tags": ["a", "b"],
        }


def _contestants(
    database: Database[dict[str, Any]], names: list[str]
) -> dict[str, Callable[[], object]]:
    def bare() -> list[Any]:
        return [
            (list(database[name].find()), list(database[name].list_indexes())) for name in names
        ]

    return {
        "bare": bare,
        "catalog": lambda: read_catalog(database),
        "inspection": lambda: inspect_database(database),
        "report": lambda: render_text(inspect_database(database)),
    }


def _interleaved(contestants: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Medians in seconds."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            contestant()
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _rows(seconds: Mapping[str, float]) -> list[Row]:
    named = {
        "catalog": "catalog of 4,000 small collections",
        "inspection": "inspection of 4,000 small collections",
        "report": "the same, and its report as text",
    }
    return [
        {
            "name": name,
            "ours": seconds[which],
            "peer_name": "loop of find() and list_indexes()",
            "peer": seconds["bare"],
            "unit": "s",
            "ratio": seconds[which] / seconds["bare"],
            "target": f"at most {TARGET:g} s" if which == "inspection" else None,
            "reached": seconds[which] <= TARGET if which == "inspection" else None,
        }
        for which, name in named.items()
    ]
