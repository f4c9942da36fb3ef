"""The documents of ``syncmongoschema`` are those of docs/syncmongoschema-json.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.commands.test_syncmongoschema import sync

pytestmark = pytest.mark.django_db

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "syncmongoschema-json.md"


def documented(heading: str) -> list[str]:
    """The fields of the first table after the line ``heading``."""
    text = DOCUMENTATION.read_text().split(f"{heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table is not None
    return re.findall(r"^\| `([^`]+)`", table.group(), re.MULTILINE)


def top(names: list[str]) -> list[str]:
    return [name.removesuffix("[]") for name in names if "." not in name]


@pytest.fixture
def library(database, mongodb_server, settings):
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": {"HOST": mongodb_server.uri, "NAME": database.name}},
        "SCHEMA": {"MODELS": ["library"]},
    }
    database.books.insert_one({"_id": 1, "title": 3})
    database.books.create_index("nobodys")
    return database


def test_a_plan(library):
    plan = json.loads(sync("--plan", "--format", "json").stdout)
    assert list(plan) == top(documented("## `--plan --format json`"))
    fields = documented("A step:")
    assert list(plan["steps"][0]) == fields
    assert list(plan["differences"][0]["steps"][0]) == fields[1:]
    assert list(plan["differences"][0]) == top(documented("A difference, and a note:"))
    assert list(plan["notes"][0]) == top(documented("A difference, and a note:"))


def test_an_estimate(library):
    plan = json.loads(sync("--plan", "--format", "json").stdout)
    assert list(plan["estimate"]) == documented("An estimate:")


def test_a_problem(library, settings):
    settings.DJONGO_SERVICES["SCHEMA"]["MODELS"] = ["library", "mapping"]
    plan = json.loads(sync("--plan", "--format", "json").stdout)
    assert list(plan["problems"][0]) == documented("A problem:")


def test_history(library):
    sync()
    document = json.loads(sync("--history", "--format", "json").stdout)
    names = documented("## `--history --format json`")
    assert list(document) == top(names)
    assert [f"runs[].{name}" for name in document["runs"][0]] == names[2:]


def test_violations(library):
    document = json.loads(sync("--violations", "1", "--format", "json").stdout)
    names = documented("## `--violations N --format json`")
    assert list(document) == top(names)
    (found,) = document["violations"]
    assert [f"violations[].{name}" for name in found] == [n.removesuffix("[]") for n in names[2:5]]
    assert list(found["examples"][0]) == ["_id", "reasons"]
