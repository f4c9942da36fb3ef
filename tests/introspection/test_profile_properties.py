"""For random documents: the proof ends, exact counts are exact, and the schema holds."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    CodecOptions,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.codec_options import DatetimeConversion
from bson.datetime_ms import DatetimeMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database
from pymongo.errors import WriteError

from djongo_services.introspection.profiling import profile
from djongo_services.introspection.profiling.closed_schema import json_schema
from tests.introspection.profile_oracle import count, of_profile

pytestmark = pytest.mark.versions


CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO
)

names = st.sampled_from(
    ["a", "b", "c", "name", "a.b", ".", "$a", "", " ", "é", "a\n", 'x"); import os #', "0", "_id"]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(
        [
            ObjectId("0" * 24),
            datetime(2020, 1, 1, tzinfo=UTC),
            DatetimeMS(2**62),
            Decimal128("1.5"),
            Timestamp(1, 1),
            Regex("a", "i"),
            MinKey(),
            MaxKey(),
            Code("x"),
            Code("x", {"a": 1}),
            b"abc",
            Binary(b"abc", 128),
            Binary.from_uuid(uuid.UUID(int=1)),
            Binary(bytes(16), 3),
            DBRef("c", 1),
            DBRef("c", "x", "db"),
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)
identities = st.one_of(
    st.integers(0, 50),
    st.text(max_size=2),
    st.none(),
    st.booleans(),
    st.floats(),
    st.builds(lambda n: {"a": n}, st.integers(0, 9)),
    st.sampled_from([MinKey(), MaxKey(), ObjectId("1" * 24), b"x", Binary(bytes(16), 4)]),
)
documents = st.lists(
    st.builds(
        lambda identity, rest: {"_id": identity, **{k: v for k, v in rest.items() if k != "_id"}},
        identities,
        st.dictionaries(names, values, max_size=4),
    ),
    min_size=8,
    max_size=40,
)


@given(documents)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_exact_counts_equal_a_count_of_every_document(
    matrix_database: Database[dict[str, Any]], drawn: list[dict[str, Any]]
) -> None:
    collection = matrix_database.get_collection("random", codec_options=CODEC)
    collection.drop()
    for document in drawn:
        # A duplicate, or on 4.4 a name that begins with a dollar.
        with suppress(WriteError):
            collection.insert_one(document)
    stored = list(collection.find())

    result = profile(collection, "exact", sample=1)

    assert result.coverage.stopped is None
    assert result.coverage.proven
    assert result.coverage.documents == len(stored)
    expected = count(stored)
    assert of_profile(result) == expected.counted()
    for field in result.walk():
        if field.lengths is not None:
            lengths = expected.lengths[field.path]
            assert (field.lengths.minimum, field.lengths.maximum) == (min(lengths), max(lengths))
            assert sum(field.lengths.histogram.values()) == len(lengths)
    schema = json_schema(result)
    assert collection.count_documents({"$nor": [{"$jsonSchema": schema}]}) == 0
    matrix_database.command("collMod", "random", validator={"$jsonSchema": schema})
