"""A report for a terminal: tables that are readable at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from djongo_services.formatting import percent, printable, size
from djongo_services.introspection.catalog import Index
from djongo_services.introspection.rendering.field_wording import (
    from_reference_text,
    notes,
    rows,
)
from djongo_services.introspection.rendering.grid import Block, Grid, print_blocks
from djongo_services.introspection.rendering.wording import (
    coverage_text,
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
from djongo_services.introspection.report import CollectionReport, Field, Profile, Report
from djongo_services.translation import gettext as _

BAR_WIDTH = 8
NARROW = 72
"""Columns below which tables have two columns, and say below what else they have no room for."""
MOST_INDENTS = 10
"""Levels of fields that are indented; deeper ones say their level, so that they have room."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def render_text(report: Report, *, width: int = 100, color: bool = False) -> str:
    """The report as text of at most ``width`` columns, with ANSI colours if asked for.

    Names and values are shown with their control characters spelled out, so nothing in the
    database can steer the terminal.
    """
    console = Console(
        file=StringIO(),
        width=max(width, 40),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        for text in _heads(report):
            console.print(text)
        for found in report.collections:
            console.print(Text("\n").append_text(_heading(found)))
            print_blocks(console, _sections(found, narrow=width < NARROW))
    lines = (line.rstrip() for line in capture.get().splitlines())
    return "\n".join(lines).strip("\n") + "\n"


def _heads(report: Report) -> Iterator[Text]:
    yield Text(printable(report.database), style="bold")
    yield Text(server_text(report.server), style="dim")
    yield Text(summary_text(report))
    if report.stopped:
        yield Text(partial_text(report.stopped), style="yellow")


def _heading(report: CollectionReport) -> Text:
    name = printable(report.collection.name)
    return Text.assemble((name, "bold cyan"), "  ", (kind_text(report.collection), "dim"))


def _sections(report: CollectionReport, *, narrow: bool) -> Iterator[Block]:
    if phrases := facts(report):
        yield Text(" · ".join(phrases))
    for missing in report.collection.unavailable:
        yield Text(missing_text(missing), style="dim")
    if report.profile is not None:
        yield from _profile(report.profile, report, narrow=narrow)
    if report.collection.indexes:
        yield Text()
        table = _narrow_index_table if narrow else _index_table
        yield table(report.collection.indexes)
    if report.references:
        yield Text()
        yield Text(_("REFERENCES"), style="dim")
        for reference in report.references:
            yield Text(from_reference_text(reference))
    if report.warnings:
        yield Text()
        yield Text(_("WARNINGS"), style="dim")
        warnings = Table.grid(padding=(0, 1, 0, 0))
        for warning in report.warnings:
            warnings.add_row(
                Text("!", style="yellow"), Text(warning_text(warning), overflow="fold")
            )
        yield warnings
    if report.muted:
        yield Text()
        yield Text(muted_text(report.muted), style="dim")


def _profile(profile: Profile, report: CollectionReport, *, narrow: bool) -> Iterator[Block]:
    coverage = profile.coverage
    style = "" if coverage.reached == "exact" or not coverage.margin else "yellow"
    yield Text(coverage_text(coverage), style=style)
    if coverage.stopped:
        yield Text(partial_text(coverage.stopped), style="yellow")
    if profile.fields:
        yield Text()
        yield _narrow_field_table(profile, report) if narrow else _field_table(profile, report)


def _field_table(profile: Profile, report: CollectionReport) -> Grid:
    headers = (_("FIELD"), _("PRESENT"), _("TYPES"), _("NOTES"))
    grid = Grid(headers, right=frozenset({1}), unbroken=frozenset({2}))
    for depth, label, field in rows(profile.fields):
        name = Text(_indent(depth) + label, overflow="fold")
        told = Text(_notes(field, report), style="dim", overflow="fold")
        grid.add(name, Text(percent(field.probability)), _types(field), told)
    return grid


def _narrow_field_table(profile: Profile, report: CollectionReport) -> Grid:
    grid = Grid((_("FIELD"), _("PRESENT, TYPES, NOTES")))
    for depth, label, field in rows(profile.fields):
        told = Text(f"{percent(field.probability)}\n", overflow="fold")
        told.append_text(_types(field))
        if words := _notes(field, report):
            told.append(f"\n{words}", style="dim")
        grid.add(Text(_indent(depth) + label, overflow="fold"), told)
    return grid


def _notes(field: Field, report: CollectionReport) -> str:
    return " · ".join(notes(field, report.references))


def _indent(depth: int) -> str:
    if depth <= MOST_INDENTS:
        return "  " * depth
    return f"{'  ' * MOST_INDENTS}({depth}) "


def _types(field: Field) -> Text:
    """A line per type: bar, name and, where there are several, the share of each."""
    text = Text()
    for number, (name, found) in enumerate(field.types.items()):
        text.append("\n" if number else "")
        text.append(bar(found.probability), style="cyan")
        text.append(f" {printable(name)}")
        if len(field.types) > 1:
            text.append(f" {percent(found.probability)}", style="dim")
    return text


def bar(share: float, width: int = BAR_WIDTH) -> str:
    """A bar in eighths of a block; whatever is above zero shows at least the thinnest."""
    eighths = min(max(round(share * width * 8), 1 if share > 0 else 0), width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def _index_table(indexes: tuple[Index, ...]) -> Grid:
    headers = (_("INDEX"), _("TYPE"), _("SIZE"), _("USAGE"), _("PROPERTIES"))
    grid = Grid(headers, right=frozenset({2}))
    for index in indexes:
        name = Text(overflow="fold")
        name.append(printable(index.name))
        name.append(f"\n{index_keys(index)}", style="dim")
        grid.add(
            name,
            Text(index.type),
            Text("" if index.size is None else size(index.size)),
            Text("\n".join(usage_texts(index)), style="dim", overflow="fold"),
            Text("\n".join(index_properties(index)), overflow="fold"),
        )
    return grid


def _narrow_index_table(indexes: tuple[Index, ...]) -> Grid:
    grid = Grid((_("INDEX"), _("TYPE, SIZE, PROPERTIES, USAGE")))
    for index in indexes:
        name = Text(printable(index.name), overflow="fold")
        name.append(f"\n{index_keys(index)}", style="dim")
        first = index.type if index.size is None else f"{index.type}, {size(index.size)}"
        told = Text("\n".join([first, *index_properties(index)]), overflow="fold")
        told.append("\n" + "\n".join(usage_texts(index)), style="dim")
        grid.add(name, told)
    return grid
