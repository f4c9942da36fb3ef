"""Any content of a plan file is either the plan that was saved, or an error in one sentence."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import bson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from djongo_services.schema.operations import BuildIndexes
from djongo_services.schema.plan import Change, Plan
from djongo_services.schema.rendering import PlanFileError, load, render_json
from djongo_services.schema.serialization import (
    PlanUnreadable,
    operation_bytes,
    operation_from,
    plan_bytes,
    plan_from,
)
from djongo_services.schema.spec import IndexSpec

INDEX = IndexSpec(name="by_a", keys=(("a", 1), ("b", -1)), options={"unique": True})
STEP = BuildIndexes(collection="notes", indexes=(INDEX,))
PLAN = Plan(
    database="site",
    fingerprint="f" * 64,
    collections=("notes",),
    changes=(Change(collection="notes", sign="+", words="index by_a", operations=(STEP,)),),
)

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        # As json.loads gives them: halves of surrogate pairs among them.
        st.text(st.characters(exclude_categories=[]), max_size=12),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.fixture(autouse=True)
def key(settings: Any) -> None:
    settings.SECRET_KEY = "plans"


def of_file(text: str) -> Plan | None:
    """The plan; None where the file is refused."""
    refused: list[str] = []
    try:
        return load(text)
    except PlanFileError as error:
        refused.append(str(error))
    assert "\n" not in refused[0]
    return None


@given(text=st.one_of(st.text(), json_values.map(json.dumps)))
@example(text=json.dumps({"format_version": 1, "steps": [], "signature": "\ud800"}))
def test_any_text(text: str) -> None:
    assert of_file(text) is None


@given(data=st.data())
def test_any_value_in_the_place_of_another(data: st.DataObject) -> None:
    document = json.loads(render_json(PLAN))
    at = data.draw(st.sampled_from(sorted(document)))
    value = data.draw(json_values)
    is_same = json.dumps(document[at]) == json.dumps(value)
    document[at] = value
    found = of_file(json.dumps(document))
    assert found == (PLAN if is_same else None)


@given(data=st.data())
def test_any_file_that_is_damaged(data: st.DataObject) -> None:
    text = render_json(PLAN)
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(start + 20, len(text))))
    damaged = text[:start] + data.draw(st.text(max_size=6)) + text[stop:]
    # White space between the values, and an escape for a character, say the same.
    assert of_file(damaged) in (None, PLAN)


def damages(original: bytes) -> st.SearchStrategy[bytes]:
    """Some bytes are others, or missing."""

    @st.composite
    def damaged(draw: st.DrawFn) -> bytes:
        start = draw(st.integers(0, len(original)))
        stop = draw(st.integers(start, min(start + 8, len(original))))
        return original[:start] + draw(st.binary(max_size=8)) + original[stop:]

    return damaged()


@given(data=st.one_of(st.binary(), damages(plan_bytes(PLAN))))
def test_any_bytes_of_a_plan(data: bytes) -> None:
    """In place of a plan that an older or newer version signed."""
    with suppress(PlanUnreadable):
        assert isinstance(plan_from(data), Plan)


@given(data=st.one_of(st.binary(), damages(operation_bytes(STEP))))
def test_any_bytes_of_a_step(data: bytes) -> None:
    """In the history, which everyone who may write to the database can change."""
    with suppress(PlanUnreadable):
        operation_from(data)


bson_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=5), st.binary()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(data=st.data())
def test_any_value_in_a_step(data: st.DataObject) -> None:
    document = bson.decode(operation_bytes(STEP))
    place = data.draw(st.sampled_from([document, document["arguments"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(bson_values)
    with suppress(PlanUnreadable):
        operation_from(bson.encode(document))


@given(data=st.data())
def test_any_value_in_a_plan(data: st.DataObject) -> None:
    document = bson.decode(plan_bytes(PLAN))
    place = data.draw(st.sampled_from([document, document["changes"][0]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(bson_values)
    signed = json.loads(render_json(PLAN))
    signed["plan"] = base64.b64encode(bson.encode(document)).decode()
    with suppress(PlanUnreadable):
        plan_from(bson.encode(document))
    assert of_file(json.dumps(signed)) in (None, PLAN)
