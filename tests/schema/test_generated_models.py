"""The models of ``inspectmongo --format models``, compared by ``syncmongoschema --check``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId
from pymongo import IndexModel
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from tests.demo.conftest import Demo, demo
from tests.schema.generated_project import GeneratedProject

__all__ = ["demo"]

ONE = ObjectId("0" * 23 + "1")
LONG = "an_index_whose_name_is_longer_than_any_that_Django_takes_for_its_own_indexes"
# Born late enough that the longest of TTL indexes has not expired them.
PERSON: Mapping[str, Any] = {
    "name": "Ada",
    "email": "ada@x.example",
    "born": dt.datetime(1985, 12, 10),
    "rank": Int64(3),
    "level": 2,
    "score": 1.5,
    "fee": Decimal128("2.50"),
    "active": True,
    "badge": ONE,
    "address": {"zipCode": "1", "city": {"name": "Ur"}},
    "lines": [{"n": Int64(1), "label": "x"}],
    "tags": ["a", "b"],
    "at": {"type": "Point", "coordinates": [46.1, 30.9]},
    "spot": [1.5, 2.5],
    "mixed": 1,
    "data": {"2020-01-02": 1, "2020-01-03": 2, "2021-01-04": 3},
}
OTHER = {**PERSON, "name": "Max", "email": "max@x.example", "mixed": "one", "rank": Int64(4)}
OTHER |= {"badge": ObjectId(), "born": dt.datetime(1990, 1, 1), "score": 2.5, "level": 3}


def index(keys: Any, name: str, **options: Any) -> IndexModel:
    return IndexModel([(keys, 1)] if isinstance(keys, str) else keys, name=name, **options)


def partial(keys: Any, name: str, /, **condition: Any) -> IndexModel:
    return index(keys, name, partialFilterExpression=condition)


GERMAN = {"locale": "de", "strength": 2}
DECLARED = [
    index("name", "name_1"),
    index([("name", -1)], "name_-1"),
    index([("name", 1), ("rank", -1)], LONG),
    index([("rank", 1), ("name", 1)], "_rank"),
    index([("rank", 1), ("level", 1)], "100%name"),
    index("rank", "rank_unique", unique=True),
    index("email", "email_1", unique=True, partialFilterExpression={"email": {"$type": "string"}}),
    index("email", "email_any_case", unique=True, collation=GERMAN),
    index("badge", "badge_1", unique=True),
    index(
        [("email", 1), ("level", -1)],
        "email_of_active",
        unique=True,
        partialFilterExpression={"active": True, "level": {"$gt": 0}},
    ),
    index("born", "born_ttl", expireAfterSeconds=2**31 - 1),
    index("level", "level_sparse", sparse=True),
    index("score", "score_sparse", sparse=True, unique=True),
    index("level", "level_hidden", hidden=True, collation={"locale": "fr", "strength": 1}),
    index([("name", "text"), ("email", "text")], "words", weights={"name": 7}),
    index([("at", "2dsphere"), ("name", 1)], "at_2dsphere"),
    index([("spot", "2d"), ("level", -1)], "spot_2d", min=-10, max=10, bits=20),
    index([("badge", "hashed"), ("name", 1)], "badge_hashed"),
    index("data.$**", "data_wildcard"),
    index("$**", "some_of_all", wildcardProjection={"mixed": 1, "address.zipCode": 1}),
    index("address.zipCode", "address.zipCode_1"),
    index([("address.city.name", -1), ("lines.label", 1)], "inside"),
    index("data.2020-01-02", "a_day"),
    index("tags", "tags_1"),
    index("mixed", "mixed_1"),
    partial("name", "by_time", born={"$gte": dt.datetime(1800, 1, 1, 1, 2, 3, 4000)}),
    partial("name", "by_money", fee={"$gt": Decimal128("0.10")}, rank={"$lt": 100}),
    partial("rank", "by_score", score={"$gte": 0.5, "$lt": 9}),
    partial("rank", "by_name", name={"$in": ["Ada", "Max"]}),
    partial("level", "by_presence", name={"$type": "string"}),
    partial([("level", 1), ("rank", 1)], "by_badge", badge={"$gt": ObjectId("0" * 24)}),
]
UNDECLARED = {
    "nowhere_1": index("nowhere", "nowhere_1"),
    "by_existence": partial("score", "by_existence", name={"$exists": True}),
    "text_beside": index([("level", 1), ("n", -1)], "text_beside"),
}
ELSEWHERE = [
    index("name", "name_1"),
    index([("name", -1)], "name_-1"),
    index([("level", 1), ("name", 1)], "level_sparse"),
    index([("name", "text")], "words", default_language="german", language_override="tongue"),
    index("$**", "some_of_all", wildcardProjection={"mixed": 0, "_id": 0}),
]
COLLATED = [
    index("name", "name_inherits"),
    index("email", "email_bytes", collation={"locale": "simple"}),
    index("level", "level_german", collation=GERMAN),
]


@pytest.fixture
def people(database: Database[Any]) -> Database[Any]:
    """Every kind of index, the same names in several collections, names that Django refuses."""
    database.people.insert_many([{**PERSON, "_id": ONE}, OTHER])
    database.people.create_indexes([*DECLARED, *UNDECLARED.values()])
    database.others.insert_many([dict(PERSON), dict(OTHER)])
    database.others.create_indexes(ELSEWHERE)
    database.create_collection("collated", collation={"locale": "en", "strength": 1})
    database.collated.insert_many([dict(PERSON), dict(OTHER)])
    database.collated.create_indexes(COLLATED)
    return database


@pytest.fixture
def project(people: Database[Any], mongodb_server: MongoServer, tmp_path: Path) -> GeneratedProject:
    made = GeneratedProject(tmp_path, uri=mongodb_server.uri, database=people.name)
    made.inspect("--depth", "exact")
    return made


def test_no_index_differs_from_the_generated_models(project: GeneratedProject) -> None:
    for managed in (False, True):
        if managed:
            project.manage_collections()
        found = project.check()
        assert {"people", "others", "collated"} <= {*found.plan["collections"]}
        assert found.index_changes == []
        assert found.plan["problems"] == []
        notes = [note for note in found.notes if "no model declares it" in note]
        assert {note.split()[2] for note in notes} == {*UNDECLARED}
        assert all(note.startswith("people: ") for note in notes)


def test_a_changed_index_is_drift_again(project: GeneratedProject, people: Database[Any]) -> None:
    people.people.drop_index("inside")
    people.command("collMod", "people", index={"name": "born_ttl", "expireAfterSeconds": 2**31 - 2})
    found = project.check()
    assert sorted(change.split(" {")[0] for change in found.index_changes) == [
        "people: + index inside",
        "people: ~ index born_ttl",
    ], found


def test_the_repaired_demo_has_no_drift_from_its_generated_models(
    demo: Demo, mongodb_server: MongoServer, tmp_path: Path
) -> None:
    repaired = demo.manage("syncmongoschema", "--allow-destructive", "--noinput")
    assert repaired.returncode == 0, repaired.stderr
    try:
        project = GeneratedProject(tmp_path, uri=mongodb_server.uri, database=demo.database.name)
        text = project.inspect("--values")
        assert 'name="note_text", weights={"title": 5}' in text
        assert "TTLIndex(" in text
        assert "GeoIndex(" in text
        found = project.check()
        assert "archive_note" in found.plan["collections"]
        assert found.index_changes == []
    finally:
        demo.manage("seed_demo")
