"""Objects whose keys are data become one path; records never do."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from djongo_services.introspection import profile
from djongo_services.introspection.profiling.closed_schema import json_schema
from djongo_services.introspection.rendering.field_wording import _map_text

Documents = Database[dict[str, Any]]

KEYS: dict[str, Callable[[int], str]] = {
    "objectId": lambda n: str(ObjectId()),
    "uuid": lambda n: str(uuid.UUID(int=n)),
    "hash": lambda n: f"{n:040x}",
    "date": lambda n: f"2024-{n % 12 + 1:02d}-{n % 28 + 1:02d}",
    "number": str,
    "identifier": lambda n: f"user_{n}",
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_that_are_data_are_one_path(matrix_database: Documents, name: str) -> None:
    key = KEYS[name]
    collection = matrix_database.maps
    collection.insert_many(
        {"_id": n, "by": {key(2 * n): {"v": n}, key(2 * n + 1): {"v": n}}} for n in range(400)
    )

    result = profile(collection, "exact", sample=150)

    field = result["by"]
    assert field.map is not None
    assert field.map.format == name
    assert [child.name for child in field.children] == ["by.<key>"]
    keys = sum(len(each["by"]) for each in collection.find())
    assert result["by.<key>"].parents == keys
    assert result["by.<key>.v"].types["int"].count == keys
    schema = json_schema(result)
    assert collection.count_documents({"$nor": [{"$jsonSchema": schema}]}) == 0


def test_five_languages_are_a_map_and_two_are_fields(database: Documents) -> None:
    database.texts.insert_one({"title": dict.fromkeys(["en", "de", "fr", "pt-BR", "it"], "x")})
    database.pairs.insert_one({"title": {"en": "x", "de": "x"}})

    assert profile(database.texts)["title.<key>"].types["string"].count == 5
    assert profile(database.pairs)["title.de"].types["string"].count == 1


def test_records_are_not_folded(database: Documents) -> None:
    values: list[Any] = [1, "x", 1.5, [1], {"a": 1}, None, True]
    database.wide.insert_many(
        {"r": {f"field_{n}": values[n % 7] for n in range(60) if (n * k) % 3}} for k in range(50)
    )
    database.address.insert_many(
        {"a": {"street": "x", "city": "x", "zip": "x"}} for _ in range(500)
    )

    assert profile(database.wide)["r"].map is None
    assert [each.name for each in profile(database.address)["a"].children] == [
        "a.street",
        "a.city",
        "a.zip",
    ]


def test_a_map_keeps_its_named_fields_and_counts_the_rest(matrix_database: Documents) -> None:
    matrix_database.mixed.insert_many(
        {"_id": n, "days": {"total": n, "2024-01-01": 1, f"2024-02-{n % 28 + 1:02d}": 1.5}}
        for n in range(300)
    )
    matrix_database.mixed.insert_one({"_id": 1000, "days": {"2025-01-01": "late"}})

    result = profile(matrix_database.mixed, "exact", sample=50)

    assert result["days.total"].types["int"].count == 300
    assert {name: t.count for name, t in result["days.<key>"].types.items()} == {
        "int": 300,
        "double": 300,
        "string": 1,
    }


def test_a_hundred_thousand_keys_take_neither_memory_nor_rounds(database: Documents) -> None:
    database.keys.insert_many(
        {"_id": n, "by": {f"name {n * 20 + k}": k for k in range(20)}} for n in range(5000)
    )

    result = profile(database.keys, "complete", sample=200)

    assert result["by"].map is not None
    assert result["by"].map.distinct_is_bound
    assert result.coverage.rounds <= 3
    assert len(list(result.walk())) == 3


def test_keys_at_the_top_level_fold_beside_the_fields(database: Documents) -> None:
    database.top.insert_many(
        {"_id": n, "name": "x", **{str(ObjectId()): n for _ in range(3)}} for n in range(100)
    )

    result = profile(database.top, "exact", sample=20)

    assert [each.name for each in result.fields] == ["_id", "name", "<key>"]
    assert result["<key>"].parents == 300
    assert result["<key>"].map is not None


@pytest.mark.parametrize("at", ["by", "", "list[].by"])
def test_how_many_keys_there_are(matrix_database: Documents, at: str) -> None:
    """Exact at depth ``exact``; otherwise a lower bound, and marked as one."""
    keys = [f"{n:024x}" for n in range(3000)]
    shapes: dict[str, Callable[[str], dict[str, Any]]] = {
        "by": lambda key: {"by": {"total": 1, key: 1}},
        "": lambda key: {key: 1},
        "list[].by": lambda key: {"list": [{"by": {key: 1}}, {"by": {keys[0]: 1}}]},
    }
    shaped = shapes[at]
    matrix_database.maps.insert_many({"_id": n, **shaped(key)} for n, key in enumerate(keys))

    for depth in ("sample", "complete"):
        found = profile(matrix_database.maps, depth, sample=1000)[at or "<key>"].map
        assert found is not None
        assert found.distinct_is_bound
        assert found.distinct <= 1000
    found = profile(matrix_database.maps, "exact", sample=1000)[at or "<key>"].map
    assert found is not None
    assert (found.distinct, found.distinct_is_bound) == (3000, False)
    # Read whole, which remembers 1,000 keys only.
    found = profile(matrix_database.maps, "sample", sample=1500)[at or "<key>"].map
    assert found is not None
    assert (found.distinct, found.distinct_is_bound) == (1000, True)
    assert _map_text(found) == "map: at least 1,000 objectId keys"


def test_few_keys_of_few_documents(database: Documents) -> None:
    database.maps.insert_many([{"by": {f"{n:024x}": 1}} for n in range(10)])
    found = profile(database.maps)["by"].map
    assert found is not None
    assert _map_text(found) == "map: 10 objectId keys"
    assert (found.distinct, found.distinct_is_bound) == (10, False)
