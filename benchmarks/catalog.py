"""The catalog of 500 collections compared with the bare ``list_indexes()`` calls.

The baseline is one loop over ``list_indexes()``. A pool of as many threads as the catalog uses, and
a plain loop that reads as much as the catalog does, are measured as well. Sizes have a separate
row, because the server computes statistics of every collection and index for them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pymongo import IndexModel, MongoClient
from pymongo.database import Database

from djongo_services.introspection import read_catalog
from djongo_services.introspection.reading.catalog_queries import WORKERS

COLLECTIONS = 500
TARGET = 2.0
"""As a multiple of the bare loop's time."""

Measured = Mapping[str, float]


def run(uri: str, repeats: int) -> list[dict[str, Any]]:
    with MongoClient[dict[str, Any]](uri) as client:
        database = client["benchmark_catalog"]
        client.drop_database(database)
        names = _fill(database)
        try:
            seconds = _interleaved(_contestants(database, names), repeats)
        finally:
            client.drop_database(database)
    return _rows(seconds)


def _fill(database: Database[dict[str, Any]]) -> list[str]:
    """Create three indexes in each collection, one of them multikey."""
    names = [f"collection_{number:03d}" for number in range(COLLECTIONS)]
    for name in names:
        database[name].insert_many([{"a": number, "b": [number, 1]} for number in range(5)])
        database[name].create_indexes([IndexModel("a"), IndexModel([("b", 1), ("a", -1)])])
    return names


def _contestants(
    database: Database[dict[str, Any]], names: list[str]
) -> dict[str, Callable[[], object]]:
    def bare(name: str) -> list[Any]:
        return list(database[name].list_indexes())

    def pooled() -> list[Any]:
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(bare, names))

    def indexes_and_usage() -> list[Any]:
        return [(bare(name), _stage(database, name, "$indexStats", {})) for name in names]

    def everything() -> list[Any]:
        return [
            (
                bare(name),
                _stage(database, name, "$indexStats", {}),
                _stage(database, name, "$collStats", {"storageStats": {}}),
            )
            for name in names
        ]

    return {
        "bare": lambda: [bare(name) for name in names],
        "pooled": pooled,
        "indexes and usage": indexes_and_usage,
        "everything": everything,
        "ours without sizes": lambda: read_catalog(database, statistics=False),
        "ours": lambda: read_catalog(database),
    }


def _stage(database: Database[dict[str, Any]], name: str, stage: str, options: Any) -> list[Any]:
    return list(database[name].aggregate([{stage: options}]))


def _interleaved(contestants: Mapping[str, Callable[[], object]], repeats: int) -> Measured:
    """Medians in seconds; a first round is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(repeats + 1):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            contestant()
            if number:
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _rows(seconds: Measured) -> list[dict[str, Any]]:
    small, whole = "ours without sizes", "ours"
    return [
        _row("catalog without sizes", seconds, small, "bare", "list_indexes() loop", TARGET),
        _row("catalog without sizes", seconds, small, "pooled", "list_indexes() in a pool", None),
        _row(
            "catalog without sizes",
            seconds,
            small,
            "indexes and usage",
            "loop of list_indexes(), $indexStats",
            None,
        ),
        _row("whole catalog", seconds, whole, "bare", "list_indexes() loop", TARGET),
        _row(
            "whole catalog",
            seconds,
            whole,
            "everything",
            "loop of list_indexes(), $indexStats, $collStats",
            None,
        ),
    ]


def _row(
    name: str, seconds: Measured, ours: str, peer: str, peer_name: str, target: float | None
) -> dict[str, Any]:
    ratio = seconds[ours] / seconds[peer]
    return {
        "name": f"{name}, {COLLECTIONS} collections",
        "ours": seconds[ours] * 1000,
        "peer_name": peer_name,
        "peer": seconds[peer] * 1000,
        "unit": "ms",
        "ratio": ratio,
        "target": None if target is None else f"at most {target:g}",
        "reached": None if target is None else ratio <= target,
    }
