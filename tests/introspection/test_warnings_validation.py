"""The warnings for collections with a validator."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from djongo_services.introspection.catalog import Collection, Validator
from djongo_services.introspection.profiling.warnings import find_warnings
from djongo_services.introspection.report import Finding
from tests.introspection.profiles_by_hand import profile_of
from tests.introspection.warned import codes, warnings

SCHEMA = {"$jsonSchema": {"required": ["name"], "properties": {"name": {"bsonType": "string"}}}}


def validated(database: Any, count: int, **validator: Any) -> list[Finding]:
    documents: list[dict[str, Any]] = [{"_id": i, "name": "x"} for i in range(count, count + 5)]
    documents += [{"_id": i, "name": i} for i in range(count)]
    database.things.insert_many(documents)
    depth = validator.pop("depth", "exact")
    profile = profile_of("things", documents, depth=depth)
    found = warnings(database, profile, validator=Validator(query=SCHEMA, **validator))
    return [warning for warning in found if warning.code.startswith("validator")]


def test_documents_that_a_validator_refuses(matrix_database: Any) -> None:
    assert validated(matrix_database, 7) == [
        Finding(
            code="validator-violations",
            message="7 documents do not satisfy the collection's validator; "
            "the next update of any of them is refused.",
            count=7,
            examples=(0, 1, 2, 3, 4),
        )
    ]


@pytest.mark.parametrize(
    ("validator", "consequence"),
    [
        ({"action": "warn"}, "it only warns in the server's log"),
        ({"level": "moderate"}, "they can still be updated (validationLevel moderate)"),
    ],
)
def test_what_a_validator_does(database: Any, validator: dict[str, Any], consequence: str) -> None:
    (found,) = validated(database, 1, **validator)
    assert found.message == (
        f"1 document does not satisfy the collection's validator; {consequence}."
    )


def test_a_validator_that_is_off(database: Any) -> None:
    assert [one.code for one in validated(database, 1, level="off")] == [
        "validator-off",
        "validator-violations",
    ]


def test_a_validator_that_all_satisfy(matrix_database: Any) -> None:
    assert validated(matrix_database, 0) == []


def test_a_sample_counts_violations_up_to_a_bound(database: Any) -> None:
    (found,) = validated(database, 1200, depth="sample")
    assert found.count == 1000
    assert found.message.startswith("At least 1,000 documents do not satisfy")


def test_stopped(database: Any) -> None:
    stop = threading.Event()
    stop.set()
    documents: list[dict[str, Any]] = [{"_id": 1, "v": 1}, {"_id": 2, "v": "x"}]
    described = Collection(name="things", validator=Validator(query=SCHEMA))
    found = find_warnings(
        database, described, profile_of("things", documents), (), values=True, stop=stop
    )
    assert codes(found) == [("mixed-types", "v")]
