"""The indexes that cause warnings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.profiling.warnings.indexes import about_indexes
from tests.introspection.profiles_by_hand import profile_of
from tests.introspection.warned import codes, index, warnings

DATA = [{"_id": 1, "a": 1, "b": {"c": [{"d": 1}]}, "m": {"k": {"x": 1}}, "when": datetime.now(UTC)}]


@pytest.mark.parametrize(
    "key", ["a", "b", "b.c", "b.c.d", "b.c.0.d", "m.anything.x", "$**", "b.$**"]
)
def test_an_index_on_data(database: Any, key: str) -> None:
    profile = profile_of("things", DATA, maps=[("m",)])
    assert warnings(database, profile, indexes=[index("i", (key, 1))]) == []


@pytest.mark.parametrize("key", ["A", "b.d", "b.c.d.e", "b.c.1d", "m.anything.y", "x.$**"])
def test_an_index_without_data(database: Any, key: str) -> None:
    profile = profile_of("things", DATA, maps=[("m",)])
    (found,) = warnings(database, profile, indexes=[index("i", (key, 1))])
    assert (found.code, found.path) == ("index-without-data", "i")
    assert found.message == (
        f'The index "i" is on "{key}", which no document has; correct the name or drop it.'
    )


def test_one_key_of_an_index_without_data(database: Any) -> None:
    profile = profile_of("things", DATA)
    (found,) = warnings(database, profile, indexes=[index("i", ("a", 1), ("x", -1))])
    assert found.message.endswith("correct the name or leave it out of the index.")


def test_a_sample_proves_no_absence(database: Any) -> None:
    profile = profile_of("things", DATA, depth="sample", count=1000)
    assert warnings(database, profile, indexes=[index("i", ("x", 1))]) == []
    assert warnings(database, profile_of("things", []), indexes=[index("i", ("x", 1))]) == []


def test_a_ttl_index_needs_dates(database: Any) -> None:
    profile = profile_of("things", DATA)
    good = index("good", ("when", 1), expireAfterSeconds=60)
    bad = index("bad", ("a", 1), expireAfterSeconds=60)
    found = warnings(database, profile, indexes=[good, bad])
    assert codes(found) == [("ttl-without-dates", "bad")]


def test_indexes_that_djongo_broke(database: Any) -> None:
    profile = profile_of("things", DATA)
    indexes = [index("i", ('"a"', 1)), index("j", ("a DESC", 1)), index("k", ("a", 1))]
    found = warnings(database, profile, indexes=indexes)
    assert codes(found) == [("corrupt-index", "i"), ("corrupt-index", "j")]
    assert found[0].message == (
        'The index "i" is on "\\"a\\"", which is a piece of SQL and no path, so no query uses it; '
        "drop it and index the field."
    )


AB = (("a", 1), ("b", 1))


@pytest.mark.parametrize(
    ("indexes", "redundant"),
    [
        ([index("a", ("a", 1)), index("ab", *AB)], ["a"]),
        ([index("ab", *AB), index("a", ("a", -1))], ["a"]),
        ([index("ab", *AB), index("ab-", ("a", -1), ("b", -1))], ["ab-"]),
        ([index("a", ("a", 1)), index("u", ("a", 1), unique=True)], ["a"]),
        ([index("id", ("_id", -1))], ["id"]),
        ([index("ab", *AB), index("a-b", ("a", 1), ("b", -1))], []),
        ([index("b", ("b", 1)), index("ab", *AB)], []),
        ([index("a", ("a", 1), unique=True), index("ab", *AB)], []),
        ([index("a", ("a", 1), sparse=True), index("ab", *AB)], []),
        ([index("a", ("a", 1), hidden=True), index("ab", *AB)], []),
        ([index("a", ("a", 1), expireAfterSeconds=9), index("ab", *AB)], []),
        ([index("a", ("a", 1), partialFilterExpression={"a": 1}), index("ab", *AB)], []),
        ([index("a", ("a", 1)), index("ab", *AB, partialFilterExpression={"a": 1})], []),
        ([index("a", ("a", 1)), index("ab", *AB, sparse=True)], []),
        ([index("a", ("a", 1)), index("ab", *AB, hidden=True)], []),
        ([index("a", ("a", 1)), index("ab", *AB, collation={"locale": "de"})], []),
        ([index("a", ("a", "hashed")), index("ab", *AB)], []),
        ([index("a", ("a", 1)), index("w", ("$**", 1))], []),
    ],
)
def test_redundant_indexes(database: Any, indexes: list[Index], redundant: list[str]) -> None:
    profile = profile_of("things", [{"_id": 1, "a": datetime.now(UTC), "b": 1}])
    found = warnings(database, profile, indexes=indexes)
    assert codes(found) == [("redundant-index", name) for name in redundant]


@pytest.mark.parametrize(
    ("names", "declared", "advice"),
    [
        (("a", "ab"), {"a"}, {}),
        (("a", "ab"), {"ab"}, {"a": "drop it"}),
        (("a", "ab"), {"a", "ab"}, {"a": "leave it out of the model"}),
        (("a", "twin"), {"a"}, {"twin": "drop it"}),
        (("a", "twin"), {"twin"}, {"a": "drop it"}),
        (("a", "twin"), {"a", "twin"}, {"twin": "leave it out of the model"}),
    ],
)
def test_what_a_model_declares_stays(
    names: tuple[str, ...], declared: set[str], advice: dict[str, str]
) -> None:
    known = {"a": (("a", 1),), "twin": (("a", 1),), "ab": AB}
    profile = profile_of("things", [{"_id": 1, "a": datetime.now(UTC), "b": 1}])
    collection = Collection(
        name="things", indexes=tuple(index(name, *known[name]) for name in names)
    )
    found = about_indexes(collection, profile, (), declared)
    assert {one.path: one.message.rpartition("; ")[2].rstrip(".") for one in found} == advice
