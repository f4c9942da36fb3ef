"""The file of accepted differences: what a line accepts, and which lines make no sense."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djongo_services.drift.accepted import (
    AcceptedUnreadable,
    parse_accepted,
    render_accepted,
    with_accepted,
)
from djongo_services.drift.comparison import (
    CollectionDrift,
    Comparison,
    Difference,
    Kind,
    Side,
    Sign,
)
from tests.introspection.render_example import HOSTILE


def difference(
    collection: str = "books",
    subject: str = "isbn13",
    detail: str = "",
    *,
    sign: Sign = "+",
    kind: Kind = "field",
) -> Difference:
    return Difference(
        collection=collection,
        kind=kind,
        sign=sign,
        severity="new",
        subject=subject,
        detail=detail,
        after="string",
    )


def comparison(*found: Difference) -> Comparison:
    return Comparison(
        before=Side(label="before"),
        after=Side(label="after"),
        collections=tuple(
            CollectionDrift(name=one.collection, differences=(one,)) for one in found
        ),
    )


def accepted(text: str, found: Difference) -> str | None:
    (result,) = with_accepted(comparison(found), parse_accepted(text)).differences()
    return result.accepted


@pytest.mark.parametrize(
    "line",
    [
        "+ field books isbn13",
        "  +   field\tbooks  isbn13  ",
        '+ field "books" "isbn13" ""',
        "* * books",
        "+ * * isbn*",
        "+ field b??ks i*13",
        '+ field books "isbn\\u00313"',
    ],
)
def test_what_is_accepted(line: str) -> None:
    assert accepted(f"# heading\n\n{line} # since May\n", difference()) == "since May"
    assert accepted(line, difference()) == ""


@pytest.mark.parametrize(
    "line",
    [
        "- field books isbn13",
        "+ type books isbn13",
        "+ field book isbn13",
        "+ field books isbn13 string",
        '+ field books "isbn*"',
        "+ field books .sbn13",
    ],
)
def test_what_is_not(line: str) -> None:
    assert accepted(line, difference()) is None


def test_of_a_type_alone() -> None:
    line = "+ type books price string"
    assert accepted(line, difference("books", "price", "string", kind="type")) is not None
    assert accepted(line, difference("books", "price", "int", kind="type")) is None


def test_lines_that_meet_nothing_are_named() -> None:
    lines = "+ field gone\n+ field books isbn13 # known\n* * tmp_* # old\n"
    found = with_accepted(comparison(difference()), parse_accepted(lines))
    assert found.unused == ("+ field gone", "* * tmp_* # old")


def test_a_line_that_says_it_again_is_used_as_well() -> None:
    lines = "+ field books\n+ field books isbn13\n* * *\n* * *\n"
    found = with_accepted(comparison(difference()), parse_accepted(lines))
    assert found.unused == ()


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_name_can_be_accepted(collection: str, subject: str, detail: str) -> None:
    found = comparison(difference(collection, subject, detail))
    text = render_accepted(found)
    assert text.isascii()
    assert text.count("\n") == 2
    again = with_accepted(found, parse_accepted(text))
    assert not again.has_drift
    assert again.unused == ()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_their_quotes(name: str) -> None:
    found = comparison(difference(name, name, name))
    assert not with_accepted(found, parse_accepted(render_accepted(found))).has_drift
    other = comparison(difference("books", name))
    assert with_accepted(other, parse_accepted(render_accepted(found))).has_drift


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", "Line 1: it must begin with one of + ~ - *."),
        ("\n\n! field books", "Line 3: it must begin with one of + ~ - *."),
        ('"+" field books', "Line 1: it must begin with one of + ~ - *."),
        ("+", "Line 1: its second word must be one of collection, documents, field, type, "),
        ("+ fields books", "Line 1: its second word must be one of "),
        ("+ field", "Line 1: its third word must be a collection, or * for all."),
        ("+ field # books", "Line 1: its third word must be a collection, or * for all."),
        ("+ field a b c d", "Line 1: it has more than 5 words; put names with spaces into quotes."),
        ('+ field "books', "Line 1: a quote in it is not closed."),
        ('+ field "\\x"', "Line 1: a text in quotes must be a JSON string."),
    ],
)
def test_lines_that_make_no_sense(text: str, sentence: str) -> None:
    with pytest.raises(AcceptedUnreadable) as caught:
        parse_accepted(text)
    assert str(caught.value).startswith(sentence)


def test_thousands_of_lines_are_looked_up() -> None:
    def seconds(number: int) -> float:
        found = comparison(*(difference(f"c{n}") for n in range(number)))
        lines = parse_accepted(render_accepted(found))
        began = time.process_time()
        assert not with_accepted(found, lines).has_drift
        return time.process_time() - began

    assert seconds(20_000) < 100 * max(seconds(1_000), 0.01)
