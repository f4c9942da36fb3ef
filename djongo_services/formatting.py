"""Numbers, sizes, ages, text and values in a readable form.

Text from a database is made safe to display: control characters are escaped.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bson import Code, DatetimeMS, Decimal128, Int64, ObjectId, Timestamp
from bson.binary import Binary, UuidRepresentation
from bson.json_util import JSONMode, JSONOptions, dumps

_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")


def count(number: int) -> str:
    """``1,234``."""
    return f"{number:,}"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """``1 document``, ``1,234 documents``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def size(number: float) -> str:
    """Bytes in decimal units: ``0 B``, ``849 B``, ``1.2 MB``."""
    if number < 1000:
        return f"{number:.0f} B"
    for unit in _UNITS:
        number /= 1000
        if number < 999.95 or unit == _UNITS[-1]:
            break
    return f"{number:.1f} {unit}"


def percent(share: float) -> str:
    """``42 %``, ``3.5 %``, ``99.5 %``: with one decimal below 10 and above 90.

    It is never ``0 %`` for a positive share, nor ``100 %`` for less than all.
    """
    value = share * 100
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99.9 < value < 100:
        return ">99.9 %"
    if value < 10 or value > 90:
        return f"{round(value, 1):g} %"
    return f"{value:.0f} %"


def decimal(number: float) -> str:
    """``3``, ``3.1``: with one decimal unless that is zero."""
    return f"{number:,.1f}".removesuffix(".0")


_SPELLED_OUT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co"})
"""Unicode categories: control, format (among them the bidirectional overrides), surrogate, line
and paragraph separator, private use."""

_JOINERS = frozenset("\u200c\u200d")
"""Zero width (non-)joiners: format characters that are necessary in Persian, Hindi and emoji."""


def printable(text: str) -> str:
    r"""``text`` on one line, with ``\n`` for a newline, ``\x1b`` for escape, ``\u202e``, ...

    A backslash that belongs to the text stays as it is: this is for eyes, not for reading back.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(character) for character in text)


def _spelled(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _SPELLED_OUT:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


LONGEST_TEXT = 40
"""The maximum number of characters; longer text ends with an ellipsis."""


def value_text(value: Any, longest: int = LONGEST_TEXT) -> str:
    """``"text"``, ``12``, ``2024-05-01 12:00:00Z``, ``ObjectId(...)``, ``{"a": 1}``."""
    return shortened(printable(_value_text(value)), longest)


def document_text(document: Mapping[str, Any]) -> str:
    """A whole document on one line, as Extended JSON."""
    return printable(extended_json(document))


def extended_json(value: Any, indent: int | None = None) -> str:
    """Relaxed Extended JSON in ASCII, also for out-of-range dates and native UUIDs."""
    text: str = dumps(value, json_options=EXTENDED_JSON, indent=indent)
    return text


EXTENDED_JSON: JSONOptions = JSONOptions(
    json_mode=JSONMode.RELAXED, uuid_representation=UuidRepresentation.STANDARD
)
"""Numbers, and dates of the years 1970 to 9999, are plain; UUIDs have the subtype 4."""


def shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _value_text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() if not isinstance(value, Code):
            return f'"{value}"'
        case int() | float() | Int64() | Decimal128():
            return str(value)
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00")
        case DatetimeMS():
            return f"date {int(value)} ms"
        case ObjectId() | UUID():
            return str(value)
        case Timestamp():
            return f"Timestamp({value.time}, {value.inc})"
        case Binary() | bytes():
            return f"binary of {size(len(value))}"
        case _:
            return extended_json(value)


LONGEST_AGE = timedelta(days=36_525)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_UNIT_NAMES = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}


def parse_age(text: str) -> timedelta:
    """``90s``, ``30m``, ``48h``, ``7d``, ``2w``; raises ValueError for anything else."""
    match = re.fullmatch(r"(\d{1,9})([smhdw])", text.strip())
    if match is None:
        raise ValueError(
            f"invalid age {text!r}; write a number and s, m, h, d or w for seconds to weeks, "
            f"such as 48h"
        )
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > LONGEST_AGE.total_seconds():
        raise ValueError(f"age {text!r} is too large; the maximum is {LONGEST_AGE.days:,} days")
    return timedelta(seconds=seconds)


def age_text(age: timedelta) -> str:
    """The age in the largest unit that fits, up to days: ``48 hours``, ``7 days``,
    ``90 seconds``."""
    return duration(age.total_seconds())


def duration(seconds: float) -> str:
    """Seconds in the format of :func:`age_text`; fractions are rounded."""
    if not math.isfinite(seconds):
        return f"{seconds} seconds"
    return _part_text(whole_unit(seconds))


TimePart = tuple[int, str]
"""A number and its unit: ``s``, ``m``, ``h`` or ``d``."""


def whole_unit(seconds: float) -> TimePart:
    """Finite seconds in the largest unit that fits, up to days: ``(7, "d")``, ``(90, "s")``."""
    seconds = round(seconds)
    if seconds == 172_800:
        return 48, "h"  # This is the usual name of the period.
    for unit in _PARTS:
        number, rest = divmod(seconds, _SECONDS[unit])
        if number and not rest:
            return number, unit
    return 0, "s"


_PARTS = ("d", "h", "m", "s")
_MOST = {"s": 100, "m": 100, "h": 48}
"""From this number of units on, a range is shown in the next larger one."""


def time_parts(seconds: float) -> tuple[TimePart, ...]:
    """The two largest units of a duration: ``((3, "m"), (12, "s"))``.

    Empty for less than a second; smaller units are rounded.
    """
    whole = round(seconds) if seconds >= 1 else 0
    first = next((place for place, unit in enumerate(_PARTS) if whole >= _SECONDS[unit]), None)
    if first is None:
        return ()
    units = _PARTS[first : first + 2]
    smallest = _SECONDS[units[-1]]
    whole = round(whole / smallest) * smallest
    parts = []
    # Rounding may have completed the next larger unit.
    for unit in _PARTS[max(first - 1, 0) : first + 2]:
        number, whole = divmod(whole, _SECONDS[unit])
        parts.append((number, unit))
    return tuple(part for part in parts if part[0])


def elapsed(seconds: float) -> str:
    """``3 minutes 12 seconds``, ``1 hour 5 minutes``, ``less than 1 second``."""
    parts = time_parts(seconds)
    return " ".join(map(_part_text, parts)) or "less than 1 second"


def time_range(low: float, high: float) -> tuple[TimePart, TimePart]:
    """Both ends in a unit that fits: ``((2, "m"), (12, "m"))``, ``((40, "s"), (3, "m"))``.

    The first is rounded down, the second up, to at least 1.
    """
    last = _unit_of(high)
    most = max(math.ceil(high / _SECONDS[last]), 1)
    first = last if low >= 2 * _SECONDS[last] or most == 1 else _unit_of(low)
    return (math.floor(low / _SECONDS[first]), first), (most, last)


def about(low: float, high: float) -> str:
    """``about 2 to 12 minutes``, ``about 40 seconds to 3 minutes``, ``about 0 to 1 second``."""
    first, last = time_range(low, high)
    start = str(first[0]) if first[1] == last[1] else _part_text(first)
    return f"about {start} to {_part_text(last)}"


def _unit_of(seconds: float) -> str:
    return next((unit for unit, most in _MOST.items() if seconds < most * _SECONDS[unit]), "d")


def _part_text(part: TimePart) -> str:
    number, unit = part
    return counted(number, _UNIT_NAMES[unit])
