"""Validators by collection, and the validator of the one that was asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.introspection.catalog import Collection
from djongo_services.introspection.rendering.jsonschema import render_json_schema
from djongo_services.introspection.report import CollectionReport, Profile, Report
from tests.introspection.render_example import (
    EMPTY,
    EXAMPLE,
    HOSTILE,
    coverage,
    field,
    hostile_report,
)


def of(collection: Collection) -> Report:
    profile = Profile(
        collection=collection.name,
        fields=(field(("_id",), 3, int=3), field(("name",), 3, string=3)),
        coverage=coverage(documents=3, examined=3, margin=None, proven=True),
    )
    report = CollectionReport(collection=collection, profile=profile)
    return replace(EXAMPLE, collections=(report,))


def test_validators_by_collection() -> None:
    document = json.loads(render_json_schema(EXAMPLE))
    assert list(document) == ["notes", "people"]
    assert all(list(validator) == ["$jsonSchema"] for validator in document.values())


def test_the_one_that_was_asked_for_stands_alone() -> None:
    document = json.loads(render_json_schema(of(Collection(name="things")), single=True))
    assert list(document) == ["$jsonSchema"]


def test_a_view_has_a_schema_only_when_asked_for() -> None:
    report = of(Collection(name="window", type="view", options={"viewOn": "things"}))
    assert json.loads(render_json_schema(report)) == {}
    assert list(json.loads(render_json_schema(report, single=True))) == ["$jsonSchema"]


def test_nothing_known_is_no_validator() -> None:
    unreadable = replace(EXAMPLE, collections=(EXAMPLE["recent notes"],))
    assert json.loads(render_json_schema(EMPTY)) == {}
    assert json.loads(render_json_schema(unreadable, single=True)) == {}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_server_accepts_hostile_names(database: Database[dict[str, Any]], name: str) -> None:
    validator = json.loads(render_json_schema(hostile_report(name)))[name]
    database.create_collection("things", validator=validator)
    assert "\x1b" not in render_json_schema(hostile_report(name))
