"""Names of the database as names of Python and Django, and hostile ones as mere data."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from djongo_services.introspection.modelling import render_models
from djongo_services.introspection.modelling.naming import (
    RESERVED_FIELDS,
    Namespace,
    class_name,
    field_name,
)
from djongo_services.introspection.report import Reference
from tests.introspection.modelling_oracle import report_of
from tests.introspection.modelling_project import run_modules
from tests.introspection.modelling_syntax import assert_inert

HOSTILE = [
    'x"); import os #',
    '"""\nimport os\n"""',
    "'''; raise SystemExit",
    "a\nimport os",
    "a\rimport os",
    "a\u2028import os",
    "a\x0cimport os",
    "a\x85import os",
    "{{ 7 * 7 }}",
    "{% now %}",
    "<script>alert(1)</script>",
    "\\",
    'ends in a backslash \\"',
    "\\N{BULLET}",
    "%(name)s %s",
    "{name!r}",
    "\u202eright to left\u202c",
    "\u2066isolated\u2069",
    "\ud800 surrogate",
    "\ufeff",
    "# -*- coding: utf-7 -*-",
    "__import__('os')",
    "lambda: 0",
    "\x1b[31mred",
    "x" * 300,
]
AWKWARD = [
    *("class", "None", "match", "_", "__", "_x", "x_", "a__b", "2nd", "-", " ", "a b", "a-b"),
    *("id", "ID", "pk", "objects", "save", "delete", "check", "clean", "full_clean", "_state"),
    *("_meta", "from_db", "date_error_message", "get_status_display", "get_next_by_created"),
    *("created", "status", "models", "Meta", "DoesNotExist", "EmbeddedModel", "BSONField"),
    *("name", "Name", "NAME", "na me", "name_2", "firstName", "first_name", "HTTPServer"),
    *(
        "é",
        "e\u0301",
        "ﬁ",
        "fi",
        "人",
        "人 ",
        "\u017f",
        "İ",
        "ß",
        "SS",
        "ª",
        "\U0001d431",
        "x²",
        "Ⅷ",
        "\u0661",
    ),
    *("self", "kwargs", "refresh_from_db", "adelete", "validate_unique", "unique_error_message"),
    *("print", "Exception", "type", "int", "dict", "a" * 200, "a" * 200 + "b"),
]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("createdAt", "created_at"),
        ("HTTPServer", "http_server"),
        ("class", "class_field"),
        ("2nd", "field_2nd"),
        ("first name", "first_name"),
        ("a__b", "a_b"),
        ("_private_", "private"),
        ("save", "save_field"),
        ("id", "id_field"),
        ("pk", "pk_field"),
        ("get_x_display", "get_x_display_field"),
        ("größe", "größe"),
        ("价格", "价格"),
        ("ﬁeld", "field"),
        ("$", "field"),
        ("x\u202ey", "x_y"),
        ("x\u200cy", "x_y"),
    ],
)
def test_a_key_as_a_field_name(key: str, name: str) -> None:
    assert field_name(key) == name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("field_notes", "FieldNotes"),
        ("fieldNotes", "FieldNotes"),
        ("fs.files", "FsFiles"),
        ("2020", "Collection2020"),
        ("Exception", "ExceptionModel"),
        ("None", "NoneModel"),
        ("人", "人Model"),
        ("$$", "Collection"),
    ],
)
def test_a_collection_as_a_class_name(key: str, name: str) -> None:
    assert class_name(key) == name


@given(st.text(max_size=80))
def test_any_key_makes_a_valid_name(key: str) -> None:
    name = field_name(key)

    assert name.isidentifier()
    assert name == name.lower()
    assert "__" not in name
    assert not name.startswith("_")
    assert not name.endswith("_")
    assert name not in RESERVED_FIELDS
    assert ast.parse(f"{name} = 1").body[0].targets[0].id == name  # type: ignore[attr-defined]


@given(st.text(max_size=80))
def test_any_collection_makes_a_valid_class_name(key: str) -> None:
    name = class_name(key)

    assert name.isidentifier()
    assert "_" not in name
    assert name != name.lower()
    assert ast.parse(f"class {name}: pass").body[0].name == name  # type: ignore[attr-defined]


def test_a_name_comes_with_its_companions() -> None:
    names = Namespace({"author_id"})

    assert names.claim("author", companions=("{}_id",)) == "author_2"
    assert "author_2_id" in names


def _documents(names: list[str]) -> list[dict[str, Any]]:
    inner = {name: name for name in names}
    return [{"_id": 1, **dict.fromkeys(names, "x"), "inner": inner, "list": [inner]}] * 2


def _hostile_report(names: list[str]) -> Any:
    """Every name as a collection, a field, an embedded field, a value and an index."""
    return report_of(
        {name: _documents(names) if number < 2 else [] for number, name in enumerate(names)},
        values=True,
        database=names[0],
        indexes={
            names[0]: [
                {"name": name, "key": {name: 1}, "partialFilterExpression": {name: name}}
                for name in names
            ],
            names[1]: [{"name": name, "key": {name: -1}} for name in names],
        },
        references={
            names[0]: [
                Reference(path=(name,), target=names[2], checked=2, found=1) for name in names
            ]
        },
    )


@pytest.mark.parametrize("style", ["backend", "plain"])
def test_hostile_names_are_inert(style: Literal["backend", "plain"]) -> None:
    assert_inert(render_models(_hostile_report(HOSTILE), style=style))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=3, max_size=6, unique=True))
def test_any_names_are_inert(names: list[str]) -> None:
    for style in ("backend", "plain"):
        assert_inert(render_models(_hostile_report(names), style=style))


@pytest.mark.parametrize("style", ["backend", "plain"])
@pytest.mark.parametrize(
    "names",
    [[name for name in HOSTILE if name.isascii()], AWKWARD, list(reversed(AWKWARD))],
    ids=["hostile", "awkward", "reversed"],
)
def test_the_project_check_has_nothing_against_any_name(
    tmp_path: Path, names: list[str], style: Literal["backend", "plain"]
) -> None:
    module = render_models(_hostile_report(names), style=style)

    outcome = run_modules(
        tmp_path, [module], style=style, uri="mongodb://127.0.0.1:1/", database="unused"
    )

    assert outcome.check == ""


@pytest.mark.parametrize("style", ["backend", "plain"])
def test_the_text_is_as_ruff_formats_it(style: Literal["backend", "plain"]) -> None:
    text = render_models(_hostile_report(AWKWARD), style=style)

    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == text


@pytest.mark.parametrize("style", ["backend", "plain"])
def test_the_columns_and_tables_keep_the_original_names(
    style: Literal["backend", "plain"],
) -> None:
    names = ["a b", "class", "plain", "x__y"]
    text = render_models(report_of({"the notes": _documents(names)}), style=style)

    assert 'db_table = "the notes"' in text
    assert re.findall(r'^    (\w+) = models\.TextField\(.*db_column="(.*?)"', text, re.M)[-3:] == [
        ("a_b", "a b"),
        ("class_field", "class"),
        ("x_y", "x__y"),
    ]
