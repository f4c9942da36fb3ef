"""A kept profile in every format of ``inspectmongo``, as a file to download."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from django.http import HttpResponse

from djongo_services.introspection.modelling import render_models
from djongo_services.introspection.rendering.html import render_html
from djongo_services.introspection.rendering.json import render_json
from djongo_services.introspection.rendering.jsonschema import render_json_schema
from djongo_services.introspection.rendering.mermaid import render_mermaid
from djongo_services.introspection.rendering.text import render_text
from djongo_services.introspection.report import Report

_Render = Callable[[Report, bool], str]

FORMATS: Mapping[str, tuple[str, str, _Render]] = {
    "report": ("txt", "text/plain", lambda report, _: render_text(report)),
    "json": ("json", "application/json", lambda report, _: render_json(report)),
    "models": (
        "py",
        "text/x-python",
        lambda report, backend: render_models(report, style="backend" if backend else "plain"),
    ),
    "jsonschema": (
        "schema.json",
        "application/json",
        lambda report, _: render_json_schema(report, single=True),
    ),
    "mermaid": ("mmd", "text/plain", lambda report, _: render_mermaid(report)),
    "html": ("html", "text/html", lambda report, _: render_html(report)),
}
"""By format: the end of the file's name, the type, and what renders it. The second argument is
whether the models are to have fields of django-mongodb-backend."""


def export(report: Report, format: str, *, backend: bool) -> HttpResponse:
    """``report`` is of one collection. Always an attachment: no browser shows it as a page of the
    site."""
    ending, content_type, render = FORMATS[format]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", report.collections[0].collection.name)[:80].strip("-")
    response = HttpResponse(
        render(report, backend).encode("utf-8", "backslashreplace"),
        content_type=f"{content_type}; charset=utf-8",
    )
    response["Content-Disposition"] = f'attachment; filename="{name or "collection"}.{ending}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
