"""Converting values from one BSON type to another, as SQL databases cast columns."""

from __future__ import annotations

from typing import Any

from djongo_services.bson_types import NUMBERS

Expression = Any

_CONVERTED = frozenset({"string", "bool", "date", "objectId"}) | NUMBERS
"""The types that ``$convert`` supports."""
_WHOLE = frozenset({"int", "long"})
_TRUE = ["true", "t", "yes", "y", "on", "1"]
_FALSE = ["false", "f", "no", "n", "off", "0"]
"""The spellings that PostgreSQL accepts, in lower case."""


def converts(old: str, new: str) -> bool:
    """Whether the values must be converted, and can be."""
    return old != new and {old, new} <= _CONVERTED


def converted(
    value: str, new: str, *, places: int | None = None, times: bool = False
) -> Expression:
    """``value`` (``"$name"``) as the type ``new``; what cannot be converted stays unchanged.

    Fractions are rounded, and decimals are rounded to ``places``. ``times`` means that dates are
    times of day. Null stays null, missing stays missing.
    """
    found = _as_time(value) if times and new == "date" else _conversion(value, new, places)
    kind = {"$type": value}
    untouched = ["missing", "null", "undefined", *(() if places is not None else (new,))]
    return {"$cond": [{"$in": [kind, untouched]}, value, found]}


def _conversion(value: str, new: str, places: int | None) -> Expression:
    if new == "bool":
        return _as_bool(value)
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


def _as_time(value: str) -> Expression:
    """A time on the day on which the backend stores times."""
    is_text = {"$eq": [{"$type": value}, "string"]}
    text = {"$concat": ["0001-01-01 ", {"$cond": [is_text, value, ""]}]}
    parsed = {"$dateFromString": {"dateString": text, "onError": value}}
    return {"$cond": [is_text, parsed, value]}


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
