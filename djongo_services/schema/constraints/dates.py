"""Parts of dates and times, and truncated dates, as Django's functions return them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import DateField, DateTimeField, TimeField
from django.db.models import functions as f

from djongo_services.schema.constraints.columns import NotExpressible
from djongo_services.schema.constraints.mql import (
    DATE,
    MQL,
    STRING,
    Compile,
    strict,
)

_PARTS = {
    f.ExtractYear: "$year",
    f.ExtractIsoYear: "$isoWeekYear",
    f.ExtractMonth: "$month",
    f.ExtractDay: "$dayOfMonth",
    f.ExtractWeek: "$isoWeek",
    f.ExtractWeekDay: "$dayOfWeek",
    f.ExtractIsoWeekDay: "$isoDayOfWeek",
    f.ExtractHour: "$hour",
    f.ExtractMinute: "$minute",
    f.ExtractSecond: "$second",
}
"""Django counts week days as MongoDB does: Sunday is 1, and Monday is the ISO day 1."""

_KEPT = {
    "year": (),
    "month": ("month",),
    "day": ("month", "day"),
    "hour": ("month", "day", "hour"),
    "minute": ("month", "day", "hour", "minute"),
    "second": ("month", "day", "hour", "minute", "second"),
}
_OPERATORS = {
    "year": "$year",
    "month": "$month",
    "day": "$dayOfMonth",
    "hour": "$hour",
    "minute": "$minute",
    "second": "$second",
    "millisecond": "$millisecond",
}


def _extract(node: Any, compile_: Compile) -> MQL:
    (source,) = node.get_source_expressions()
    operator = _PARTS[type(node)]
    date = compile_(source)
    if isinstance(source.output_field, TimeField) and not compile_.backend:
        date = strict([date], [STRING], _moment_of_clock)
    return strict([date], [DATE], lambda date: {operator: _in_zone(date, node)})


def _moment_of_clock(text: MQL) -> MQL:
    """A date of the clock time, which the document contains as ISO 8601."""
    return {"$dateFromString": {"dateString": {"$concat": ["1970-01-01T", text]}, "onError": None}}


def _quarter(node: Any, compile_: Compile) -> MQL:
    (source,) = node.get_source_expressions()

    def build(date: MQL) -> MQL:
        return {"$ceil": {"$divide": [{"$month": _in_zone(date, node)}, 3]}}

    return strict([compile_(source)], [DATE], build)


def _in_zone(date: MQL, node: Any) -> dict[str, Any]:
    """The operand of a date operator: in the project's time zone, if Django uses one."""
    (source,) = node.get_source_expressions()
    if not (settings.USE_TZ and isinstance(source.output_field, DateTimeField)):
        return {"date": date}
    zone = node.get_tzname()
    return {"date": date} if zone == "UTC" else {"date": date, "timezone": _olson(zone)}


def _olson(zone: str) -> str:
    # A fixed offset; Django writes UTC+02:00 for Python's name of it.
    return zone.removeprefix("UTC") if zone[:4] in ("UTC+", "UTC-") else zone


def _trunc(node: Any, compile_: Compile) -> MQL:
    (source,) = node.get_source_expressions()
    if isinstance(source.output_field, TimeField) or node.kind not in _KEPT:
        raise NotExpressible(f"{type(node).__name__} cannot be expressed in a validator")
    # The result for a date and time is a date and time, that for a date is a date (midnight UTC).
    moment = isinstance(node.output_field, DateTimeField)

    def build(date: MQL) -> MQL:
        zoned = _in_zone(date, node)
        parts = {part: {_OPERATORS[part]: zoned} for part in ("year", *_KEPT[node.kind])}
        if moment and "timezone" in zoned:
            return {"$dateFromParts": {**parts, "timezone": zoned["timezone"]}}
        return {"$dateFromParts": parts}

    return strict([compile_(source)], [DATE], build)


def _trunc_date(node: Any, compile_: Compile) -> MQL:
    (source,) = node.get_source_expressions()

    def build(date: MQL) -> MQL:
        zoned = _in_zone(date, node)
        return {"$dateFromParts": {p: {_OPERATORS[p]: zoned} for p in ("year", "month", "day")}}

    if isinstance(source.output_field, DateField):
        return strict([compile_(source)], [DATE], build)
    raise NotExpressible("only dates have a date")


def _trunc_time(node: Any, compile_: Compile) -> MQL:
    (source,) = node.get_source_expressions()
    if not compile_.backend:
        raise NotExpressible("the time of a moment cannot be compared with a time kept as text")

    def build(date: MQL) -> MQL:
        zoned = _in_zone(date, node)
        clock = {p: {_OPERATORS[p]: zoned} for p in ("hour", "minute", "second", "millisecond")}
        return {"$dateFromParts": {"year": 1, "month": 1, "day": 1, **clock}}

    return strict([compile_(source)], [DATE], build)


DATE_FUNCTIONS: Mapping[type[Any], Callable[[Any, Compile], MQL]] = {
    **dict.fromkeys(_PARTS, _extract),
    f.ExtractQuarter: _quarter,
    f.TruncDate: _trunc_date,
    f.TruncTime: _trunc_time,
    **dict.fromkeys(
        [f.TruncYear, f.TruncMonth, f.TruncDay, f.TruncHour, f.TruncMinute, f.TruncSecond], _trunc
    ),
    f.Trunc: _trunc,
}
