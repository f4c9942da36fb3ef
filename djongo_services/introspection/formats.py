"""The formats of an inspection, for the command and the admin; add a new one here.

A renderer is imported only when it is used: the page needs templates, the models names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from djongo_services.introspection.report import Report


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderOptions:
    """Options of some of the formats."""

    width: int = 100
    """The width of text in columns."""
    color: bool = False
    style: Literal["backend", "plain"] = "plain"
    """Whether models use fields of django-mongodb-backend, or Django's own."""
    single: bool = False
    """Whether to write the schema of one collection, instead of one for each collection's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    render: Callable[[Report, RenderOptions], str]
    content_type: str
    ending: str
    """The extension of a file's name."""
    says_unreadable: bool = True
    """Whether it can show why a collection cannot be read."""


def _text(report: Report, options: RenderOptions) -> str:
    from djongo_services.introspection.rendering.text import render_text

    return render_text(report, width=options.width, color=options.color)


def _json(report: Report, options: RenderOptions) -> str:
    from djongo_services.introspection.rendering.json import render_json

    return render_json(report)


def _models(report: Report, options: RenderOptions) -> str:
    from djongo_services.introspection.modelling import render_models

    return render_models(report, style=options.style)


def _json_schema(report: Report, options: RenderOptions) -> str:
    from djongo_services.introspection.rendering.jsonschema import render_json_schema

    return render_json_schema(report, single=options.single)


def _mermaid(report: Report, options: RenderOptions) -> str:
    from djongo_services.introspection.rendering.mermaid import render_mermaid

    return render_mermaid(report)


def _html(report: Report, options: RenderOptions) -> str:
    from djongo_services.introspection.rendering.html import render_html

    return render_html(report)


FORMATS: Mapping[str, Format] = {
    "report": Format(render=_text, content_type="text/plain", ending="txt"),
    "json": Format(render=_json, content_type="application/json", ending="json"),
    "models": Format(
        render=_models, content_type="text/x-python", ending="py", says_unreadable=False
    ),
    "jsonschema": Format(
        render=_json_schema,
        content_type="application/json",
        ending="schema.json",
        says_unreadable=False,
    ),
    "mermaid": Format(
        render=_mermaid, content_type="text/plain", ending="mmd", says_unreadable=False
    ),
    "html": Format(render=_html, content_type="text/html", ending="html"),
}
"""Formats by their name for ``--format``; the first one is the default."""
