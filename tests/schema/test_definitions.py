"""Validators and indexes whole, before and after, side by side."""

from __future__ import annotations

from typing import Any

import pytest

from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Validator
from djongo_services.schema.diff import diff
from djongo_services.schema.diff.definitions import definitions, renamed, side_by_side
from djongo_services.schema.operations import (
    SHADOW_PREFIX,
    BuildIndexes,
    CreateCollection,
    DropIndex,
    MakeUnique,
    Operation,
    PrepareUnique,
    SetCollectionTTL,
    SetHidden,
    SetTTL,
    SetValidator,
)
from djongo_services.schema.serialization import plan_bytes, plan_from
from djongo_services.schema.spec import CollectionSpec, IndexSpec


def spec(name: str = "i", **options: Any) -> IndexSpec:
    return IndexSpec(name=name, keys=(("a", 1),), options=options)


def whole(**options: Any) -> dict[str, Any]:
    return {"key": {"a": 1}, "name": "i", **options}


def sides(*operations: Operation, found: Any = None) -> list[tuple[str, Any, Any]]:
    known = None if found is None else {("c", "i"): found}
    shown = definitions(operations, known)
    return [(f"{one.kind} {one.name}".strip(), one.before, one.after) for one in shown]


def test_a_validator() -> None:
    before = Validator(query={"a": 1}, level="moderate", action="warn")
    step = SetValidator(collection="c", before=before, after=Validator(query={"a": 2}))
    assert sides(step) == [
        (
            "validator",
            {"validator": {"a": 1}, "validationLevel": "moderate", "validationAction": "warn"},
            {"validator": {"a": 2}, "validationLevel": "strict", "validationAction": "error"},
        )
    ]


def test_what_comes_and_what_goes() -> None:
    assert sides(
        CreateCollection(collection="c", options={"capped": True}),
        BuildIndexes(collection="c", indexes=(spec("i", unique=True),)),
        DropIndex(collection="d", index=spec()),
        SetCollectionTTL(collection="e", before=None, after=60),
    ) == [
        ("collection", None, {"capped": True}),
        ("index i", None, whole(unique=True)),
        ("index i", whole(), None),
        ("expiry", {"expireAfterSeconds": None}, {"expireAfterSeconds": 60}),
    ]


def test_a_rebuild_is_one_thing_without_its_temporary_index() -> None:
    shadow = spec(f"{SHADOW_PREFIX}i", sparse=True)
    assert sides(
        BuildIndexes(collection="c", indexes=(shadow,)),
        DropIndex(collection="c", index=spec()),
        BuildIndexes(collection="c", indexes=(spec("i", sparse=True),)),
        DropIndex(collection="c", index=shadow),
    ) == [("index i", whole(), whole(sparse=True))]


def test_another_name() -> None:
    (one,) = renamed(
        definitions(
            [
                DropIndex(collection="c", index=spec("old")),
                BuildIndexes(collection="c", indexes=(spec(),)),
            ]
        )
    )
    assert (one.name, one.before, one.after) == ("i", {**whole(), "name": "old"}, whole())


@pytest.mark.parametrize("found", [None, whole(hidden=True, expireAfterSeconds=5)])
def test_an_index_that_is_changed_where_it_stands(found: Any) -> None:
    steps = (
        SetTTL(collection="c", index="i", before=5, after=9),
        SetHidden(collection="c", index="i", hidden=False),
        PrepareUnique(collection="c", index="i"),
        MakeUnique(collection="c", index="i"),
    )
    ((_, before, after),) = sides(*steps, found=found)
    assert before["expireAfterSeconds"] == 5
    assert {**after} == {"expireAfterSeconds": 9, "unique": True} | (
        {"name": "i"} if found is None else whole()
    )


def test_what_is_undone_again_is_no_difference() -> None:
    on = SetHidden(collection="c", index="i", hidden=True)
    assert sides(on, *on.inverse()) == []


def test_a_plan_brings_the_whole_definition(database: Any) -> None:
    database.things.create_index("a", name="i", hidden=True)
    wanted = CollectionSpec(name="things", models=("app.Thing",), indexes=(spec(),))
    plan = diff(read_catalog(database), (wanted,))
    (change,) = plan_from(plan_bytes(plan)).changes
    ((_, before, after),) = [
        (one.name, one.before, one.after)
        for one in definitions(change.operations, {("things", "i"): change.found})
    ]
    assert before == {**whole(hidden=True), "v": 2}
    assert after == {**whole(), "v": 2}


def test_lines_beside_each_other() -> None:
    pairs = side_by_side("a\nb\nc\nd", "a\nB\nc\nnew\nd")
    assert [(pair.state, pair.before, pair.after) for pair in pairs] == [
        ("same", "a", "a"),
        ("changed", "b", "B"),
        ("same", "c", "c"),
        ("added", "", "new"),
        ("same", "d", "d"),
    ]


def test_of_one_side_alone() -> None:
    assert {pair.state for pair in side_by_side("", "a\nb")} == {"added"}
    assert {pair.state for pair in side_by_side("a\nb", "")} == {"removed"}
