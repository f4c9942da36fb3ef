"""Keys and references of any BSON type: each is found exactly when the server finds it."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import bson
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database
from pymongo.errors import WriteError

from djongo_services.bson_decoding import LENIENT
from djongo_services.introspection import inspect_database
from djongo_services.introspection.path import ELEMENT
from djongo_services.introspection.profiling.references.keys import TargetKey, existing, token
from djongo_services.introspection.rendering.json import render_json
from djongo_services.introspection.rendering.text import render_text
from djongo_services.introspection.report import Reference

Mongo = Database[dict[str, Any]]

NUMBERS = [0, 1, 7, 0.1, 1.5, -0.0, float("nan"), float("inf"), 2**53 + 1, 1e300]
ROUNDED = Decimal128("0.1000000000000000055511151231257827")
"""An aggregation treats it as equal to the double 0.1, an index does not."""
VALUES: list[Any] = [
    *NUMBERS,
    *(Int64(value) for value in NUMBERS if isinstance(value, int)),
    *(
        Decimal128(text)
        for text in ("0", "1", "1.0", "7E0", "0.1", "1.5", "NaN", "sNaN", "-Infinity", "Infinity")
    ),
    Decimal128("9007199254740993"),
    True,
    False,
    "",
    "a",
    "A",
    "1",
    "a" * 30 + "1",
    "507f1f77bcf86cd799439011",
    ObjectId("507f1f77bcf86cd799439011"),
    datetime(2020, 1, 1, tzinfo=UTC),
    DatetimeMS(2**62),
    Timestamp(1, 1),
    b"abc",
    Binary(b"abc", 128),
    Binary(b"abc", 0),
    Binary.from_uuid(uuid.UUID(int=5)),
    Binary(uuid.UUID(int=5).bytes, 3),
    str(uuid.UUID(int=5)),
    Code("a"),
    Code("a", {"x": 1}),
    Regex("a"),
    Regex("a", "i"),
    MinKey(),
    MaxKey(),
    DBRef("other", 1),
]


def any_values(scalars: list[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "b", "a.b", "$gt", "$in"])
    return st.recursive(
        st.sampled_from(scalars),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=2)
        ),
        max_leaves=4,
    )


values = any_values([*VALUES, ROUNDED])
SLOW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _stored(value: Any) -> Any:
    return bson.decode(bson.encode({"v": value}), codec_options=LENIENT)["v"]


@given(st.lists(any_values(VALUES), min_size=2, max_size=12))
@SLOW
def test_values_are_the_same_when_the_server_says_so(
    matrix_database: Mongo, drawn: list[Any]
) -> None:
    collection = matrix_database.pairs
    collection.drop()
    for number, value in enumerate(drawn):
        for other in drawn[number:]:
            with suppress(WriteError):  # before 5.0, names that begin with a dollar
                collection.insert_one({"a": value, "b": other})
    same = {"$project": {"a": 1, "b": 1, "same": {"$eq": ["$a", "$b"]}}}
    for pair in collection.with_options(codec_options=LENIENT).aggregate([same]):
        assert (token(pair["a"]) == token(pair["b"])) is pair["same"], pair


@given(st.lists(values, max_size=12), st.lists(values, min_size=1, max_size=12))
@SLOW
def test_the_keys_that_exist_are_those_that_equal(
    matrix_database: Mongo, keys: list[Any], asked: list[Any]
) -> None:
    """Looked-up values are never read as patterns or operators."""
    lenient = matrix_database.with_options(codec_options=LENIENT)
    lenient.targets.drop()
    for key in keys:
        with suppress(WriteError):  # a duplicate, whose error repeats it, or what cannot be an _id
            lenient.targets.insert_one({"_id": key})
    stored = [_stored(value) for value in asked]
    found = existing(lenient, TargetKey(collection="targets"), stored)
    expected = {
        token(value) for value in stored if lenient.targets.find_one({"_id": {"$eq": value}})
    }
    assert found == expected


@given(st.lists(values, max_size=10), st.lists(values, min_size=1, max_size=10), st.booleans())
@SLOW
def test_dbrefs_to_anything(
    matrix_database: Mongo, keys: list[Any], referred: list[Any], is_small: bool
) -> None:
    """Fields that are named for the collection may contain anything, too: no value ends an
    inspection."""
    matrix_database.targets.drop()
    matrix_database.sources.drop()
    matrix_database.targets.insert_one({"_id": "there is one"})
    for key in keys:
        with suppress(WriteError):
            matrix_database.targets.insert_one({"_id": key})
    for number, value in enumerate(referred):
        with suppress(WriteError):
            matrix_database.sources.insert_one(
                {
                    "_id": number,
                    "by": {"$ref": "targets", "$id": value},
                    "target_id": value,
                    "target_ids": [value, value],
                }
            )
    report = inspect_database(
        matrix_database, sample=1000 if is_small else 1, depth="complete", values=True
    )
    assert report.stopped is None
    assert render_text(report)
    assert render_json(report)
    by = [one for one in report["sources"].references if one.path == ("by",)]
    lenient = matrix_database.with_options(codec_options=LENIENT)
    stored = {
        token(each["by"]["$id"]) for each in _raw_refs(lenient) if each["by"]["$id"] is not None
    }
    if not stored:
        assert by == []
        return
    (reference,) = by
    there = {token(each["_id"]) for each in lenient.targets.find()}
    assert reference.checked == len(stored)
    if is_small:
        assert reference.found >= len(stored & there)


def _raw_refs(database: Mongo) -> list[dict[str, Any]]:
    """Documents whose DBRefs are decoded as documents."""
    shown = {"by": {"$objectToArray": "$by"}}
    found = list(database.sources.aggregate([{"$project": shown}]))
    return [{"by": {entry["k"]: entry["v"] for entry in each["by"]}} for each in found]


def test_decimals_are_keys_like_other_numbers(matrix_database: Mongo) -> None:
    matrix_database.target.insert_one({"_id": Decimal128("1")})
    matrix_database.target.insert_many([{"_id": number} for number in range(2, 10)])
    matrix_database.src.insert_many(
        [{"_id": number, "target_id": float(number)} for number in range(1, 10)]
    )
    (reference,) = inspect_database(matrix_database)["src"].references
    assert reference == Reference(
        path=("target_id",), target="target", checked=9, found=9, complete=True
    )


def test_memory_and_queries_know_the_same_keys(database: Mongo) -> None:
    """Whether a collection is read completely makes no difference to the references that are
    found."""
    persons = [ObjectId() for _ in range(50)]
    database.people.insert_many([{"_id": each, "email": f"{each}@x.org"} for each in persons])
    database.people.create_index("email", unique=True)
    database.notes.insert_many(
        {
            "_id": number,
            "by": each,
            "mail": f"{each}@x.org",
            "text_id": str(each),
            "all": [str(each), str(ObjectId())],
        }
        for number, each in enumerate(persons)
    )
    small = inspect_database(database, depth="complete")["notes"].references
    large = inspect_database(database, depth="complete", sample=20)["notes"].references
    assert [(one.path, one.target, one.target_path, one.kind) for one in small] == [
        (("all", ELEMENT), "people", "_id", "text"),
        (("by",), "people", "_id", "value"),
        (("mail",), "people", "email", "value"),
        (("text_id",), "people", "_id", "text"),
    ]
    assert [(one.path, one.target, one.kind) for one in large] == [
        (one.path, one.target, one.kind) for one in small
    ]
    assert [(one.checked, one.found, one.complete) for one in large] == [
        (100, 50, True),
        *[(50, 50, True)] * 3,
    ]
