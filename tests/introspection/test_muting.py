"""Warnings that repeat themselves for many fields, and those that a project silences."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.introspection import inspect_database
from djongo_services.introspection.muting import CODES, Mute, parse_mute, parse_mutes
from djongo_services.introspection.profiling.warnings import grouped
from djongo_services.introspection.rendering.html import render_html
from djongo_services.introspection.rendering.text import render_text
from djongo_services.introspection.report import CollectionReport, Finding

Mongo = Database[dict[str, Any]]

PACKAGE = Path(__file__).parents[2] / "djongo_services" / "introspection"


@pytest.fixture
def tweets(database: Mongo) -> Mongo:
    names = ["id", "user_id", "reply_id", "quoted_id", "source_id"]
    database.tweets.insert_many(
        {"_id": n, **{f"{name}_str": str(n + 10) for name in names}, "at": [{"s_str": str(n)}]}
        for n in range(40)
    )
    database.other.insert_many([{"_id": n, "price": str(n)} for n in range(40)])
    return database


def test_twenty_warnings_are_one(tweets: Mongo) -> None:
    report = inspect_database(tweets, values=True)
    (warning,) = report["tweets"].warnings
    assert warning.code == "number-as-string"
    assert warning.path is None
    assert warning.paths == (
        "id_str",
        "user_id_str",
        "reply_id_str",
        "quoted_id_str",
        "source_id_str",
        "at[].s_str",
    )
    assert warning.count == 240
    assert warning.message == (
        '6 fields keep numbers as strings: "id_str", "user_id_str", "reply_id_str", '
        '"quoted_id_str", "source_id_str" and 1 more. "10" sorts before "9"; convert them.'
    )
    assert [one.path for one in report["other"].warnings] == ["price"]


def test_three_of_a_kind_and_other_kinds_stay_apart() -> None:
    three = [Finding(code="number-as-string", message=".", path=str(n)) for n in range(3)]
    others = [Finding(code="mixed-types", message=".", path=str(n)) for n in range(9)]
    assert grouped([*three, *others]) == [*three, *others]


def test_a_group_stands_where_its_first_member_was() -> None:
    many = [Finding(code="date-as-string", message=".", path=str(n), count=2) for n in range(4)]
    one = Finding(code="mixed-types", message=".", path="a")
    found = grouped([many[0], one, *many[1:]])
    assert [(each.code, each.count, each.paths) for each in found] == [
        ("date-as-string", 8, ("0", "1", "2", "3")),
        ("mixed-types", None, ()),
    ]


@pytest.mark.parametrize(
    ("what", "left", "muted"),
    [
        ("number-as-string", [], 7),
        ("*_str", ["price"], 6),
        ("tweets.*", ["price"], 6),
        ("at[].s_str", ["grouped", "price"], 1),
        ("number-as-string:other.*", ["grouped"], 1),
        ("date-as-string:other.*", ["grouped", "price"], 0),
        ("pric?", ["grouped"], 1),
        ("[p]rice", ["grouped", "price"], 0),
        ("PRICE", ["grouped", "price"], 0),
    ],
)
def test_muted_by_code_path_or_pattern(
    tweets: Mongo, what: str, left: list[str], muted: int
) -> None:
    report = inspect_database(tweets, values=True, mute=[parse_mute(what)])
    warnings = [*report["tweets"].warnings, *report["other"].warnings]
    assert [one.path or "grouped" for one in warnings] == left
    assert report["tweets"].muted + report["other"].muted == muted


def test_what_is_muted_is_counted_in_one_line(tweets: Mongo) -> None:
    report = inspect_database(tweets, values=True, mute=parse_mutes(["*_str"]))
    text = render_text(report)
    assert "2 collections, 1 warning, 6 warnings muted" in text
    assert "id_str keep" not in text
    assert "\n  6 warnings muted\n" in text
    assert "6 warnings muted" in render_html(report)


def test_an_index_is_muted_by_its_name() -> None:
    warning = Finding(code="redundant-index", message=".", path="email_1")
    assert Mute(pattern="email_?").matches("users", warning)
    assert Mute(pattern="users.email_1").matches("users", warning)
    assert not Mute(pattern="email_1").matches("users", Finding(code="x", message="."))


def test_a_warning_about_several_fields_needs_all_of_them() -> None:
    warning = Finding(code="near-missing", message=".", path="by", paths=("by.a", "by.b"))
    assert Mute(pattern="by.*").matches("users", warning)
    assert not Mute(pattern="by.a").matches("users", warning)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "A warning to mute must be a code, a path or a pattern, not an empty string."),
        ("number-as-strng", "There is no warning 'number-as-strng'; did you mean 'number-as-str"),
        ("mixed-type:users.*", "There is no warning 'mixed-type'; did you mean 'mixed-types'?"),
    ],
)
def test_what_is_misspelled_is_not_taken_for_a_path(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        parse_mute(text)


def test_every_code_can_be_muted() -> None:
    """Every code is also documented with the others."""
    written = set()
    for path in PACKAGE.rglob("*.py"):
        written |= set(re.findall(r'code="([a-z-]+)"', path.read_text("utf-8")))
    documents = (PACKAGE / "profiling" / "warnings" / "documents.py").read_text("utf-8")
    written |= set(re.findall(r'code, what, example = "([a-z-]+)"', documents))
    assert written == set(CODES)
    documented = (PACKAGE.parents[1] / "docs" / "inspectmongo-json.md").read_text("utf-8")
    assert [code for code in CODES if f"`{code}`" not in documented] == []


def test_a_report_without_muted_warnings_does_not_speak_of_them(tweets: Mongo) -> None:
    report = inspect_database(tweets)
    assert isinstance(report["tweets"], CollectionReport)
    assert "muted" not in render_text(report)
    assert "muted" not in render_html(report)
