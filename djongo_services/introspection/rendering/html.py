"""A report as one HTML page that needs nothing besides itself.

The page's style and script are part of it and named by their hash in its Content-Security-Policy;
anything else, should it ever get into the markup, the browser refuses to run or load.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.template import Context, Engine
from django.utils.safestring import SafeString, mark_safe

from djongo_services.formatting import extended_json, percent, printable, size
from djongo_services.introspection.catalog import Index
from djongo_services.introspection.rendering.field_wording import (
    from_reference_text,
    notes,
    rows,
)
from djongo_services.introspection.rendering.wording import (
    coverage_text,
    documents_text,
    facts,
    index_keys,
    index_properties,
    kind_text,
    missing_text,
    muted_text,
    partial_text,
    server_text,
    summary_text,
    usage_texts,
    warning_text,
)
from djongo_services.introspection.report import CollectionReport, Field, Report
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext, pgettext

TAGS = "djongo_services.introspection.rendering.tags"
TEMPLATES = Path(__file__).parents[2] / "templates" / "djongo_services" / "inspection"

_FAMILIES = {
    "string": "text",
    "symbol": "text",
    "int": "number",
    "long": "number",
    "double": "number",
    "decimal": "number",
    "date": "date",
    "timestamp": "date",
    "objectId": "key",
    "dbRef": "key",
    "object": "object",
    "array": "array",
    "bool": "bool",
    "null": "null",
    "undefined": "null",
}
"""Types to the names of the colours that the style gives them; all others are ``other``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeBar:
    name: str
    family: str
    percent: str
    width: str
    """In hundredths of the bar."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportFieldRow:
    indent: range
    """One item per level."""
    label: str
    path: str
    present: str
    types: list[TypeBar]
    notes: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportIndexRow:
    name: str
    keys: str
    type: str
    size: str
    usage: list[str]
    properties: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A collection."""

    anchor: str
    name: str
    kind: str
    documents: str | None
    facts: list[str]
    coverage: str | None
    is_estimate: bool
    stopped: str | None
    unavailable: list[str]
    fields: list[ReportFieldRow]
    indexes: list[ReportIndexRow]
    references: list[str]
    warnings: list[str]
    warnings_text: str
    """How many there are, in words, without the number."""
    fields_of: str
    indexes_of: str
    """Names of the two tables, for those who do not see them."""
    muted: str | None
    validator: str | None


def render_html(report: Report) -> str:
    style, script = asset("report.css"), asset("report.js")
    context = {
        "language": language(),
        "database": printable(report.database),
        "server": server_text(report.server),
        "summary": summary_text(report),
        "stopped": partial_text(report.stopped) if report.stopped else "",
        "found": found_text(),
        "sections": list(_sections(report)),
        "style": style,
        "script": script,
        "style_hash": content_hash(style),
        "script_hash": content_hash(script),
    }
    # Every figure is text already; the project's locale must not format it again.
    page = Context(context, use_l10n=False, use_tz=False)
    return page_engine().get_template("report.html").render(page)


def _sections(report: Report) -> Iterator[Section]:
    for number, found in enumerate(report.collections, 1):
        coverage = found.profile.coverage if found.profile else None
        validator = found.collection.validator
        name = printable(found.collection.name)
        yield Section(
            anchor=f"collection-{number}",
            name=name,
            kind=kind_text(found.collection),
            documents=documents_text(found),
            facts=facts(found),
            coverage=coverage_text(coverage) if coverage else None,
            is_estimate=bool(coverage and coverage.margin),
            stopped=partial_text(coverage.stopped) if coverage and coverage.stopped else None,
            unavailable=[missing_text(missing) for missing in found.collection.unavailable],
            fields=list(_field_rows(found)),
            indexes=[_index_row(index) for index in found.collection.indexes],
            references=[from_reference_text(reference) for reference in found.references],
            warnings=[warning_text(warning) for warning in found.warnings],
            warnings_text=ngettext("warning", "warnings", len(found.warnings)),
            fields_of=_("Fields of %(name)s") % {"name": name},
            indexes_of=_("Indexes of %(name)s") % {"name": name},
            muted=muted_text(found.muted) if found.muted else None,
            validator=extended_json(validator.query, indent=2) if validator else None,
        )


def _field_rows(report: CollectionReport) -> Iterator[ReportFieldRow]:
    for depth, label, field in rows(report.profile.fields if report.profile else ()):
        yield ReportFieldRow(
            indent=range(depth),
            label=label,
            path=printable(field.name),
            present=percent(field.probability),
            types=list(_types(field)),
            notes=notes(field, report.references),
        )


def _types(field: Field) -> Iterator[TypeBar]:
    for name, found in field.types.items():
        yield TypeBar(
            name=printable(name),
            family=_FAMILIES.get(name, "other"),
            percent=percent(found.probability),
            width=f"{min(max(found.probability * 100, 1), 100):.1f}",
        )


def _index_row(index: Index) -> ReportIndexRow:
    return ReportIndexRow(
        name=printable(index.name),
        keys=index_keys(index),
        type=index.type,
        size="" if index.size is None else size(index.size),
        usage=usage_texts(index),
        properties=index_properties(index),
    )


def language() -> str:
    """The code of the language that the page is in."""
    return pgettext("the code of this language", "en")


def found_text() -> str:
    """What the page's script says of a search, when it has filled in the numbers."""
    return _("Found in %(collections)s collections, %(fields)s fields.")


@cache
def page_engine() -> Engine:
    """An engine of its own: the page looks the same whatever template engines the project has."""
    return Engine(dirs=[str(TEMPLATES)], autoescape=True, builtins=[TAGS])


@cache
def asset(name: str) -> SafeString:
    """A file beside the templates, as it is."""
    return mark_safe((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S308 (our own file)


def content_hash(text: str) -> str:
    """As a Content-Security-Policy names a style or script."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
