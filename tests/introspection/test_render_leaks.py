"""No rendered text contains programmers' terms, or a plural for one thing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from pymongo.database import Database

from djongo_services.formatting import percent, value_text
from djongo_services.introspection import inspect_database
from djongo_services.introspection.modelling import render_models
from djongo_services.introspection.profiling.warnings import wording
from djongo_services.introspection.rendering.html import render_html
from djongo_services.introspection.rendering.json import render_json
from djongo_services.introspection.rendering.jsonschema import render_json_schema
from djongo_services.introspection.rendering.mermaid import render_mermaid
from djongo_services.introspection.rendering.text import render_text
from djongo_services.introspection.report import Report
from tests.introspection.render_example import EXAMPLE

LEAKS = {
    "a member of an enum": r"\b_?[A-Z][A-Za-z]*\.[A-Z][A-Z_]+\b",
    "an object": r"<[\w.]+ object at 0x|<(?:class|function|module|Step)\b",
    "a Python value": r"\b(?:Decimal128|Int64|ObjectId|datetime\.\w+|Regex|Code|MinKey)\('",
    "a dataclass": r"\b(?:Field|Warning|Coverage|Reference|TypeCount|Profile)\(\w+=",
    "one of several": r"(?<![\d.,±])(?<!to )\b1 (?!(?:s|ms|is|of|less)\b)[a-z]+(?<!s)s\b",
    "several or one": r"\w\(s\)",
    "all of one": r"\ball 1 ",
    "two ways to write percent": r"\d%",
}
VALUES: list[Any] = [
    Regex("a", "i"),
    Code("x"),
    Code("x", {"a": 1}),
    MinKey(),
    MaxKey(),
    DBRef("c", 1),
    Decimal128("1.5"),
    Int64(5),
    ObjectId("0" * 24),
    datetime(2020, 1, 1, tzinfo=UTC),
    DatetimeMS(2**62),
    Timestamp(1, 1),
    {"a": [Regex("a")]},
    [DatetimeMS(2**62)],
    None,
    True,
]


def leaks(text: str) -> list[tuple[str, str]]:
    return [
        (name, found.group())
        for name, pattern in LEAKS.items()
        for found in re.finditer(pattern, text)
    ]


def texts(report: Report) -> dict[str, str]:
    """The outputs that people read; JSON and source code have their own syntax."""
    page = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", render_html(report), flags=re.DOTALL)
    return {
        "text": render_text(report),
        "narrow": render_text(report, width=60),
        "html": page,
        "mermaid": render_mermaid(report),
        "messages": "\n".join(
            one.message for found in report.collections for one in found.warnings
        ),
    }


@pytest.fixture(params=[1, 2, 40])
def real(request: pytest.FixtureRequest, database: Database[dict[str, Any]]) -> Report:
    """One, two and some of everything."""
    number = request.param
    for name in ("one", "two")[:number]:
        database[name].insert_many(
            {
                "_id": n,
                "tags": ["a"] * (n % 2),
                "price": str(n),
                "mixed": n if n % 2 else VALUES[n % len(VALUES)],
                "by": DBRef("gone", n),
                "map": {f"{n:024x}": 1},
                "binary": b"x",
                "secret": "x",
            }
            for n in range(number)
        )
        database[name].create_index("tags", expireAfterSeconds=1)
        database[name].create_index([("price", 1), ("mixed", -1)])
        database[name].create_index("price")
        database.command(
            "collMod", name, validator={"nothing": {"$exists": True}}, validationLevel="moderate"
        )
    return inspect_database(database, values=True, depth="exact")


def test_no_text_for_people_has_one(real: Report) -> None:
    for name, text in texts(real).items():
        assert leaks(text) == [], name


def test_nor_has_the_example() -> None:
    for name, text in texts(EXAMPLE).items():
        assert leaks(text) == [], name


def test_partial_reports(real: Report) -> None:
    (first, *_) = real.collections
    report = replace(real, collections=(first,), stopped="The inspection was stopped.")
    assert leaks(render_text(report)) == []


def test_machine_output_has_no_python_either(real: Report) -> None:
    for text in (
        render_json(real),
        render_json_schema(real),
        render_models(real, style="backend"),
        render_models(real, style="plain"),
    ):
        found = [(name, leak) for name, leak in leaks(text) if name in ("an object", "a dataclass")]
        assert found == []


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_of_any_type(value: Any) -> None:
    text = value_text(value, 200)
    assert leaks(text) == []


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.0004, "<0.1 %"),
        (0.001, "0.1 %"),
        (0.035, "3.5 %"),
        (0.04, "4 %"),
        (0.0999, "10 %"),
        (0.1049, "10 %"),
        (0.5, "50 %"),
        (0.9, "90 %"),
        (0.965, "96.5 %"),
        (0.999, "99.9 %"),
        (0.9995, ">99.9 %"),
        (1, "100 %"),
    ],
)
def test_one_way_to_write_percent(share: float, text: str) -> None:
    assert percent(share) == text
    assert not hasattr(wording, "percent")
