"""The page: self-contained, inert, and readable for people and for machines."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from djongo_services.formatting import printable
from djongo_services.introspection.rendering.html import render_html
from tests.introspection.render_example import EMPTY, EXAMPLE, HOSTILE, hostile_report

VOID = frozenset({"meta", "input", "br", "circle", "path", "rect"})


class Page(HTMLParser):
    """Elements with their attributes, and the text of each kind of element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.text[tag] = self.text.get(tag, "") + data


def structure(page: Page) -> list[str]:
    return [tag for tag, _ in page.elements]


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = Page(render_html(EXAMPLE))
    tags = structure(page)
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & set(tags)
    for tag, attributes in page.elements:
        assert "src" not in attributes
        assert tag != "a" or (attributes["href"] or "").startswith("#")
    assert "url(" not in page.text["style"]
    assert "@import" not in page.text["style"]


def test_the_policy_allows_its_own_style_and_script_by_hash_and_nothing_else() -> None:
    page = Page(render_html(EXAMPLE))
    policy = next(
        attributes["content"]
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == (
        f"default-src 'none'; style-src '{hash_of(page.text['style'])}'; "
        f"script-src '{hash_of(page.text['script'])}'; base-uri 'none'; form-action 'none'"
    )


def hash_of(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_no_style_or_handler_is_in_an_attribute() -> None:
    for _, attributes in Page(render_html(EXAMPLE)).elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_and_nothing_else(name: str) -> None:
    harmless, hostile = (Page(render_html(hostile_report(found))) for found in ("harmless", name))
    assert structure(hostile) == structure(harmless)
    assert hostile.text["script"] == harmless.text["script"]
    assert hostile.text["style"] == harmless.text["style"]
    assert printable(name) in hostile.text["h1"]
    assert printable(name) in hostile.text["tbody"]


def test_every_entry_of_the_contents_leads_to_its_collection() -> None:
    page = Page(render_html(EXAMPLE))
    targets = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    entries = [
        attributes["data-for"] for tag, attributes in page.elements if "data-for" in attributes
    ]
    assert targets == entries == ["collection-1", "collection-2", "collection-3"]


def test_it_can_be_read_without_scripts() -> None:
    html = render_html(EXAMPLE)
    hidden = re.findall(r"<(\w+)[^>]* hidden[ >]", html)
    assert hidden == ["div"]  # search and theme, which need the script
    for text in (
        "sample of 1,000 of 200,000 documents",
        "map: 350 date keys",
        "The field year holds int (75 %) and string (23 %).",
        "TTL 3,600 s",
        "db1:27017: 1,234 since 2026-05-03",
    ):
        assert text in html


def test_keyboard_and_screen_reader_find_their_way() -> None:
    page = Page(render_html(EXAMPLE))
    skip = page.elements[structure(page).index("a")][1]
    assert skip["href"] == "#main"
    assert next(a["id"] for tag, a in page.elements if tag == "main") == "main"
    for tag, attributes in page.elements:
        if attributes.get("class") == "scroll":
            assert attributes["tabindex"] == "0"
            assert attributes["aria-label"]
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))


def test_both_themes_have_the_same_colours() -> None:
    style = Page(render_html(EMPTY)).text["style"]
    light, by_system, by_hand = (
        set(re.findall(r"(--[\w-]+):", block))
        for block in re.findall(r":root[^{]*\{([^}]*)\}", style)
    )
    assert light == by_system == by_hand
    assert set(re.findall(r"var\((--[\w-]+)\)", style)) <= light


def test_an_empty_database_says_so() -> None:
    page = Page(render_html(EMPTY))
    assert "The database nothing has no collections to show." in page.text["header"]
    assert "section" not in structure(page)


def test_a_partial_result_says_so() -> None:
    page = Page(render_html(replace(EXAMPLE, stopped="The connection was lost.")))
    assert "Partial: The connection was lost." in page.text["header"]


def test_the_projects_locale_does_not_touch_the_figures(settings: object) -> None:
    from django.utils import translation

    with translation.override("de"):
        assert 'width="75.0"' in render_html(EXAMPLE)
