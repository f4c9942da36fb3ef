"""The table of index kinds says what the server does, and who declares each kind."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from djongo_services import indexes
from djongo_services.index_kinds import (
    KINDS,
    OPTION_DEFAULTS,
    VERSIONS,
    kind_of,
    wildcard_base,
    wildcard_path,
)
from djongo_services.introspection import read_catalog
from tests.processes import ROOT

KEYS: dict[str, list[tuple[str, Any]]] = {
    "regular": [("a", 1)],
    "compound": [("a", 1), ("b", -1)],
    "text": [("a", "text")],
    "2dsphere": [("a", "2dsphere")],
    "2d": [("a", "2d")],
    "hashed": [("a", "hashed")],
    "wildcard": [("$**", 1)],
}
pytestmark = pytest.mark.versions


@pytest.fixture(params=KEYS)
def kind(request: pytest.FixtureRequest) -> Any:
    return KINDS[request.param]


@pytest.fixture
def made(matrix_database: Any, kind: Any) -> Any:
    """An index that was created from its keys only, as the catalog has it."""
    matrix_database.things.create_index(KEYS[kind.name], name="made")
    return read_catalog(matrix_database)["things"].indexes[-1]


def test_all_but_the_clustered_are_looked_at() -> None:
    assert {*KEYS} == {*KINDS} - {"clustered"}


def test_its_name(made: Any, kind: Any) -> None:
    assert (made.name, made.kind, made.type) == ("made", kind, kind.name)
    assert kind_of(KEYS[kind.name]) is kind


def test_the_defaults_are_what_the_server_adds(made: Any, kind: Any) -> None:
    told = {"v", "key", "name", "ns", "weights", *VERSIONS}
    assert {name: made.definition[name] for name in {*made.definition} - told} == {
        name: OPTION_DEFAULTS[name] for name in {*made.definition} - told
    }
    versions = VERSIONS & made.definition.keys()
    assert versions <= {kind.version}


def test_its_options_are_its_own(matrix_database: Any, kind: Any) -> None:
    for name, default in kind.options.items():
        matrix_database.other.drop()
        matrix_database.other.create_index(KEYS[kind.name], **{name: default})
        for other in KINDS.keys() & KEYS.keys() - {kind.name}:
            assert name not in KINDS[other].options


def test_one_for_each_collection(matrix_database: Any, made: Any, kind: Any) -> None:
    more = [("c" if path == "a" else path, direction) for path, direction in KEYS[kind.name]]
    if kind.name == "wildcard":
        more = [("c.$**", 1)]
    if kind.is_only_one:
        with pytest.raises(OperationFailure):
            matrix_database.things.create_index(more)
    else:
        matrix_database.things.create_index(more)


def test_collations(matrix_database: Any, kind: Any) -> None:
    collation = {"locale": "de"}
    if kind.collates:
        matrix_database.things.create_index(KEYS[kind.name], collation=collation)
    else:
        with pytest.raises(OperationFailure, match="collation"):
            matrix_database.things.create_index(KEYS[kind.name], collation=collation)


def test_equality(matrix_database: Any, made: Any, kind: Any) -> None:
    plan = str(matrix_database.things.find({"a": 1}).explain()["queryPlanner"]["winningPlan"])
    assert ("IXSCAN" in plan) is kind.finds_equal, plan


def test_hints(matrix_database: Any, made: Any, kind: Any) -> None:
    def explain() -> Any:
        return matrix_database.things.find({}).hint("made").explain()

    if kind.takes_hint:
        assert "'made'" in str(explain()["queryPlanner"]["winningPlan"])
    else:
        with pytest.raises(OperationFailure):
            explain()


def test_who_declares_it(kind: Any) -> None:
    if not kind.declared_by:
        assert kind.is_ordinary
        return
    made = getattr(indexes, kind.declared_by)(name="x", fields=["a"], **kind.arguments)
    assert KINDS[made.kind] is kind


NEW_KIND = """
from djongo_services import index_kinds as kinds

row = kinds.IndexKind(name="spiral", declared_by="SpiralIndex", options={"turns": 3, "way": "in"})
kinds.KINDS["spiral"] = row

from djongo_services.introspection.modelling import render_models
from tests.introspection.modelling_oracle import report_of

index = {"name": "x", "key": {"name": "spiral", "age": -1.0}, "turns": 5.0, "way": "in"}
people = [{"_id": 1, "name": "a", "age": 1}]
report = report_of({"people": people}, indexes={"people": [index]})
print(render_models(report, style="plain"))
"""


def test_a_new_kind_needs_a_row_to_be_generated() -> None:
    command = [sys.executable, "-c", NEW_KIND]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert "import SpiralIndex\n" in done.stdout, done.stderr
    assert 'SpiralIndex(fields=["name", "-age"], name="x", turns=5)' in done.stdout


@pytest.mark.parametrize(
    ("path", "base"), [("$**", ""), ("a.$**", "a"), ("a.b.$**", "a.b"), ("a", None), ("a$**", None)]
)
def test_wildcards(path: str, base: str | None) -> None:
    assert wildcard_base(path) == base
    if base is not None:
        assert wildcard_path(base) == path
