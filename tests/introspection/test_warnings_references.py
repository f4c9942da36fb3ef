"""The references that cause warnings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId

from djongo_services.introspection.catalog import Index, Unavailable
from djongo_services.introspection.path import ELEMENT
from djongo_services.introspection.report import Finding, Reference
from tests.introspection.profiles_by_hand import profile_of
from tests.introspection.warned import codes, index, warnings

REFERENCE = Reference(path=("person_id",), target="people", checked=10, found=10, complete=True)


@pytest.mark.parametrize(
    ("indexes", "expected"),
    [
        ([], True),
        ([index("i", ("person_id", 1))], False),
        ([index("i", ("person_id", -1), ("x", 1))], False),
        ([index("i", ("person_id", "hashed"))], False),
        ([index("i", ("$**", 1))], False),
        ([index("i", ("person_id", 1), partialFilterExpression={"person_id": {"$gt": 0}})], False),
        ([index("i", ("x", 1), ("person_id", 1))], True),
        ([index("i", ("person_id", 1), hidden=True)], True),
        ([index("i", ("person_id", 1), partialFilterExpression={"x": 1})], True),
        ([index("i", ("person_id", "text"))], True),
    ],
)
def test_references_without_an_index(database: Any, indexes: list[Index], expected: bool) -> None:
    profile = profile_of("things", [{"_id": 1, "person_id": 1, "x": 1}])
    found = warnings(database, profile, indexes=indexes, references=[REFERENCE])
    assert codes(found) == ([("reference-without-index", "person_id")] if expected else [])


def test_no_index_is_asked_of_a_view_or_where_indexes_are_unknown(database: Any) -> None:
    profile = profile_of("things", [{"_id": 1, "person_id": 1}])
    assert warnings(database, profile, references=[REFERENCE], type="view") == []
    unknown = (Unavailable(what="indexes", reason="not allowed"),)
    assert warnings(database, profile, references=[REFERENCE], unavailable=unknown) == []


def test_dangling_references_have_examples(matrix_database: Any) -> None:
    person = ObjectId()
    matrix_database.people.insert_one({"_id": person})
    documents: list[dict[str, Any]] = [
        {"_id": 1, "ids": [person]},
        {"_id": 2, "ids": [ObjectId()]},
        {"_id": 3, "ids": []},
        {"_id": 4, "ids": None},
        {"_id": 5},
    ]
    matrix_database.things.insert_many(documents)
    reference = Reference(
        path=("ids", ELEMENT), target="people", many=True, checked=2, found=1, complete=True
    )
    profile = profile_of("things", documents)
    indexes = [index("i", ("ids", 1))]
    (found,) = warnings(
        matrix_database, profile, indexes=indexes, references=[reference], values=True
    )
    assert found == Finding(
        code="dangling-reference",
        message='"ids[]" refers to documents of "people", but 1 of its 2 distinct values has none '
        "there; clear them or restore what they refer to.",
        path="ids[]",
        examples=(2,),
    )
    (found,) = warnings(matrix_database, profile, indexes=indexes, references=[reference])
    assert found.examples == ()


def test_values_of_two_targets_together_do_not_dangle(database: Any) -> None:
    profile = profile_of("things", [{"_id": 1, "x": 1}])
    both = [
        replace(REFERENCE, path=("x",), target=name, checked=10, found=5) for name in ("a", "b")
    ]
    found = warnings(database, profile, references=both, indexes=[index("i", ("x", 1))])
    assert found == []
