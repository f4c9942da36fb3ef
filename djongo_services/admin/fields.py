"""The rows of the Schema tab: a profile's fields as an indented tree with a bar of types."""

from __future__ import annotations

from dataclasses import dataclass

from djongo_services.introspection.rendering.numbers import percent
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.values import shortened
from djongo_services.introspection.rendering.wording import notes, rows
from djongo_services.introspection.report import CollectionReport, Field

MOST = 2_000
"""Rows on the page; exports have all."""
_LONGEST = 120
DEEPEST = 8
"""Levels that are indented; deeper ones say their level, so that they have room."""

_FAMILIES = {
    "text": ("string", "symbol"),
    "number": ("int", "long", "double", "decimal"),
    "date": ("date", "timestamp"),
    "key": ("objectId", "dbRef"),
    "object": ("object",),
    "array": ("array",),
    "bool": ("bool",),
    "null": ("null", "undefined"),
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names}
"""Types to the names of the colours that the style gives them; all others are ``other``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TypePart:
    """A part of the bar, from ``start`` on; the rest of it are objects without the field."""

    name: str
    family: str
    share: str
    start: str
    width: str
    """Both of 100, for the SVG."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldRow:
    indent: range
    """One item a level."""
    label: str
    path: str
    present: str
    types: tuple[TypePart, ...]
    notes: tuple[str, ...]


def field_rows(report: CollectionReport) -> tuple[list[FieldRow], int]:
    """At most :data:`MOST` rows, and how many there are besides."""
    every = rows(report.profile.fields) if report.profile else iter(())
    shown: list[FieldRow] = []
    rest = 0
    for depth, label, field in every:
        if len(shown) == MOST:
            rest += 1
            continue
        shown.append(
            FieldRow(
                indent=range(min(depth, DEEPEST)),
                label=indented(shortened(label, _LONGEST), depth),
                path=shortened(printable(field.name), 4 * _LONGEST),
                present=percent(field.probability),
                types=tuple(_parts(field)),
                notes=tuple(shortened(text, 4 * _LONGEST) for text in _notes(field, report)),
            )
        )
    return shown, rest


def indented(label: str, depth: int) -> str:
    return label if depth <= DEEPEST else f"({depth + 1}) {label}"


def _notes(field: Field, report: CollectionReport) -> list[str]:
    return notes(field, report.references)


def _parts(field: Field) -> list[TypePart]:
    parts: list[TypePart] = []
    start = 0.0
    for name, found in field.types.items():
        width = found.probability * 100
        parts.append(
            TypePart(
                name=printable(name),
                family=_FAMILY.get(name, "other"),
                share=percent(found.probability),
                start=f"{start:.1f}",
                width=f"{max(width, 0.5):.1f}",
            )
        )
        start += width
    return parts
