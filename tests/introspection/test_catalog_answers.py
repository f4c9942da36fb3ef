"""Answers that a replica set does not give: of shards, and of indexes from old servers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Int64

from djongo_services.introspection.catalog import IndexUsage, Statistics
from djongo_services.introspection.reading.catalog_queries import read_definition
from djongo_services.introspection.reading.listing import ListedCollection
from djongo_services.introspection.reading.probes import (
    index_sizes,
    multikey_of,
    statistics_of,
    usage_of,
)

ENTRY = ListedCollection(name="things", type="collection", storage="things")
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def test_statistics_are_summed_over_shards() -> None:
    documents = [
        {
            "storageStats": {
                "count": count,
                "size": 100.0,
                "storageSize": 50,
                "totalIndexSize": 30,
                "indexSizes": {"_id_": 10, "a_1": Int64(20)},
            }
        }
        for count in (3, 4)
    ]
    assert statistics_of(ENTRY, documents) == Statistics(
        count=7, size=200, storage_size=100, index_size=60
    )
    assert index_sizes(documents) == {"_id_": 20, "a_1": 40}


def test_usage_of_shards_is_kept_by_host() -> None:
    documents = [
        {"name": "a_1", "host": host, "accesses": {"ops": Int64(ops), "since": SINCE}}
        for host, ops in (("two:27018", 5), ("one:27018", 2))
    ]
    assert usage_of(documents) == {
        "a_1": (
            IndexUsage(host="one:27018", operations=2, since=SINCE),
            IndexUsage(host="two:27018", operations=5, since=SINCE),
        )
    }


def test_multikey_on_one_shard_counts() -> None:
    documents = [
        {"md": {"indexes": [{"spec": {"name": "a_1"}, "multikey": multikey}]}}
        for multikey in (False, True, False)
    ]
    assert multikey_of(documents) == {"a_1": True}


@pytest.mark.parametrize(
    "document",
    [{}, {"md": {}}, {"md": {"indexes": [{}]}}, {"md": {"indexes": [{"spec": {"name": "a"}}]}}],
)
def test_internal_metadata_of_another_form_tells_nothing(document: dict[str, Any]) -> None:
    assert multikey_of([document]) == {}


@pytest.mark.parametrize(
    ("stored", "direction"),
    [
        (True, 1),
        (False, 1),
        ("", 1),
        ({"a": 1}, 1),
        (None, 1),
        (float("nan"), 1),
        (-0.5, -0.5),
        (Int64(-1), -1),
        ("geoHaystack", "geoHaystack"),
    ],
)
def test_directions_of_old_indexes(stored: object, direction: object) -> None:
    index = read_definition({"v": 1, "key": {"a": stored}, "name": "old"})
    assert index.keys == (("a", direction),)
    assert type(index.keys[0][1]) is type(direction)
