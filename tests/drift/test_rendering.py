"""A comparison as text, JSON and a page: the same facts, whatever names the data has."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from djongo_services.drift.accepted import parse_accepted, with_accepted
from djongo_services.drift.comparing import compare
from djongo_services.drift.comparison import Comparison
from djongo_services.drift.rendering.html import render_html
from djongo_services.drift.rendering.json import render_json
from djongo_services.drift.rendering.text import render_text
from djongo_services.formatting import printable
from djongo_services.introspection.report import Report
from tests.drift.by_hand import field, report, sampled, spec
from tests.introspection.render_example import EMPTY, EXAMPLE, HOSTILE, hostile_report
from tests.introspection.test_render_html import Page, hash_of, structure
from tests.introspection.test_render_json import keys

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "drift.md"
N = 1_000


def sides() -> tuple[Report, Report]:
    """Two sides with one difference of each kind: breaking, new, moved, accepted, possibly
    chance."""
    coverage = sampled(N, of=100_000)
    key = field("_id", parents=N, int=N)
    before = report(
        key,
        field("price", parents=N, double=N),
        field("size", parents=N, int=500),
        field("old", parents=N, int=N),
        coverage=coverage,
    )
    after = report(
        key,
        field("price", parents=N, double=900, string=100),
        field("size", parents=N, int=300),
        field("rare", parents=N, int=1),
        coverage=coverage,
    )
    came = replace(after.collections[0].collection, name="came", type="view")
    view = replace(after.collections[0], collection=came, profile=None)
    return before, replace(after, collections=(view, *after.collections))


def example() -> Comparison:
    before, after = sides()
    models = spec(properties={"price": {"bsonType": "double"}})
    found = compare(before, after, labels=("baseline.json", "the database"), models=models)
    lines = "- field things old # dropped in May\n+ field nowhere\n"
    return replace(with_accepted(found, parse_accepted(lines)), notes=("A note.",))


def test_text() -> None:
    text = render_text(example())
    assert text == (
        "from  baseline.json: shop, MongoDB 6.0.27\n"
        "to    the database: shop, MongoDB 6.0.27\n"
        "Moves below 1 point are not listed, nor what two samples allow at a level of 1 % "
        "for all 3 tests together.\n"
        "\n"
        "came\n"
        "  + collection: view on ?\n"
        "\n"
        "things  a.Thing  sample of 1,000 of 100,000 documents: shares are estimates, ±3.1 points "
        "(95 %)\n"
        "  + price: type string: double → double 90 %, string 10 %; the models accept double  "
        "(breaks the models)\n"
        "  ~ size: in 50 % of documents → in 30 % of documents  (moved)\n"
        "  ? on one side only, which may be chance: + rare; --depth complete on both sides tells\n"
        "\n"
        "A note.\n"
        "1 difference breaks the models, 1 is new, 1 moved; 1 accepted.\n"
    )


def test_colours_only_when_asked_for() -> None:
    assert "\x1b[" not in render_text(example())
    assert "\x1b[" in render_text(example(), color=True)


def documented() -> list[str]:
    _, section = DOCUMENTATION.read_text("utf-8").split("### The JSON")
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_the_documented_keys_are_exactly_those_written() -> None:
    written = set(keys(json.loads(render_json(example()))))
    assert written == set(documented())
    assert len(documented()) == len(set(documented()))


def test_json_says_what_the_text_says() -> None:
    document = json.loads(render_json(example()))
    assert document["counts"] == {
        "breaks": 1,
        "new": 1,
        "moved": 1,
        "uncertain": 1,
        "accepted": 1,
    }
    text = render_text(example())
    found: list[Any] = [one for each in document["collections"] for one in each["differences"]]
    for one in found:
        assert (one["line"] in text) == (one["certain"] and one["accepted"] is None)
    accepted = next(one for one in found if one["accepted"] is not None)
    assert (accepted["subject"], accepted["accepted"]) == ("old", "dropped in May")
    assert document["unused"] == ["+ field nowhere"]
    assert json.loads(render_json(compare(EMPTY, EMPTY)))["collections"] == []


class TestPage:
    def test_its_policy_allows_its_own_style_and_script_alone(self) -> None:
        page = Page(render_html(example()))
        policies = [
            attributes["content"]
            for tag, attributes in page.elements
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policies == [
            f"default-src 'none'; style-src '{hash_of(page.text['style'])}'; "
            f"script-src '{hash_of(page.text['script'])}'; base-uri 'none'; form-action 'none'"
        ]
        assert not {"link", "img", "iframe", "form"} & set(structure(page))
        for _, attributes in page.elements:
            assert "src" not in attributes
            assert not [name for name in attributes if name == "style" or name.startswith("on")]

    def test_it_has_both_sides(self) -> None:
        page = Page(render_html(example()))
        for words in ("baseline.json", "the database"):
            assert words in page.text["dd"]
        for words in ("in 50 % of documents", "in 30 % of documents", "dropped in May"):
            assert words in page.text["td"]
        for words in ("breaks the models", "perhaps chance", "moved", "new", "accepted"):
            assert words in page.text["span"]

    def test_every_row_can_be_found_by_the_search(self) -> None:
        page = Page(render_html(example()))
        paths = [
            attributes["data-path"] for _, attributes in page.elements if "data-path" in attributes
        ]
        assert paths == ["", "price string", "size", "rare", "old"]


def hostile(name: str) -> Comparison:
    """``name`` everywhere, came, went and in the file of what is accepted."""
    one = hostile_report(name)
    lines = f"* * * * * # {printable(name)}\n+ field {json.dumps(name)}"
    found = compare(one, hostile_report(f"{name}2"), labels=(name, name))
    other = compare(EXAMPLE, one, labels=(name, name))
    drifts = (*found.collections, *with_accepted(other, parse_accepted(lines)).collections)
    return replace(found, collections=drifts, notes=(name,), unused=(name,))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_and_nothing_else(name: str) -> None:
    text = render_text(hostile(name))
    assert not [one for one in text if one != "\n" and not one.isprintable()]
    assert len(text.splitlines()) == len(render_text(hostile("harmless")).splitlines())
    page, plain = Page(render_html(hostile(name))), Page(render_html(hostile("harmless")))
    # In another order, which is that of the names.
    assert sorted(structure(page)) == sorted(structure(plain))
    assert page.text["script"] == plain.text["script"]
    assert render_json(hostile(name)).isascii()


def test_what_was_interrupted_has_no_differences_so_far() -> None:
    partial = replace(sides()[0], stopped="The inspection was stopped.")
    text = render_text(compare(partial, partial))
    assert "MongoDB 6.0.27, partial: The inspection was stopped.\n" in text
    assert text.endswith("\nNo differences so far in 1 collection.\n")
