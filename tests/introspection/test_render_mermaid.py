"""The ER diagram: Mermaid's grammar, as far as this writer uses it, and hostile names inside."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from djongo_services.introspection.catalog import Collection
from djongo_services.introspection.rendering.mermaid import render_mermaid
from djongo_services.introspection.report import CollectionReport, Profile, Report
from tests.introspection.render_example import (
    EMPTY,
    EXAMPLE,
    HOSTILE,
    coverage,
    field,
    hostile_report,
)

ENTITY = r"[A-Za-z][A-Za-z0-9_]*"
QUOTED = r'"[^"%\\<>&#;`{}\x00-\x1f]+"'
LINES = (
    rf"    {ENTITY}(\[{QUOTED}\])?( \{{)?",
    rf"        [A-Za-z_][A-Za-z0-9_\[\]]* [A-Za-z_][A-Za-z0-9_]*( (PK|FK|UK))?( {QUOTED})?",
    r"    \}",
    rf"    {ENTITY} (\}}o|\|o)--(o\{{|o\|) {ENTITY} : {QUOTED}",
    r"    %% [^\x00-\x1f%{}]*",
)

EXPECTED = """\
erDiagram
    notes {
        objectId _id PK
        int_or_string year
        string status
        string[] tags FK
        map by_day
        objectId author_id FK
        date written
        binData_uuid a_b "a\N{FULLWIDTH REVERSE SOLIDUS}.b"
    }
    people {
        objectId _id PK
        string name
        string email UK
        object address
        string address_city "address.city"
    }
    recent_notes["recent notes"]
    tag_names["tag names"]
    notes }o--o| people : "author_id"
    notes }o--o{ tag_names : "tags[]"
"""


def collections(*names: str) -> Report:
    return replace(
        EXAMPLE,
        collections=tuple(CollectionReport(collection=Collection(name=name)) for name in names),
    )


def follows_the_grammar(text: str) -> bool:
    head, *lines = text.splitlines()
    return head == "erDiagram" and all(
        any(re.fullmatch(pattern, line) for pattern in LINES) for line in lines
    )


def test_collections_fields_and_references() -> None:
    assert render_mermaid(EXAMPLE) == EXPECTED
    assert follows_the_grammar(EXPECTED)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_inert(name: str) -> None:
    text = render_mermaid(hostile_report(name))
    assert follows_the_grammar(text)
    assert len(text.splitlines()) == len(render_mermaid(hostile_report("x y")).splitlines())


def test_names_that_look_alike_stay_apart() -> None:
    text = render_mermaid(collections("a b", "a-b", "a_b", "é", "中"))
    assert text.splitlines()[1:] == [
        '    x_a_b_2["a b"]',
        '    x_a_b_3["a-b"]',
        "    a_b",
        '    x["é"]',
        '    x_x_2["中"]',
    ]


@pytest.mark.parametrize("word", ["end", "class", "style", "one", "to", "erDiagram", "subgraph"])
def test_words_of_mermaids_own_are_no_entities(word: str) -> None:
    assert render_mermaid(collections(word)) == f'erDiagram\n    x_{word}["{word}"]\n'


@pytest.mark.parametrize("word", ["PK", "FK", "UK"])
def test_words_of_mermaids_own_are_no_attributes(word: str) -> None:
    profile = Profile(
        collection="c", fields=(field((word,), 1, string=1),), coverage=coverage(documents=1)
    )
    report = CollectionReport(collection=Collection(name="c"), profile=profile)
    text = render_mermaid(replace(EXAMPLE, collections=(report,)))
    assert f'        string x_{word} "{word}"' in text.splitlines()


def test_an_empty_database() -> None:
    assert render_mermaid(EMPTY) == "erDiagram\n    %% no collections\n"
