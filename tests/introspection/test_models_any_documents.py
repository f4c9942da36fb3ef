"""For any documents, the models are valid, and saving changes only what is documented."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.introspection.modelling import render_models
from tests.introspection.modelling_oracle import report_of
from tests.introspection.modelling_project import differences, documented, run_modules
from tests.introspection.modelling_syntax import assert_inert

COLLECTIONS = 16
"""Per example: each costs a process, which is the slow part."""

_EPOCH = datetime(1, 1, 1)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    _texts,
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.binary(max_size=6),
    st.builds(Binary, st.binary(min_size=16, max_size=16), st.sampled_from([3, 4, 5, 128])),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.datetimes(_EPOCH, datetime(9999, 12, 31)).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    ),
    st.decimals(allow_nan=True, places=3, min_value=-(10**9), max_value=10**9).map(Decimal128),
    st.builds(Timestamp, st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 1)),
    st.builds(Regex, st.sampled_from(["a", "^b$"]), st.sampled_from([0, 2, 8])),
    st.sampled_from([MinKey(), MaxKey(), Code("x"), Code("x", {"a": 1}), DBRef("a", 1)]),
)
_keys = st.one_of(
    st.sampled_from(["a", "b", "A", "map", "_id", "id", "class", "save", "a.b", "$a", "", "é"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(_keys, inner, max_size=3),
        st.lists(st.dictionaries(st.sampled_from("ab"), inner, max_size=2), max_size=3),
    ),
    max_leaves=8,
)
_documents = st.lists(
    st.dictionaries(_keys.filter(lambda key: key != "_id"), _values, max_size=5),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    collections=st.lists(_documents, min_size=COLLECTIONS, max_size=COLLECTIONS),
    values=st.booleans(),
)
def test_any_documents_survive(
    mongodb_server: MongoServer,
    database: Database[dict[str, Any]],
    collections: list[list[dict[str, Any]]],
    values: bool,
) -> None:
    before: dict[str, list[dict[str, Any]]] = {}
    for number, documents in enumerate(collections):
        collection = database[f"c{number}"]
        collection.drop()
        collection.insert_many({"_id": n, **each} for n, each in enumerate(documents))
        before[collection.name] = list(collection.find(sort=[("_id", 1)]))
    text = render_models(report_of(before, values=values), style="backend")
    assert_inert(text)

    with tempfile.TemporaryDirectory() as folder:
        outcome = run_modules(
            Path(folder), [text], uri=mongodb_server.uri, database=database.name, save=True
        )

    assert outcome.errors == [], text
    assert outcome.check == "", text
    for name, documents in before.items():
        after = list(database[name].find(sort=[("_id", 1)]))
        # A map is a value: nothing in it changes.
        changes = [
            change
            for old, new in zip(documents, after, strict=True)
            for change in differences(old, new)
            if not documented(change, documents) or ".map." in change
        ]
        assert changes == [], text


@pytest.mark.parametrize("style", ["backend", "plain"])
@settings(max_examples=25, deadline=None)
@given(collections=st.dictionaries(_texts.filter(bool), _documents, max_size=4))
def test_any_report_gives_an_inert_module(style: Any, collections: Any) -> None:
    assert_inert(render_models(report_of(collections, values=True), style=style))


def test_dates_are_naive_utc(database: Database[dict[str, Any]]) -> None:
    """The assumption of the strategies above: PyMongo returns the dates that it was given, in
    UTC."""
    moment = datetime(2020, 1, 1, 12, tzinfo=UTC)
    database["dates"].insert_one({"_id": 1, "at": moment})

    assert database["dates"].find_one() == {"_id": 1, "at": moment.replace(tzinfo=None)}
