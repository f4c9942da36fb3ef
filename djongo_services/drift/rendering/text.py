"""A comparison for a terminal, in ``+ ~ -`` lines grouped by collection."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from djongo_services.drift.comparison import CollectionDrift, Comparison, Difference
from djongo_services.drift.words import (
    basis_words,
    coverages,
    doubtful_words,
    line,
    side_words,
    summary,
)
from djongo_services.formatting import printable
from djongo_services.schema.rendering import on_console
from djongo_services.translation import pgettext

_STYLES = {"+": "green", "~": "yellow", "-": "red"}


def render_text(comparison: Comparison, *, color: bool = False) -> str:
    """Lines are not wrapped, so that they can be searched; ends with a newline."""
    return on_console(_lines(comparison), color=color)


def _lines(comparison: Comparison) -> Iterator[Text]:
    names = pgettext("a side of a comparison", "from"), pgettext("a side of a comparison", "to")
    width = max(map(len, names))
    for name, side in zip(names, (comparison.before, comparison.after), strict=True):
        yield Text(f"{name:{width}}  {side_words(side)}", style="dim")
    if basis := basis_words(comparison):
        yield Text(basis, style="dim")
    yield Text()
    for collection in comparison.collections:
        lines = list(_collection(collection))
        if lines:
            yield _heading(collection)
            yield from lines
            yield Text()
    for note in comparison.notes:
        yield Text(printable(note))
    yield Text(summary(comparison))


def _heading(collection: CollectionDrift) -> Text:
    heading = Text(printable(collection.name), style="bold")
    if collection.models:
        heading.append(f"  {printable(', '.join(collection.models))}", style="not bold dim")
    if found := coverages(collection):
        heading.append(f"  {found}", style="not bold dim")
    return heading


def _collection(collection: CollectionDrift) -> Iterator[Text]:
    for difference in collection.differences:
        if difference.counts:
            yield Text(f"  {line(difference)}", style=_style(difference))
    if doubtful := doubtful_words(collection.differences):
        yield Text(f"  ? {doubtful}", style="dim")
    for note in collection.notes:
        yield Text(f"  ! {printable(note)}", style="yellow")


def _style(difference: Difference) -> str:
    return "bold red" if difference.severity == "breaks" else _STYLES[difference.sign]
