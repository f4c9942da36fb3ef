"""The order in which the server sorts values of different BSON types.

Two sorted streams can only be merged if they are compared as they were sorted. Python compares
values differently (``True == 1``) or not at all (``1 < "a"``), so values are compared by a key.

Source: MongoDB manual, "Comparison/Sort Order"; the tests compare with the server's own sorting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from bson import (
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)

Key: TypeAlias = tuple[Any, ...]

OBJECT_ID: Final = 35
"""The rank of the type that almost every file's id has."""

_MIN_KEY: Final = -1
_NULL: Final = 5
_NUMBER: Final = 10
_STRING: Final = 15
_OBJECT: Final = 20
_ARRAY: Final = 25
_BINARY: Final = 30
_BOOLEAN: Final = 40
_DATE: Final = 45
_TIMESTAMP: Final = 47
_REGEX: Final = 50
_CODE: Final = 60
_CODE_WITH_SCOPE: Final = 65
_MAX_KEY: Final = 127
_INFINITY: Final = math.inf


def sort_key(value: Any) -> Key:
    """A key that compares with others as the server (without a collation) compares the values.

    Keys are equal if the server treats the values as equal: 1, 1.0 and Decimal128("1").
    """
    match value:
        case ObjectId():
            return (OBJECT_ID, value.binary)
        case str():
            # Code is a str as well.
            return _code(value) if isinstance(value, Code) else (_STRING, _bytes(value))
        case bool():
            return (_BOOLEAN, value)
        case int() | float() | Decimal128():
            return (_NUMBER, *_number(value))
        case bytes():
            return (_BINARY, len(value), getattr(value, "subtype", 0), bytes(value))
        case datetime():
            return (_DATE, int(DatetimeMS(value)))
        case DatetimeMS():
            return (_DATE, int(value))
        case DBRef():
            return (_OBJECT, _object(value.as_doc()))
        case Mapping():
            return (_OBJECT, _object(value))
        case list():
            return (_ARRAY, _object({str(at): item for at, item in enumerate(value)}))
        case _:
            return _rare(value)


def _rare(value: Any) -> Key:
    match value:
        case None:
            return (_NULL,)
        case Timestamp():
            return (_TIMESTAMP, value.time, value.inc)
        case Regex():
            return (_REGEX, _bytes(value.pattern), _flags(value.flags))
        case MinKey():
            return (_MIN_KEY,)
        case MaxKey():
            return (_MAX_KEY,)
    raise TypeError(f"There is no order for values of the type {type(value).__name__}.")


def _code(value: Code) -> Key:
    if value.scope is None:
        return (_CODE, _bytes(value))
    return (_CODE_WITH_SCOPE, _bytes(value), _object(value.scope))


def _number(value: float | Decimal128) -> tuple[Any, ...]:
    """NaN is below every number and equal to itself; Python compares the rest exactly."""
    exact: float | Decimal = value.to_decimal() if isinstance(value, Decimal128) else value
    if exact != exact:
        return (0,)
    if isinstance(exact, Decimal) and exact.is_infinite():
        return (1, math.copysign(_INFINITY, exact))
    return (1, exact)


def _object(value: Mapping[str, Any]) -> tuple[Any, ...]:
    """Element by element: first the type, then the name, then the value."""
    elements = []
    for name, item in value.items():
        rank, *rest = sort_key(item)
        elements.append((rank, _bytes(name), tuple(rest)))
    return tuple(elements)


def _bytes(text: str | bytes) -> bytes:
    """The bytes of a string, which strings are compared by; surrogates stand for invalid UTF-8."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _flags(flags: int) -> str:
    """The flags as the server stores a regular expression's options: letters in alphabetical
    order."""
    letters = {2: "i", 4: "l", 8: "m", 16: "s", 32: "u", 64: "x"}
    return "".join(letter for bit, letter in letters.items() if flags & bit)
