"""The totals of a bucket as figures of an SVG: nothing here draws, and no template computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.utils.translation import gettext as _

from djongo_services.admin.files.families import FAMILIES, Family, family_name, family_of
from djongo_services.admin.files.totals import Share, Totals
from djongo_services.admin.files.words import files_text
from djongo_services.introspection.rendering.numbers import count, percent, size
from djongo_services.introspection.rendering.printable import printable

MONTHS = 36
"""Columns; what is older is told in words."""
FEWEST = 12
ROOM = 3
"""Months that a year's number is as wide as."""
STEP = 10.0
"""Of the SVG's width, for each month."""
_COLUMN = 7.6
_HEIGHT = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Of the bar of types."""

    family: Family
    name: str
    start: str
    """Of 100, as is the width."""
    width: str
    share: str
    size: str
    files: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeRow:
    name: str
    family: Family
    files: str
    size: str
    share: str
    query: str
    """As the list of files is asked for them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    month: str
    area: str
    """Where what the pointer rests on begins; it is as high as the chart."""
    x: str
    y: str
    width: str
    height: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Year:
    """Of the axis."""

    text: str
    """Empty where there is no room for it."""
    months: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthChart:
    columns: tuple[Column, ...]
    years: tuple[Year, ...]
    width: str
    height: str
    summary: str
    """For those who do not see it."""
    largest: str
    """In one month."""
    rest: str
    """What has no column, in words."""


def type_parts(totals: Totals) -> list[Part]:
    """Families, the largest first; without any bytes by their number of files."""
    by_family = {family: [0, 0] for family in FAMILIES}
    for each in totals.types:
        sums = by_family[family_of(each.name or "")]
        sums[0] += each.bytes
        sums[1] += each.files
    whole = sum(bytes for bytes, _files in by_family.values())
    files = sum(files for _bytes, files in by_family.values())
    parts: list[Part] = []
    start = 0.0
    for family, (bytes, number) in sorted(by_family.items(), key=lambda each: -each[1][0]):
        if not number:
            continue
        share = bytes / whole if whole else number / files
        parts.append(
            Part(
                family=family,
                name=family_name(family),
                start=f"{start:.2f}",
                width=f"{max(share * 100, 0.4):.2f}",
                share=percent(share),
                size=size(bytes),
                files=files_text(number),
            )
        )
        start += share * 100
    return parts


def type_rows(totals: Totals) -> list[TypeRow]:
    return [
        TypeRow(
            name=printable(share.name) if share.name else _("none"),
            family=family_of(share.name or ""),
            files=count(share.files),
            size=size(share.bytes),
            share=percent(share.bytes / totals.bytes if totals.bytes else 0),
            query="-" if share.name is None else share.name if share.name != "?" else "",
        )
        for share in totals.types
    ]


def month_chart(totals: Totals) -> MonthChart | None:
    """None where no file has a date."""
    dated = [share for share in totals.months if share.name is not None]
    if not dated:
        return None
    shown = _gapless(dated)
    largest = max(share.bytes for share in shown)
    columns = []
    for number, share in enumerate(shown):
        assert share.name is not None
        height = share.bytes / largest * _HEIGHT if largest else 0.0
        height = max(height, 0.8) if share.files else 0.0
        x = number * STEP
        columns.append(
            Column(
                month=share.name,
                area=f"{x:.1f}",
                x=f"{x + (STEP - _COLUMN) / 2:.1f}",
                y=f"{_HEIGHT - height:.1f}",
                width=f"{_COLUMN:.1f}",
                height=f"{height:.1f}",
                title=f"{share.name}: {files_text(share.files)}, {size(share.bytes)}",
            )
        )
    return MonthChart(
        columns=tuple(columns),
        years=tuple(_years(shown)),
        width=f"{len(shown) * STEP:.0f}",
        height=f"{_HEIGHT:.0f}",
        summary=_("Bytes added by month, from %(first)s to %(last)s; the most in %(most)s.")
        % {
            "first": shown[0].name,
            "last": shown[-1].name,
            "most": max(shown, key=lambda share: share.bytes).name,
        },
        largest=size(largest),
        rest=_rest(totals, shown),
    )


def _gapless(dated: Sequence[Share]) -> list[Share]:
    """Every month of the last ones, those in which nothing was added too."""
    known = {share.name: share for share in dated}
    last = _number(dated[-1].name)
    first = max(min(_number(dated[0].name), last - FEWEST + 1), last - MONTHS + 1, 0)
    return [
        known.get(name, Share(name=name, files=0, bytes=0))
        for name in (_name(number) for number in range(first, last + 1))
    ]


def _rest(totals: Totals, shown: Sequence[Share]) -> str:
    first = shown[0].name or ""
    earlier = sum(share.files for share in totals.months if share.name and share.name < first)
    undated = sum(share.files for share in totals.months if share.name is None)
    said = []
    if earlier:
        said.append(_("%(files)s before that") % {"files": files_text(earlier)})
    if undated:
        said.append(_("%(files)s without a date") % {"files": files_text(undated)})
    return ", ".join(said)


def _years(shown: Sequence[Share]) -> Iterator[Year]:
    for year, months in groupby(shown, lambda share: (share.name or "")[:4]):
        number = len(list(months))
        yield Year(text=year if number >= ROOM else "", months=number)


def _number(month: str | None) -> int:
    assert month is not None
    year, _dash, within = month.partition("-")
    return int(year) * 12 + int(within) - 1


def _name(number: int) -> str:
    return f"{number // 12:04}-{number % 12 + 1:02}"
