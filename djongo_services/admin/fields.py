"""The rows of the Schema tab: a profile's fields as a collapsible tree, with a bar of types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from djongo_services.formatting import percent, printable, shortened
from djongo_services.introspection.path import Path
from djongo_services.introspection.rendering.field_wording import notes, rows
from djongo_services.introspection.report import CollectionReport, Field

MOST = 2_000
"""The maximum number of rows on the page; exports have all."""
MOST_UNFOLDED = 60
"""Up to this number of rows, the outer levels are unfolded."""
UNFOLDED = 3
"""The number of these levels; in a search, all are unfolded."""
_ALL = 1_000
_LONGEST = 120
DEEPEST = 8
"""The number of levels that are indented; deeper ones show their level instead, to save space."""

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
"""Families of types; all others are ``other``."""


def type_family(name: str) -> str:
    """The name of the colour for a type."""
    return _FAMILY.get(name, "other")


@dataclass(frozen=True, kw_only=True, slots=True)
class TypePart:
    """A part of the bar, beginning at ``start``; the rest of the bar are objects without the
    field."""

    name: str
    family: str
    share: str
    start: str
    width: str
    """In units of which the SVG is 100 wide, like the start."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldRow:
    level: int
    """The indentation level, from 0."""
    label: str
    path: str
    present: str
    types: tuple[TypePart, ...]
    notes: tuple[str, ...]
    model: Any = None
    """The model field for it."""
    values: Any = None
    """A summary of its values; None if it was not requested."""
    is_parent: bool = False
    """Whether the next rows are below it."""
    is_open: bool = False
    closes: range = range(0)
    """The parents for which this is the last row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldTree:
    rows: tuple[FieldRow, ...]
    rest: int
    """The number of further fields."""
    found: int
    """The number of fields that match the search; 0 without a search."""

    @property
    def has_notes(self) -> bool:
        return any(row.notes for row in self.rows)

    @property
    def has_models(self) -> bool:
        return any(row.model for row in self.rows)


def field_tree(
    report: CollectionReport,
    *,
    search: str = "",
    models: Callable[[Path], Any] = lambda path: None,
    values: Mapping[Path, Any] | None = None,
) -> FieldTree:
    """At most :data:`MOST` rows: all of them, or those whose path contains the text ``search``,
    each with its parents."""
    every = rows(report.profile.fields) if report.profile else iter(())
    wanted = search.casefold()
    shown: list[FieldRow] = []
    chain: list[tuple[int, str, Field]] = []
    above = 0  # those of the chain that are displayed
    rest = found = 0
    for depth, label, field in every:
        del chain[depth:]
        above = min(above, depth)
        chain.append((depth, label, field))
        if wanted and wanted not in field.name.casefold():
            continue
        found += 1
        if len(shown) >= MOST:
            rest += 1
            continue
        shown += [_row(*one, report, models, values or {}) for one in chain[above:]]
        above = len(chain)
    open_to = _ALL if wanted else UNFOLDED if len(shown) <= MOST_UNFOLDED else 0
    return FieldTree(rows=tuple(_nested(shown, open_to)), rest=rest, found=found if wanted else 0)


def _row(
    depth: int,
    label: str,
    field: Field,
    report: CollectionReport,
    models: Callable[[Path], Any],
    values: Mapping[Path, Any],
) -> FieldRow:
    return FieldRow(
        level=depth,
        label=indented(shortened(label, _LONGEST), depth),
        path=shortened(printable(field.name), 4 * _LONGEST),
        present=percent(field.probability),
        types=tuple(_parts(field)),
        notes=tuple(shortened(text, 4 * _LONGEST) for text in notes(field, report.references)),
        model=models(field.path),
        values=values.get(field.path),
    )


def _nested(shown: list[FieldRow], open_to: int) -> list[FieldRow]:
    """The rows with what a tree's markup needs: which ones begin a list, and how many lists end."""
    levels = [row.level for row in shown[1:]] + [0] * bool(shown)
    return [
        replace(
            row,
            level=min(row.level, DEEPEST),
            is_parent=following > row.level,
            is_open=row.level < open_to,
            closes=range(max(row.level - following, 0)),
        )
        for row, following in zip(shown, levels, strict=True)
    ]


def indented(label: str, depth: int) -> str:
    return label if depth <= DEEPEST else f"({depth + 1}) {label}"


def _parts(field: Field) -> list[TypePart]:
    parts: list[TypePart] = []
    start = 0.0
    for name, found in field.types.items():
        width = found.probability * 100
        parts.append(
            TypePart(
                name=printable(name),
                family=type_family(name),
                share=percent(found.probability),
                start=f"{start:.1f}",
                width=f"{max(width, 0.5):.1f}",
            )
        )
        start += width
    return parts
