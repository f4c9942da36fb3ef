"""JSON for programs: the keys are those of the documentation, the values those of the report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from djongo_services.introspection.rendering.json import render_json
from tests.introspection.render_example import EMPTY, EXAMPLE, HOSTILE, hostile_report

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "inspectmongo-json.md"

DATA = (
    "collections[].options",
    "collections[].validator.query",
    "collections[].indexes[].definition",
)
KEYED_BY_DATA: dict[str, str] = {
    "collections[].fields[].types": "<type>",
    "collections[].fields[].values.formats": "<format>",
}


def keys(value: Any, path: str = "") -> Iterator[str]:
    """Every path of keys in the document as the documentation writes it."""
    if isinstance(value, list):
        for item in value:
            yield from keys(item, f"{path}[]")
    elif isinstance(value, dict) and path not in DATA:
        for key, inner in value.items():
            name = KEYED_BY_DATA.get(path, key)
            below = f"{path}.{name}" if path else name
            yield below
            yield from keys(inner, below)


def documented() -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", DOCUMENTATION.read_text("utf-8"), re.MULTILINE)


def everything() -> Any:
    """The example with the one thing it lacks: string formats."""
    notes = EXAMPLE["notes"]
    assert notes.profile is not None
    status = notes.profile["status"]
    assert status.values is not None
    formatted = replace(status, values=replace(status.values, formats={"slug": 1.0}))
    fields = tuple(formatted if found is status else found for found in notes.profile.fields)
    changed = replace(notes, profile=replace(notes.profile, fields=fields))
    rest = [found for found in EXAMPLE.collections if found is not notes]
    return json.loads(render_json(replace(EXAMPLE, collections=(changed, *rest))))


def test_the_documented_keys_are_exactly_those_written() -> None:
    written = set(keys(everything())) - {"collections[].warnings[].examples[].$oid"}
    written -= {path for path in written if ".values.maximum." in path or ".minimum." in path}
    assert written == set(documented())


def test_the_documentation_has_each_key_once() -> None:
    assert len(documented()) == len(set(documented()))


def test_the_order_of_keys_is_the_documented_one() -> None:
    document = everything()
    order = documented()
    for prefix, found in (
        ("", document),
        ("collections[].", document["collections"][0]),
        ("collections[].fields[].", document["collections"][0]["fields"][1]),
        ("collections[].indexes[].", document["collections"][0]["indexes"][1]),
    ):
        of_level = [path.removeprefix(prefix) for path in order if path.startswith(prefix)]
        assert list(found) == [name for name in of_level if re.fullmatch(r"\w+", name)]


def test_a_field_with_its_types() -> None:
    year = next(
        found for found in everything()["collections"][0]["fields"] if found["path"] == "year"
    )
    assert year["types"] == {
        "int": {"count": 750, "probability": 0.75},
        "string": {"count": 230, "probability": 0.23},
    }
    assert (year["present"], year["missing"], year["null"]) == (980, 20, 0)


def test_arrays_maps_and_dots_in_names_have_paths_of_their_own() -> None:
    paths = [found["path"] for found in everything()["collections"][0]["fields"]]
    assert {"tags", "tags[]", "by_day", "by_day.<key>", "a\\.b"} <= set(paths)


def test_a_date_beyond_the_calendar_survives() -> None:
    raw = json.loads(render_json(EXAMPLE))["collections"][0]["fields"]
    written = next(found for found in raw if found["path"] == "written")
    assert written["values"]["maximum"] == {"$date": {"$numberLong": str(2**60)}}


def test_an_empty_database() -> None:
    document = json.loads(render_json(EMPTY))
    assert document["database"] == "nothing"
    assert document["collections"] == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_come_back_as_they_were(name: str) -> None:
    text = render_json(hostile_report(name))
    document = json.loads(text)
    assert document["collections"][0]["name"] == name
    assert document["collections"][0]["warnings"][0]["examples"] == [name]
    assert text.isascii()
    assert "\x1b" not in text
