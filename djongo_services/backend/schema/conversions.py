"""Converting values from one BSON type to another, as SQL databases cast columns."""

from __future__ import annotations

from typing import Any, Literal

from django.db.models import DateField, DateTimeField, TimeField

from djongo_services.bson_types import NUMBERS
from djongo_services.schema.mapping.table import AnyField

Expression = Any
DateKind = Literal["day", "moment", "time", ""]
"""What a BSON date stands for: a day by its midnight, a time by one on the day on which the backend
stores times; empty if the field has no dates."""

_CONVERTED = frozenset({"string", "bool", "date", "objectId"}) | NUMBERS
"""The types that ``$convert`` supports."""
_WHOLE = frozenset({"int", "long"})
_TRUE = ["true", "t", "yes", "y", "on", "1"]
_FALSE = ["false", "f", "no", "n", "off", "0"]
"""The spellings that PostgreSQL accepts, in lower case."""
_DAY_OF_TIMES = {"year": 1, "month": 1, "day": 1}
_FORMATS = {"day": "%Y-%m-%d", "time": "%H:%M:%S.%L"}


def date_kind(field: AnyField) -> DateKind:
    match field:
        case DateTimeField():
            return "moment"
        case DateField():
            return "day"
        case TimeField():
            return "time"
    return ""


def converts(old: str, new: str) -> bool:
    """Whether the values must be converted, and can be."""
    return old != new and {old, new} <= _CONVERTED


def converted(
    value: str,
    new: str,
    *,
    places: int | None = None,
    was: DateKind = "",
    becomes: DateKind = "",
) -> Expression:
    """``value`` (``"$name"``) as the type ``new``; what cannot be converted keeps another type.

    Fractions are rounded, and decimals are rounded to ``places``. ``was`` and ``becomes`` are what
    dates stand for. Null stays null, missing stays missing.
    """
    found = _as_date(value, was, becomes) if new == "date" else _conversion(value, new, places, was)
    again = places is not None or was != becomes
    untouched = ["missing", "null", "undefined", *(() if again else (new,))]
    return {"$cond": [{"$in": [{"$type": value}, untouched]}, value, found]}


def _conversion(value: str, new: str, places: int | None, was: DateKind) -> Expression:
    found = _as_bool(value) if new == "bool" else _plain(value, new, places)
    # Dates are no numbers and no truth values, as in SQL databases.
    of_date = _date_text(value, was) if new == "string" else value
    return {"$cond": [_is_date(value), of_date, found]}


def _plain(value: str, new: str, places: int | None) -> Expression:
    number = {"$in": [{"$type": value}, sorted(NUMBERS)]}
    source: Expression = value
    if new in _WHOLE:
        source = {"$cond": [number, {"$round": [_if(number, value), 0]}, value]}
    plain = {"$convert": {"input": source, "to": new, "onError": value, "onNull": None}}
    if new == "decimal" and places is not None:
        # From the text, because a double has digits that were not entered.
        rounded = {"$round": [{"$convert": {"input": value, "to": "decimal"}}, places]}
        safe = {"$convert": {"input": value, "to": "decimal", "onError": None, "onNull": None}}
        return {"$cond": [{"$eq": [safe, None]}, value, rounded]}
    return plain


def _if(number: Expression, value: str) -> Expression:
    """Zero if it is not a number: all parts of ``$cond`` must be valid expressions."""
    return {"$cond": [number, value, 0]}


def _is_date(value: str) -> Expression:
    return {"$eq": [{"$type": value}, "date"]}


def _as_date(value: str, was: DateKind, becomes: DateKind) -> Expression:
    """From a text or another date; numbers and other values are no dates."""
    is_text = {"$eq": [{"$type": value}, "string"]}
    text = {"$cond": [is_text, value, ""]}
    if becomes == "time":
        text = {"$concat": ["0001-01-01 ", text]}
    parsed = {"$dateFromString": {"dateString": text, "onError": value}}
    of_text = parsed
    if becomes == "day":
        midnight = {"$cond": [_is_date("$$parsed"), _day_of("$$parsed"), value]}
        of_text = {"$let": {"vars": {"parsed": parsed}, "in": midnight}}
    of_date = {"$cond": [_is_date(value), _of_date(value, was, becomes), value]}
    return {"$cond": [is_text, of_text, of_date]}


def _of_date(value: str, was: DateKind, becomes: DateKind) -> Expression:
    match (was, becomes):
        case ("moment", "day"):
            return _day_of(value)
        case ("moment", "time"):
            return _time_of(value)
        case ("day", "time") | ("time", "day" | "moment"):
            return {"$toString": value}  # It has none.
    return value


def _day_of(value: str) -> Expression:
    parts = {"year": {"$year": value}, "month": {"$month": value}, "day": {"$dayOfMonth": value}}
    return {"$dateFromParts": parts}


def _time_of(value: str) -> Expression:
    names = ("hour", "minute", "second", "millisecond")
    return {"$dateFromParts": {**_DAY_OF_TIMES, **{name: {f"${name}": value} for name in names}}}


def _date_text(value: str, kind: DateKind) -> Expression:
    if kind not in _FORMATS:
        return {"$toString": value}
    return {"$dateToString": {"date": value, "format": _FORMATS[kind]}}


def _as_bool(value: str) -> Expression:
    """A boolean by the word; for ``$convert`` every text is true."""
    text = {"$toLower": {"$convert": {"input": value, "to": "string", "onError": ""}}}
    words = {
        "$switch": {
            "branches": [
                {"case": {"$in": [text, _TRUE]}, "then": True},
                {"case": {"$in": [text, _FALSE]}, "then": False},
            ],
            "default": value,
        }
    }
    other = {"$convert": {"input": value, "to": "bool", "onError": value, "onNull": None}}
    return {"$cond": [{"$eq": [{"$type": value}, "string"]}, words, other]}
