"""The transactions of the last hour, for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from djongo_services.admin.bars import bar
from djongo_services.admin.columns import ColumnChart, Tick, column_chart
from djongo_services.admin.transaction_minutes import (
    MINUTES,
    OTHERS,
    OUTSIDE,
    Count,
    LastHour,
    Outcome,
)
from djongo_services.formatting import count, printable, shortened

MOST_VIEWS = 50
MOST_REASONS = 20
_TICK = 15
"""The number of minutes in a section of the axis."""
_LONGEST = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class HourFigure:
    """One of the small charts."""

    name: str
    total: str
    chart: ColumnChart
    most: str
    """Its highest column, as text; empty if there is none."""


def hour(found: LastHour) -> dict[str, Any]:
    whole = found.whole.total
    if not whole.finished and not whole.retried:
        return {"is_hour_empty": True}
    return {
        "figures": _figures(found, whole),
        "views": view_rows(found.whole.views),
        "reasons": _reasons(found.whole.reasons),
        "slow": [
            {
                "duration": duration(one.seconds),
                "view": view_name(one.view),
                "outcome": _outcomes()[one.outcome],
                "reason": _text(one.reason),
                "when": _time(one.minute) if one.minute else "",
            }
            for one in found.slowest
        ],
    }


def view_rows(views: Mapping[str, Count]) -> list[dict[str, Any]]:
    """Views, slowest first."""
    slowest = sorted(views.items(), key=lambda item: item[1].slowest, reverse=True)[:MOST_VIEWS]
    most = max((one.retried for _name, one in slowest), default=0)
    return [
        {
            **count_texts(one),
            "name": view_name(name),
            "retries": bar(count(one.retried), one.retried, most),
        }
        for name, one in slowest
    ]


def count_texts(one: Count) -> dict[str, str]:
    return {
        "committed": count(one.committed),
        "rolled_back": count(one.rolled_back),
        "unknown": count(one.unknown) if one.unknown else "",
        "retried": count(one.retried),
        "average": duration(one.average) if one.finished else "",
        "slowest": duration(one.slowest) if one.finished else "",
    }


def view_name(name: str) -> str:
    return {OUTSIDE: _("outside of requests"), OTHERS: _("all other views")}.get(name, _text(name))


def duration(seconds: float) -> str:
    if seconds >= 60:
        return f"{seconds / 60:,.1f} min"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _figures(found: LastHour, whole: Count) -> list[HourFigure]:
    figures = [
        _counts(found, _("Committed"), lambda one: one.committed, whole.committed),
        _counts(found, _("Rolled back"), lambda one: one.rolled_back, whole.rolled_back),
        _counts(found, _("Retried"), lambda one: one.retried, whole.retried),
        _figure(
            found, _("Slowest"), lambda one: one.slowest, duration(whole.slowest), _short_duration
        ),
    ]
    if whole.unknown:
        unknown = _counts(found, _("Result unknown"), lambda one: one.unknown, whole.unknown)
        figures.insert(3, unknown)
    return figures


def _counts(found: LastHour, name: str, value: Callable[[Count], float], total: int) -> HourFigure:
    return _figure(found, name, value, count(total), lambda one: count(round(one)), is_whole=True)


def _figure(
    found: LastHour,
    name: str,
    value: Callable[[Count], float],
    total: str,
    text: Callable[[float], str],
    *,
    is_whole: bool = False,
) -> HourFigure:
    values = [(when, value(one)) for when, one in found.minutes]
    when, largest = max(values, key=lambda item: item[1])
    words = text if is_whole else duration
    most = ""
    if largest:
        most = _("at most %(number)s, at %(time)s") % {
            "number": words(largest),
            "time": _time(when),
        }
    return HourFigure(
        name=name,
        total=total,
        most=most,
        chart=column_chart(
            [(number, f"{_time(when)}: {words(number)}") for when, number in values],
            ticks=[_ticks(found)],
            text=text,
            is_whole=is_whole,
            summary=_("%(name)s by minute, from %(first)s to %(last)s: %(most)s.")
            % {
                "name": name,
                "first": _time(values[0][0]),
                "last": _time(values[-1][0]),
                "most": most or _("none"),
            },
        ),
    )


def _ticks(found: LastHour) -> list[Tick]:
    starts = [when for when, _one in found.minutes][::_TICK]
    return [Tick(text=_time(when), columns=min(_TICK, MINUTES)) for when in starts]


def _reasons(reasons: Mapping[str, int]) -> list[dict[str, Any]]:
    """Reasons, most frequent first."""
    ordered = sorted(reasons.items(), key=lambda item: -item[1])[:MOST_REASONS]
    most = max(reasons.values(), default=0)
    raised = _("Raised in the block or in the view.")
    hints = {
        "": _("The block was marked for rollback, or the response was an error."),
        "WriteConflict": _(
            "Another transaction was changing the same document: retry the whole with ATTEMPTS or "
            "run_in_transaction."
        ),
        "NoSuchTransaction": _(
            "The server had ended it, because it was open for too long or a new primary was "
            "elected."
        ),
        "CommitResultUnknown": _("It is unknown whether it was committed; check the data."),
    }
    return [
        {
            "name": _reason(name),
            "bar": bar(count(number), number, most),
            "hint": "" if name == OTHERS else hints.get(name, raised),
        }
        for name, number in ordered
    ]


def _reason(name: str) -> str:
    return {"": _("no exception"), OTHERS: _("all other reasons")}.get(name, _text(name))


def _outcomes() -> dict[Outcome, str]:
    return {
        "committed": _("committed"),
        "rolled_back": _("rolled back"),
        "unknown": _("result unknown"),
    }


def _short_duration(seconds: float) -> str:
    """A short text for an axis."""
    if seconds >= 60:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def _time(when: datetime) -> str:
    """``16:05``, in UTC as on all pages."""
    return f"{when:%H:%M}"


def _text(name: str) -> str:
    return shortened(printable(name), _LONGEST)
