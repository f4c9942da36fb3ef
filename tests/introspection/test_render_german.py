"""Reports and comparisons in another language; what machines read is the same in each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import translation

from djongo_services.drift.accepted import render_accepted
from djongo_services.drift.comparing import compare
from djongo_services.drift.rendering.html import render_html as comparison_html
from djongo_services.drift.rendering.json import render_json as comparison_json
from djongo_services.drift.rendering.text import render_text as comparison_text
from djongo_services.introspection.formats import FORMATS, RenderOptions
from djongo_services.introspection.rendering.html import render_html
from djongo_services.introspection.rendering.text import render_text
from tests.drift.test_rendering import example, sides
from tests.introspection.render_example import EXAMPLE

ROOT = Path(__file__).parents[2]
SCRIPT = """
from djongo_services.introspection.rendering.html import render_html
from djongo_services.introspection.rendering.text import render_text
from tests.introspection.render_example import EXAMPLE
print(render_text(EXAMPLE))
print(render_html(EXAMPLE))
"""


@pytest.fixture
def german() -> Iterator[None]:
    with translation.override("de"):
        yield


def test_a_report(german: None) -> None:
    text = render_text(replace(EXAMPLE, stopped="Stopped."))
    assert "Unvollständig: Stopped." in text
    assert "FELD" in text
    assert "VORHANDEN" in text
    assert "WARNUNGEN" in text
    assert " auf der Festplatte" in text
    assert " Dokumente" in text
    assert "documents" not in text.replace("no documents", "")


def test_a_page(german: None) -> None:
    page = render_html(EXAMPLE)
    assert '<html lang="de">' in page
    assert ">Zu den Collections springen<" in page
    assert 'data-text="Gefunden in %(collections)s Collections, %(fields)s Feldern."' in page
    assert 'placeholder="Suchen"' in page


def test_a_comparison(german: None) -> None:
    text = comparison_text(example())
    assert text.startswith("von   baseline.json: ")
    assert "\nnach  the database: " in text
    assert "  (bricht die Models)" in text
    assert "nur auf einer Seite, was Zufall sein kann: " in text
    assert text.endswith(
        "1 Unterschied bricht die Models, 1 ist neu, 1 ist verschoben; 1 akzeptiert.\n"
    )
    page = comparison_html(example())
    assert '<html lang="de">' in page
    assert 'data-side="Vorher"' in page
    assert ">Was sich geändert hat<" in page


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"report", "html"}))
def test_what_machines_read_is_the_same(name: str) -> None:
    text = FORMATS[name].render(EXAMPLE, RenderOptions())
    with translation.override("de"):
        assert FORMATS[name].render(EXAMPLE, RenderOptions()) == text


def test_a_comparison_for_machines_is_the_same() -> None:
    before, after = sides()
    found = compare(before, after)
    texts = comparison_json(found), render_accepted(found)
    with translation.override("de"):
        assert compare(before, after) == found
        assert (comparison_json(found), render_accepted(found)) == texts


def test_a_report_where_django_is_not_set_up() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env={}, cwd=ROOT
    )
    assert run.stdout.startswith(render_text(EXAMPLE))
    assert '<html lang="en">' in run.stdout
