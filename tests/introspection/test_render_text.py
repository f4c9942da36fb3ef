"""The report for a terminal: what people read, and that nothing in it steers the terminal."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len

from djongo_services.formatting import printable
from djongo_services.introspection.rendering.text import bar, render_text
from djongo_services.introspection.rendering.wording import coverage_text
from djongo_services.introspection.report import Report
from tests.introspection.render_example import (
    EMPTY,
    EXAMPLE,
    HOSTILE,
    coverage,
    hostile_report,
)

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")

PEOPLE = """\
archive
MongoDB 6.0.27, replica set rs0 of 1 member (db1:27017)
1 collection

people  collection
  1,234 documents · 1.2 MB of data (972 B each) · 400.0 kB on disk · 999 B of
  indexes · validator: moderate, error
  exact: all 1,234 documents counted

  FIELD    PRESENT  TYPES                   NOTES
  _id        100 %  ████████ objectId
  name       100 %  ████████ string
  email     99.7 %  ███████▊ string 97.2 %
                    ▎        null 2.4 %
  address     57 %  ████▌    object
    city     100 %  ████████ string

  INDEX     TYPE        SIZE  USAGE                          PROPERTIES
  _id_      regular   4.1 kB  db1:27017: 1,234 since         unique
  _id ↑                       2026-05-03
                              db2:27017: 0 since 2026-06-01
  email_1   regular  20.5 kB                                 unique
  email ↑
  bio_text  text              not available                  building, 75 % done
  bio text
"""


def only(name: str) -> Report:
    return replace(EXAMPLE, collections=(EXAMPLE[name],))


def test_a_collection_at_80_columns() -> None:
    assert render_text(only("people"), width=80) == PEOPLE


def test_a_narrow_terminal_gets_two_columns() -> None:
    lines = render_text(only("people"), width=50).splitlines()
    table = next(at for at, line in enumerate(lines) if line.startswith("  FIELD"))
    assert lines[table].split() == ["FIELD", "PRESENT,", "TYPES,", "NOTES"]
    # No word is squeezed to some letters a line.
    assert min(len(line.strip()) for line in lines[table:] if line) > 2


def test_spaces_at_the_edge_of_a_name_are_seen() -> None:
    assert '\n  " "  ' in render_text(hostile_report(" "), width=200)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_no_line_is_wider_than_asked_for(width: int) -> None:
    assert max(map(cell_len, render_text(EXAMPLE, width=width).splitlines())) <= width


def test_a_sample_is_marked_with_its_margin() -> None:
    text = render_text(only("notes"), width=100)
    assert "sample of 1,000 of 200,000 documents: shares are estimates, ±3.1 points (95 %)" in text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"documents": 0, "examined": 0, "margin": None}, "empty"),
        ({"documents": 1, "examined": 1, "margin": None}, "the only document examined"),
        (
            {"reached": "complete", "proven": True},
            "complete: every type in 200,000 documents is known, "
            "shares are estimates, ±3.1 points (95 %)",
        ),
        ({"reached": "exact", "proven": True}, "exact: all 200,000 documents counted"),
        (
            {"documents": 1, "reached": "exact", "proven": True, "margin": None},
            "exact: the only document counted",
        ),
        ({"margin": None}, "1,000 of 200,000 documents examined"),
    ],
)
def test_what_stands_behind_the_figures(changes: dict[str, Any], text: str) -> None:
    assert coverage_text(coverage(**changes)) == text


def test_notes_say_map_lengths_values_and_reference() -> None:
    text = render_text(only("notes"), width=140)
    for note in (
        "map: 350 date keys",
        "0 to 12 elements, 3.1 on average",
        "1900 to 2024",
        'one of "open" 60 %, "closed" 40 %',
        "→ people (99.5 % of 200 found)",
    ):
        assert note in text


def test_warnings_come_with_examples() -> None:
    text = render_text(only("notes"), width=140)
    assert "! The field year holds int (75 %) and string (23 %). For example: 64b7f0a1" in text


def test_a_view_that_cannot_be_read() -> None:
    text = render_text(only("recent notes"), width=100)
    assert "recent notes  view on gone" in text
    assert "! The view reads gone, which is missing." in text
    assert "statistics not available: a view has none" in text


def test_no_index_is_called_unused() -> None:
    assert "unused" not in render_text(EXAMPLE).lower()


def test_an_empty_database_says_so() -> None:
    text = render_text(EMPTY)
    assert text.splitlines()[-1] == "The database nothing has no collections to show."


def test_a_partial_result_says_so_first() -> None:
    text = render_text(replace(EXAMPLE, stopped="Interrupted after 2 of 3 collections."))
    assert text.splitlines()[3] == "Partial: Interrupted after 2 of 3 collections."


def test_colour_only_when_asked_for() -> None:
    plain, coloured = render_text(EXAMPLE), render_text(EXAMPLE, color=True)
    assert "\x1b" not in plain
    assert "\x1b[" in coloured
    stripped = [line.rstrip() for line in ESCAPE.sub("", coloured).splitlines()]
    assert stripped == plain.splitlines()


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_and_inert(name: str, color: bool) -> None:
    text = ESCAPE.sub("", render_text(hostile_report(name), width=200, color=color))
    assert printable(name) in text
    controls = {character for character in text if unicodedata.category(character) in ("Cc", "Cf")}
    assert controls <= {"\n"}


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        (1.0, "████████"),
        (0.5, "████    "),
        (0.0001, "▏       "),
        (0.0, "        "),
        (0.75, "██████  "),
        (1.5, "████████"),
    ],
)
def test_bars(share: float, drawn: str) -> None:
    assert bar(share) == drawn


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egpj", "\\u202egpj"),
        ("\ud800", "\\ud800"),
        ("\u2028", "\\u2028"),
        ("é 中文 🙂", "é 中文 🙂"),
        ("👨\u200d👩", "👨\u200d👩"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
