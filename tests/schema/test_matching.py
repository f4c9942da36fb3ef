"""The indexes that the server allows beside each other, found by asking the server."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from djongo_services.introspection import read_catalog
from djongo_services.schema.diff.matching import coexist
from djongo_services.schema.spec import IndexSpec

PARTIAL = {"partialFilterExpression": {"b": {"$gt": 1}}}
PROJECTION = {"wildcardProjection": {"a": 1, "b": 1}}
FRENCH = {"collation": {"locale": "fr"}}

Options = tuple[dict[str, Any], ...]

REGULAR: Options = (
    {},
    {"unique": True},
    {"sparse": True},
    {"expireAfterSeconds": 60},
    PARTIAL,
    {"partialFilterExpression": {"b": {"$exists": True}}},
    FRENCH,
    {"collation": {"locale": "de"}},
    {"collation": {"locale": "simple"}},
)
WILDCARD: Options = (
    {},
    PARTIAL,
    PROJECTION,
    {"wildcardProjection": {"c": 0}},
    {**PROJECTION, **PARTIAL},
    {**PROJECTION, **FRENCH},
)
TEXT: Options = ({}, {"weights": {"a": 5}}, {"default_language": "german"})


@pytest.mark.parametrize(
    ("keys", "options", "inherited"),
    [
        ((("a", 1),), REGULAR, {}),
        ((("a", 1),), REGULAR, FRENCH),
        ((("$**", 1),), WILDCARD, {}),
        ((("a", "text"),), TEXT, {}),
    ],
    ids=["regular", "with a collection's collation", "wildcard", "text"],
)
def test_two_indexes_on_the_same_keys(matrix_database, keys, options, inherited):
    things = matrix_database.create_collection("things", **inherited)
    for first, second in product(options, repeat=2):
        things.drop_indexes()
        things.create_index(list(keys), name="first", **first)
        catalog = read_catalog(matrix_database, statistics=False, usage=False)
        told = coexist(
            IndexSpec(name="second", keys=keys, options=second),
            catalog["things"].indexes[-1],
            catalog.server,
            inherited.get("collation"),
        )
        with suppress(OperationFailure):
            things.create_index(list(keys), name="second", **second)
        assert ("second" in things.index_information()) == told, (first, second)
