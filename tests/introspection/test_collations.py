"""Collections whose own collation treats different strings as equal, on every server."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from djongo_services.introspection import inspect_database, profile
from djongo_services.introspection.profiling import engine
from djongo_services.introspection.report import Depth, Report, ValueSummary
from djongo_services.schema.references.auditing import ForeignReference, audit_references

Mongo = Database[dict[str, Any]]

BLIND = {"locale": "en", "strength": 1}
"""Neither case nor accents matter."""

STATES = ("active", "Active", "ACTIVE")


@pytest.fixture
def people(matrix_database: Mongo) -> Mongo:
    matrix_database.create_collection("people", collation=BLIND)
    matrix_database.people.insert_many(
        {
            "_id": f"{'aAbB'[n // 2 % 4]}{n // 2:04d}é" if n % 2 else f"{n:05d}",
            "state": STATES[n % 3],
            "by.state": STATES[n % 3],
        }
        for n in range(3001)
    )
    return matrix_database


def values_of(report: Report, path: str) -> ValueSummary:
    found = report["people"].profile
    assert found is not None
    values = found[path].values
    assert values is not None
    return values


@pytest.mark.parametrize("depth", ["sample", "complete", "exact"])
def test_values_that_differ_in_case_only(people: Mongo, depth: Depth) -> None:
    report = inspect_database(people, depth=depth, values=True, collections=["people"])
    values = values_of(report, "state")
    assert {value for value, _ in values.enum} == set(STATES)
    assert (values.distinct, values.minimum, values.maximum) == (3, "ACTIVE", "active")


def test_the_schema_holds_for_every_document(people: Mongo) -> None:
    from djongo_services.introspection.profiling.closed_schema import json_schema

    report = inspect_database(people, depth="exact", values=True, collections=["people"])
    found = report["people"].profile
    assert found is not None
    schema = json_schema(found)
    assert schema["properties"]["state"]["enum"]
    assert people.people.count_documents({"$nor": [{"$jsonSchema": schema}]}) == 0


@pytest.fixture
def short_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "DOCUMENTS_PER_RANGE", 100)


@pytest.mark.usefixtures("short_ranges")
def test_every_document_is_counted_once(people: Mongo) -> None:
    """Strings are cut into ranges in the order of the index, which is not that of their bytes."""
    found = profile(people.people, "exact", sample=500)
    assert found.coverage.reached == "exact"
    assert found.coverage.documents == 3001
    assert found["_id"].types["string"].count == 3001
    assert found["state"].present == 3001


@pytest.mark.usefixtures("short_ranges")
def test_ranges_of_other_keys(matrix_database: Mongo) -> None:
    matrix_database.create_collection("people", collation=BLIND)
    matrix_database.people.insert_many({"_id": n, "n": n} for n in range(2500))
    matrix_database.people.insert_one({"_id": "a", "n": 1})
    found = profile(matrix_database.people, "exact", sample=500)
    assert found.coverage.documents == 2501
    assert {name: each.count for name, each in found["_id"].types.items()} == {
        "int": 2500,
        "string": 1,
    }


def test_keys_that_differ_in_case_only(matrix_database: Mongo) -> None:
    """Names with dots, and the keys of maps, are compared by expressions."""
    matrix_database.create_collection("people", collation=BLIND)
    matrix_database.people.insert_many(
        [{"_id": n, "a.b": 1} if n % 2 else {"_id": n, "A.B": "x"} for n in range(600)]
    )
    found = profile(matrix_database.people, "exact", sample=100)
    assert (found[r"a\.b"].types["int"].count, found[r"a\.b"].present) == (300, 300)
    assert (found[r"A\.B"].types["string"].count, found[r"A\.B"].present) == (300, 300)


def test_the_keys_of_a_map(matrix_database: Mongo) -> None:
    matrix_database.create_collection("people", collation=BLIND)
    keys = [f"{n:024x}" for n in range(700)]
    matrix_database.people.insert_many(
        {"_id": n, "by": {"total": 1, key: 1}, "BY": {f"x{key}X".lower(): 1, f"X{key}x".upper(): 1}}
        for n, key in enumerate(keys)
    )
    found = profile(matrix_database.people, "exact", sample=100)
    assert found["by"].map is not None
    assert (found["by"].map.distinct, found["by"].map.distinct_is_bound) == (700, False)
    assert found["BY"].map is not None
    assert (found["BY"].map.distinct, found["BY"].map.distinct_is_bound) == (1400, False)


@pytest.mark.parametrize("depth", ["sample", "complete"])
@pytest.mark.parametrize("sample", [1000, 20])
def test_references_to_strings(matrix_database: Mongo, sample: int, depth: Depth) -> None:
    matrix_database.create_collection("people", collation=BLIND)
    matrix_database.create_collection("notes", collation=BLIND)
    matrix_database.people.insert_many({"_id": f"person{n}"} for n in range(100))
    matrix_database.notes.insert_many(
        {"_id": n, "person_id": f"person{n}" if n < 90 else f"PERSON{n}"} for n in range(100)
    )
    report = inspect_database(matrix_database, depth=depth, sample=sample, values=True)
    (reference,) = report["notes"].references
    if sample == 1000 or depth == "complete":
        assert (reference.checked, reference.found) == (100, 90)
        (dangling,) = (one for one in report["notes"].warnings if one.code == "dangling-reference")
        assert set(dangling.examples) <= set(range(90, 100))
    else:
        assert reference.checked == 20
        assert reference.found <= 20


def test_far_larger_targets(matrix_database: Mongo) -> None:
    """A look-up for each value would be faster, if the target's index could be used."""
    matrix_database.create_collection("people", collation=BLIND)
    matrix_database.people.insert_many({"_id": f"person{n}"} for n in range(2000))
    matrix_database.notes.insert_many(
        {"_id": n, "person_id": f"person{n}" if n < 30 else f"PERSON{n}"} for n in range(50)
    )
    reference = ForeignReference(
        model="a.B", collection="notes", path=("person_id",), target="people"
    )
    (dangling,) = audit_references(matrix_database, [reference])
    assert (dangling.documents, dangling.values) == (20, 20)


def test_dbrefs_to_collections_that_differ_in_case_only(matrix_database: Mongo) -> None:
    from bson import DBRef

    matrix_database.create_collection("notes", collation=BLIND)
    matrix_database.people.insert_many({"_id": n} for n in range(30))
    matrix_database.notes.insert_many(
        {"_id": n, "by": DBRef("people" if n % 2 else "PEOPLE", n)} for n in range(30)
    )
    report = inspect_database(matrix_database)
    assert [(one.target, one.checked, one.found) for one in report["notes"].references] == [
        ("PEOPLE", 15, 0),
        ("people", 15, 15),
    ]


def test_a_view_that_allows_no_other_collation(matrix_database: Mongo) -> None:
    """Its fields, counts and references are there; that values are not is said."""
    ids = [ObjectId() for _ in range(30)]
    matrix_database.people.insert_many({"_id": one} for one in ids)
    matrix_database.notes.insert_many(
        {"by": one, "state": STATES[n % 3]} for n, one in enumerate(ids)
    )
    matrix_database.command(
        "create", "shown", viewOn="notes", pipeline=[], collation={"locale": "en", "strength": 1}
    )
    report = inspect_database(matrix_database, values=True, depth="exact", sample=10)
    found = report["shown"]
    assert found.profile is not None
    assert found.profile["state"].present == 30
    assert found.profile["state"].values is None
    assert found.profile.coverage.stopped == (
        "The values of 'shown' could not be summarised: it is a view with a collation, and the "
        "server cannot compare its strings by another; inspect the collection that it reads."
    )
    (reference,) = found.references
    assert (reference.target, reference.found, reference.complete) == ("people", 10, False)


def test_a_validator_is_applied_as_the_server_applies_it(matrix_database: Mongo) -> None:
    """By the collection's own collation, which the server uses to compare on writes."""
    matrix_database.create_collection(
        "people", collation=BLIND, validator={"state": "active"}, validationLevel="moderate"
    )
    matrix_database.people.insert_many({"state": state} for state in STATES)
    assert inspect_database(matrix_database)["people"].warnings == ()
