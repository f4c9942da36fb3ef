"""Tables and lines for a terminal; what fits is laid out here, and what does not by rich.

Rich measures, wraps and styles every cell for itself, which takes some 10 ms for the tables of one
collection. A table in which nothing has to be wrapped is padded text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Piece = TypeVar("Piece", str, Text)

INDENT = 2
_GAP = 2
"""Columns between the columns of a table."""


@dataclass(slots=True)
class Grid:
    headers: Sequence[str]
    right: frozenset[int] = frozenset()
    """Columns whose cells end at one place."""
    unbroken: frozenset[int] = frozenset()
    """Columns that are not wrapped."""
    rows: list[list[Text]] = field(default_factory=list)

    def add(self, *cells: Text) -> None:
        self.rows.append(list(cells))

    def lines(self, width: int) -> list[Text] | None:
        """None where something has to be wrapped."""
        rows = [[[Text(name, style="dim")] for name in self.headers]]
        rows += [[list(cell.split("\n", allow_blank=True)) for cell in row] for row in self.rows]
        widths = self._widths([[[line.plain for line in cell] for cell in row] for row in rows])
        if _total(widths) > width:
            return None
        lines = (line for row in rows for line in self._row(row, widths, _columns))
        return [Text.assemble(*line) for line in lines]

    def plain_lines(self, width: int) -> list[str] | None:
        """The same without colours."""
        rows = [[[name] for name in self.headers]]
        rows += [[cell.plain.split("\n") for cell in row] for row in self.rows]
        widths = self._widths(rows)
        if _total(widths) > width:
            return None
        return ["".join(line) for row in rows for line in self._row(row, widths, cell_len)]

    def table(self) -> Table:
        table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="dim", pad_edge=False)
        for number, name in enumerate(self.headers):
            table.add_column(name, no_wrap=number in self.unbroken)
            if number in self.right:
                table.columns[number].justify = "right"
        for row in self.rows:
            table.add_row(*row)
        return table

    def _widths(self, rows: Sequence[Sequence[Sequence[str]]]) -> list[int]:
        return [
            max(cell_len(line) for row in rows for line in row[column])
            for column in range(len(self.headers))
        ]

    def _row(
        self, row: Sequence[Sequence[Piece]], widths: Sequence[int], length: Callable[[Any], int]
    ) -> Iterator[list[Piece | str]]:
        """The pieces of each line of one row."""
        for number in range(max(map(len, row))):
            line: list[Piece | str] = []
            due = 0
            for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
                if number < len(cell):
                    spare = width - length(cell[number])
                    before = spare if column in self.right else 0
                    line += [" " * (due + before), cell[number]]
                    due = spare - before
                else:
                    due += width
                due += _GAP
            yield line


def _columns(text: Text) -> int:
    return text.cell_len


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


Block = RenderableType | Grid


def print_blocks(console: Console, blocks: Iterable[Block]) -> None:
    """Below each other, indented; what fits in one go."""
    width = console.width - INDENT
    is_plain = console.color_system is None
    ready: list[Text] | list[str] = []
    for block in blocks:
        lines = _lines(block, width, is_plain=is_plain)
        if lines is not None:
            ready += lines
            continue
        _flush(console, ready)
        rest = block.table() if isinstance(block, Grid) else block
        console.print(Padding(rest, (0, 0, 0, INDENT)))
    _flush(console, ready)


def _lines(block: Block, width: int, *, is_plain: bool) -> list[Any] | None:
    if isinstance(block, Grid):
        return block.plain_lines(width) if is_plain else block.lines(width)
    if isinstance(block, Text) and "\n" not in block.plain and cell_len(block.plain) <= width:
        return [block.plain if is_plain else block]
    return None


def _flush(console: Console, ready: list[Any]) -> None:
    if not ready:
        return
    if isinstance(ready[0], str):
        text = Text("\n".join(" " * INDENT + line for line in ready))
    else:
        text = Text("\n").join(Text(" " * INDENT).append_text(line) for line in ready)
    console.print(text, no_wrap=True, overflow="ignore", crop=False)
    ready.clear()
