"""A column chart with axes, as figures of an SVG: nothing here draws, and no template computes.

The SVG is stretched to the available width, so the texts of the axes are outside of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

STEP = 10.0
"""The width of each column in the SVG."""
HEIGHT = 60.0
_WIDTH = 7.6
_LEAST = 0.8
"""The minimum height of a column that is not zero."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    area: str
    """The start of the area that reacts to the pointer; it is as high as the chart."""
    x: str
    y: str
    width: str
    height: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A section of the horizontal axis."""

    text: str
    columns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnChart:
    columns: tuple[Column, ...]
    ticks: tuple[tuple[Tick, ...], ...]
    """The lines below the chart."""
    top: str
    """The values at the top and in the middle of the axis; empty if there are none."""
    middle: str
    width: str
    height: str
    summary: str
    """A summary for users who do not see the chart."""


def column_chart(
    values: Sequence[tuple[float, str]],
    *,
    ticks: Sequence[Iterable[Tick]],
    text: Callable[[float], str],
    summary: str,
    is_whole: bool = False,
) -> ColumnChart:
    """``values``: each with its title. ``text`` formats a value of the left axis. ``is_whole``:
    only whole numbers are possible."""
    top = _round_up(max((value for value, _title in values), default=0))
    has_middle = top > 0 and not (is_whole and top % 2)
    return ColumnChart(
        columns=tuple(
            _column(number, value / top if top else 0.0, title)
            for number, (value, title) in enumerate(values)
        ),
        ticks=tuple(tuple(line) for line in ticks),
        top=text(top) if top else "",
        middle=text(top / 2) if has_middle else "",
        width=f"{len(values) * STEP:.0f}",
        height=f"{HEIGHT:.0f}",
        summary=summary,
    )


def ticks(names: Sequence[str], *, least: int = 1) -> list[Tick]:
    """Sections of the axis: neighbours with the same name share one; a section of fewer than
    ``least`` columns stays empty."""
    found = [(name, len(list(same))) for name, same in groupby(names)]
    return [Tick(text=name if number >= least else "", columns=number) for name, number in found]


def _column(number: int, share: float, title: str) -> Column:
    height = max(share * HEIGHT, _LEAST) if share > 0 else 0.0
    return Column(
        area=f"{number * STEP:.1f}",
        x=f"{number * STEP + (STEP - _WIDTH) / 2:.1f}",
        y=f"{HEIGHT - height:.1f}",
        width=f"{_WIDTH:.1f}",
        height=f"{height:.1f}",
        title=title,
    )


def _round_up(number: float) -> float:
    """Round up to 1, 2, 4, 6 or 8 times a power of ten."""
    if number <= 0:
        return 0
    power: float = 10 ** math.floor(math.log10(number))
    return next(each * power for each in (1, 2, 4, 6, 8, 10) if number <= each * power * 1.000001)
