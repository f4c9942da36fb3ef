"""The totals of a bucket as figures of an SVG: nothing here draws, and no template computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from djongo_services.admin.columns import ColumnChart, column_chart, ticks
from djongo_services.admin.files.families import FAMILIES, Family, family_name, family_of
from djongo_services.admin.files.rows import files_text
from djongo_services.admin.files.totals import BucketShare, Totals
from djongo_services.formatting import count, percent, printable, size

MONTHS = 36
"""The number of columns; older months are summarised in a sentence."""
FEWEST = 12
PER_ROOM = 8
"""A year's number is as wide as an eighth of the chart on a phone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChartPart:
    """A part of the bar of types."""

    family: Family
    name: str
    start: str
    """The start, out of 100, like the width."""
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
    """The query of the list of these files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthChart:
    chart: ColumnChart
    caption: str
    """The largest month, and files without a column, as text."""


def type_parts(totals: Totals) -> list[ChartPart]:
    """Families, largest first; if there are no bytes at all, by their number of files."""
    by_family = {family: [0, 0] for family in FAMILIES}
    for each in totals.types:
        sums = by_family[family_of(each.name or "")]
        sums[0] += each.bytes
        sums[1] += each.files
    whole = sum(bytes for bytes, _files in by_family.values())
    files = sum(files for _bytes, files in by_family.values())
    parts: list[ChartPart] = []
    start = 0.0
    for family, (bytes, number) in sorted(by_family.items(), key=lambda each: -each[1][0]):
        if not number:
            continue
        share = bytes / whole if whole else number / files
        parts.append(
            ChartPart(
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
    """The chart; None if no file has a date."""
    dated = [share for share in totals.months if share.name is not None]
    if not dated:
        return None
    shown = _gapless(dated)
    largest = max(shown, key=lambda share: share.bytes)
    most = _("At most %(size)s were added in one month, in %(month)s.") % {
        "size": size(largest.bytes),
        "month": _words(largest),
    }
    quarters = len(shown) > FEWEST
    names = [_month(share, start_of_quarter=quarters) for share in shown]
    years = [(share.name or "")[:4] for share in shown]
    return MonthChart(
        chart=column_chart(
            [
                # A file without bytes also counts as an added file.
                (
                    share.bytes or (1e-9 if share.files else 0),
                    f"{_words(share)}: {files_text(share.files)}, {size(share.bytes)}",
                )
                for share in shown
            ],
            ticks=[ticks(names), ticks(years, least=-(-len(shown) // PER_ROOM))],
            text=size,
            summary=_("Bytes added by month, from %(first)s to %(last)s. %(most)s")
            % {"first": _words(shown[0]), "last": _words(shown[-1]), "most": most},
        ),
        caption=" ".join(filter(None, (most, _rest(totals, shown)))),
    )


def _words(share: BucketShare) -> str:
    """``March 2026``."""
    return date_format(_date(share), "YEAR_MONTH_FORMAT")


def _month(share: BucketShare, *, start_of_quarter: bool) -> str:
    """``Mar``; with several years, the month in which its quarter begins."""
    when = _date(share)
    if start_of_quarter:
        when = when.replace(month=(when.month - 1) // 3 * 3 + 1)
    return date_format(when, "M")


def _date(share: BucketShare) -> date:
    number = _number(share.name)
    return date(max(number // 12, 1), number % 12 + 1, 1)


def _gapless(dated: Sequence[BucketShare]) -> list[BucketShare]:
    """Every one of the last months, including those in which nothing was added."""
    known = {share.name: share for share in dated}
    last = _number(dated[-1].name)
    first = max(min(_number(dated[0].name), last - FEWEST + 1), last - MONTHS + 1, 0)
    return [
        known.get(name, BucketShare(name=name, files=0, bytes=0))
        for name in (_name(number) for number in range(first, last + 1))
    ]


def _rest(totals: Totals, shown: Sequence[BucketShare]) -> str:
    first = shown[0].name or ""
    earlier = sum(share.files for share in totals.months if share.name and share.name < first)
    undated = sum(share.files for share in totals.months if share.name is None)
    said = []
    if earlier:
        said.append(_("%(files)s before that") % {"files": files_text(earlier)})
    if undated:
        said.append(_("%(files)s without a date") % {"files": files_text(undated)})
    return ", ".join(said) + "." if said else ""


def _number(month: str | None) -> int:
    assert month is not None
    year, _dash, within = month.partition("-")
    return int(year) * 12 + int(within) - 1


def _name(number: int) -> str:
    return f"{number // 12:04}-{number % 12 + 1:02}"
