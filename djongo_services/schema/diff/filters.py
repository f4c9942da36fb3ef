"""Queries in one normal form: partial filter expressions and validators.

Two forms of a predicate are treated as different only if their meaning can differ. Known equal
forms: the order of conditions, ``$and`` explicit or implied, ``$eq`` explicit or implied, numbers
of any type with the same value, types by number or by alias, and a range that covers exactly one
type in MongoDB's order (the backend writes ``{"$gte": ""}`` from 6.0.4 on and wrote
``{"$type": "string"}`` in 5.2; both are the same index).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from djongo_services.bson_ranges import whole_range

Frozen: TypeAlias = Any
"""Nested tuples and scalars: hashable, and equal if the documents mean the same."""

_TYPE_NUMBERS = {
    1: "double",
    2: "string",
    3: "object",
    4: "array",
    5: "binData",
    6: "undefined",
    7: "objectId",
    8: "bool",
    9: "date",
    10: "null",
    11: "regex",
    13: "javascript",
    16: "int",
    17: "timestamp",
    18: "long",
    19: "decimal",
    -1: "minKey",
    127: "maxKey",
}


def freeze(value: Any) -> Frozen:
    """A document as nested sorted tuples; numbers by value, whatever their type."""
    match value:
        case Mapping():
            return ("{}", *sorted((str(key), freeze(item)) for key, item in value.items()))
        case list() | tuple():
            return ("[]", *(freeze(item) for item in value))
        case bool():
            return ("bool", value)
        case Int64() | int():
            return ("number", float(value) if abs(value) < 2**53 else int(value))
        case float():
            return ("number", value)
        case Decimal128():
            return ("decimal", str(value.to_decimal().normalize()))
        case str() | bytes() | None:
            return (type(value).__name__, value)
        case datetime.datetime():
            return ("date", _milliseconds(value))
        case _:
            return (type(value).__name__, repr(value))


def _milliseconds(moment: datetime.datetime) -> str:
    """The moment in UTC, in which naive ones already are; BSON has no smaller unit."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")


def normal_filter(query: Mapping[str, Any]) -> Frozen:
    """A partial filter expression as the set of its conditions."""
    return ("and", *sorted(set(_conditions(query)), key=repr))


def _conditions(query: Mapping[str, Any]) -> list[Frozen]:
    found: list[Frozen] = []
    for name, value in query.items():
        if name == "$and":
            found += [condition for part in value for condition in _conditions(part)]
        elif name in ("$or", "$nor"):
            found.append((name, *sorted({normal_filter(part) for part in value}, key=repr)))
        elif isinstance(value, Mapping) and any(str(key).startswith("$") for key in value):
            found += [(name, *condition) for condition in _operators(value)]
        else:
            found.append((name, "$eq", freeze(value)))
    return found


def _operators(operators: Mapping[str, Any]) -> list[Frozen]:
    """Each operator as a condition; a range that covers exactly one type is that type."""
    rest = dict(operators)
    found: list[Frozen] = []
    if (whole := whole_range(rest)) is not None:
        found.append(("$type", (whole,)))
        for name in ("$gte", "$lte", "$in"):
            rest.pop(name, None)
    return found + [_operator(name, value) for name, value in rest.items()]


def _operator(name: str, value: Any) -> Frozen:
    if name == "$type":
        return ("$type", tuple(sorted(_type_names(value))))
    if name in ("$in", "$nin"):
        return (name, *sorted({freeze(item) for item in value}, key=repr))
    return (name, freeze(value))


def _type_names(value: Any) -> set[str]:
    types = value if isinstance(value, (list, tuple)) else [value]
    return {item if isinstance(item, str) else _TYPE_NUMBERS[int(item)] for item in types}


def is_presence(condition: Any) -> bool:
    """Whether the operators match all values of one kind except null."""
    if not isinstance(condition, Mapping):
        return False
    stated = dict(condition)
    numbers = stated == {"$gte": -math.inf}
    return set(stated) == {"$type"} or numbers or whole_range(stated) is not None
