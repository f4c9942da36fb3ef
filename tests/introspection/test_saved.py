"""A report kept as JSON is read back, and a file that is none is refused in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djongo_services.introspection.json_values import ReportUnreadable
from djongo_services.introspection.path import ELEMENT, KEY, parse_path, render_path
from djongo_services.introspection.rendering.json import render_json
from djongo_services.introspection.report import Report
from djongo_services.introspection.saved import read_report
from tests.introspection.render_example import EMPTY, EXAMPLE, HOSTILE, hostile_report

NAMES = st.one_of(
    st.text(max_size=6), st.text(alphabet="\\.[]<>keya\n", max_size=8), st.just("<key>")
)


@given(st.lists(st.one_of(NAMES, st.just(ELEMENT), st.just(KEY)), min_size=1, max_size=5))
def test_a_path_is_read_as_it_was_written(steps: list[Any]) -> None:
    path = tuple(steps)
    assert parse_path(render_path(path)) == path


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "a\\", "[].", ".<key>", "a[]b"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Not the path of a field"):
        parse_path(text)


def without_use(report: Report) -> Any:
    """The document, without what is not read back: the use of indexes, progress of builds."""
    document = json.loads(render_json(report))
    for collection in document["collections"]:
        for index in collection["indexes"]:
            index["usage"] = None
            index["build"] = index["build"] and {"done": None, "total": None}
    return document


@pytest.mark.parametrize("report", [EXAMPLE, EMPTY, *map(hostile_report, HOSTILE)])
def test_a_report_is_read_as_it_was_written(report: Report) -> None:
    assert without_use(read_report(render_json(report))) == without_use(report)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_however_it_is_encoded(encoding: str) -> None:
    """A shell of Windows redirects UTF-16."""
    data = render_json(EXAMPLE).encode(encoding)
    assert read_report(data).database == EXAMPLE.database


def test_keys_that_came_later_may_be_missing() -> None:
    document = json.loads(render_json(EXAMPLE))
    del document["inspected_at"]
    for collection in document["collections"]:
        del collection["muted"]
        del collection["unavailable"]
        collection["new in a later version"] = 1
    found = read_report(json.dumps(document))
    assert found.inspected_at is None
    assert [one.collection.name for one in found.collections] == [
        one.collection.name for one in EXAMPLE.collections
    ]


def changed(*path: str | int, value: Any) -> str:
    document = json.loads(render_json(EXAMPLE))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document)


FIELD = ("collections", 0, "fields", 1)
WHOLE = render_json(EXAMPLE)
NOT = "It is not a report of inspectmongo"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "It is empty; create it again with inspectmongo --format json --output FILE."),
        (WHOLE[: len(WHOLE) // 2], "It is truncated"),
        (WHOLE.rstrip()[:-1], "It is truncated"),
        ("hello", "It is not JSON: Expecting value at line 1, column 1."),
        ("[]", f"{NOT}; create one with inspectmongo --format json."),
        ('{"format_version": 1, "operations": []}', f"{NOT}; create one"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "a number in it is too long"),
        (b"\xff\xfe\xfd", "It is not text"),
        (changed("format_version", value=2), "upgrade djongo_services, or create it again."),
        (changed("format_version", value="x"), "It has the format version 'x'"),
        (changed("server", value=[]), "server must be an object"),
        (changed("server", "feature_compatibility", value="new"), "the version of a MongoDB"),
        (changed("inspected_at", value="yesterday"), "inspected_at must be a date and time"),
        (changed("collections", value={}), "collections must be a list"),
        (changed("collections", 1, "name", value="notes"), "the name of one collection only"),
        (changed("collections", 0, "type", value="table"), "collections[0].type must be one of"),
        (changed(*FIELD, "path", value="a..b"), "collections[0].fields[1].path must be the path"),
        (changed(*FIELD, "path", value="_id"), "listed once"),
        (changed(*FIELD, "path", value="nowhere.at.all"), "after the field that it is in"),
        (changed(*FIELD, "path", value=".".join("a" * 300)), "a path of at most 200 levels"),
        (changed(*FIELD, "parents", value=-1), "parents must be a number of something"),
        (changed(*FIELD, "parents", value=True), "parents must be a number of something"),
        (changed(*FIELD, "parents", value=2**80), "parents must be a number of something"),
        (changed(*FIELD, "types", value={}), "must be a field with types"),
        (changed("collections", 0, "coverage", "margin", value=float("nan")), "margin must be"),
        (changed("collections", 0, "uuid", value="x"), "uuid must be a UUID"),
    ],
)
def test_what_is_no_report(text: str | bytes, sentence: str) -> None:
    with pytest.raises(ReportUnreadable) as caught:
        read_report(text)
    assert sentence in str(caught.value)


def test_deep_options_are_refused() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = {"a": deep}
    with pytest.raises(ReportUnreadable, match="options must be nested in at most 200 levels"):
        read_report(changed("collections", 0, "options", value=deep))


def test_values_that_only_look_like_extended_json_stay_as_they_are() -> None:
    text = changed("collections", 0, "warnings", 0, "examples", value=[{"$oid": 1}, {"$date": {}}])
    (report, *_) = read_report(text).collections
    assert report.warnings[0].examples == ({"$oid": 1}, {"$date": {}})


@given(st.data())
def test_a_file_cut_anywhere_is_refused(data: st.DataObject) -> None:
    text = WHOLE.rstrip()
    cut = data.draw(st.integers(min_value=0, max_value=len(text) - 1))
    with pytest.raises(ReportUnreadable):
        read_report(text[:cut])


def test_the_moment_of_the_inspection_is_kept() -> None:
    moment = read_report(changed("inspected_at", value="2026-11-29T02:00:00+00:00")).inspected_at
    assert moment is not None
    assert render_json(replace(EMPTY, inspected_at=moment)).count("2026-11-29T02:00:00+00:00") == 1
