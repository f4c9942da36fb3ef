"""Aggregation expressions that reach any value, whatever the names on the path.

A name from the data is always treated as a name: plain ones are used in a field path, all others
(with dots, a leading dollar, empty) are literals that are compared with the object's keys, which
works on MongoDB 4.4 too.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from bson import Binary
from bson.binary import OLD_BINARY_SUBTYPE

from djongo_services.bson_types import BINARY_SUBTYPES, binary_type
from djongo_services.introspection.profiling.proof import is_plain

Expression = Any

SUBTYPE_LENGTH: Final = 64
"""The length in bytes up to which the server can determine a binary value's subtype: UUIDs,
digests, keys."""

_COLUMN: Final = 7
"""The server parses values of this subtype, so none can be constructed for comparison."""


def member(parent: Expression, name: str, *, guarded: bool) -> Expression:
    """The field ``name`` of ``parent``; missing if there is none.

    ``guarded`` means that the parent may be an array, whose elements a plain path would search, so
    only an object's own field counts.
    """
    if not is_plain(name):
        return _by_key(parent, name)
    if not guarded and isinstance(parent, str):
        return f"${name}" if parent == "$$ROOT" else f"{parent}.{name}"
    return {"$let": {"vars": {"o": only_object(parent)}, "in": f"$$o.{name}"}}


def only_object(value: Expression) -> Expression:
    """The value if it is an embedded document, otherwise an empty one."""
    if value == "$$ROOT":
        return value
    if isinstance(value, str):
        return _object_or_empty(value)
    # Bound once: an expression that repeats its operand would double with every level.
    return {"$let": {"vars": {"v": value}, "in": _object_or_empty("$$v")}}


def _object_or_empty(value: str) -> Expression:
    return {"$cond": [{"$eq": [{"$type": value}, "object"]}, value, {"$literal": {}}]}


def no_ref(value: Expression) -> Expression:
    """The value, or an empty document if it is a DBRef."""
    return {"$let": {"vars": {"r": value}, "in": {"$cond": [_is_ref("$$r"), {}, "$$r"]}}}


def only_array(value: Expression) -> Expression:
    return {"$cond": [{"$isArray": [value]}, value, []]}


def entries(value: Expression, without: Collection[str]) -> Expression:
    """The keys and values of an object as an array of ``{k, v}``, without the given keys."""
    every = {"$objectToArray": only_object(value)}
    if not without:
        return every
    named = {"$in": ["$$this.k", {"$literal": sorted(without)}]}
    return {"$filter": {"input": every, "cond": {"$not": [named]}}}


def _by_key(parent: Expression, name: str) -> Expression:
    same = {"$eq": ["$$this.k", {"$literal": name}]}
    found = {"$filter": {"input": {"$objectToArray": only_object(parent)}, "cond": same}}
    return {"$arrayElemAt": [{"$map": {"input": found, "in": "$$this.v"}}, 0]}


def kind(value: Expression, types: Collection[str]) -> Expression:
    """The refined type of a value, as fine as ``types``, the known ones, require."""
    result: Expression = {"$type": value}
    if "dbRef" in types and "object" in types:
        test = {"$and": [{"$eq": [{"$type": value}, "object"]}, _is_ref(value)]}
        result = {"$cond": [test, "dbRef", result]}
    if any(name.partition(":")[0] == "binData" for name in types):
        test = {"$eq": [{"$type": value}, "binData"]}
        result = {"$cond": [test, _subtype(value, types), result]}
    return result


def _is_ref(value: Expression) -> Expression:
    keys = {"$map": {"input": {"$objectToArray": only_object(value)}, "in": "$$this.k"}}
    return {"$setIsSubset": [{"$literal": ["$ref", "$id"]}, keys]}


def _subtype(value: Expression, types: Collection[str]) -> Expression:
    """The refined name of a short binary value, ``binData?`` for a long one.

    Binary values sort by length, then subtype, then bytes: among values of one length, a subtype is
    the range from its zeros to the zeros of the next.
    """
    known = {*BINARY_SUBTYPES, 128, *(_subtype_number(name) for name in types)}
    branches: list[Expression] = [
        {"case": {"$gt": ["$$size", SUBTYPE_LENGTH]}, "then": "binData?"},
        *(
            {"case": _is_at_least(number), "then": binary_type(number)}
            for number in sorted(known - {0}, reverse=True)
        ),
    ]
    chosen = {"$switch": {"branches": branches, "default": "binData"}}
    sized = {"$let": {"vars": {"size": {"$binarySize": "$$b"}}, "in": chosen}}
    return {"$let": {"vars": {"b": value}, "in": sized}}


def _is_at_least(subtype: int) -> Expression:
    """Whether ``$$b`` has the subtype or a later one."""
    if subtype == _COLUMN:
        return {"$gt": ["$$b", _as_long(b"\xff", subtype - 1)]}
    return {"$gte": ["$$b", _as_long(b"\0", subtype)]}


def _as_long(byte: bytes, subtype: int) -> Expression:
    """The value of a subtype that repeats one byte and is as long as ``$$b``."""
    # PyMongo adds a length of its own before the bytes of the old subtype.
    prefix = 4 if subtype == OLD_BINARY_SUBTYPE else 0
    lengths = range(SUBTYPE_LENGTH + 1)
    every = [Binary(byte * max(length - prefix, 0), subtype) for length in lengths]
    return {"$arrayElemAt": [{"$literal": every}, "$$size"]}


def _subtype_number(name: str) -> int:
    subtype = name.partition(":")[2]
    return int(subtype[4:]) if subtype[:4] == "user" and subtype[4:].isdigit() else 0


def length_bound(size: Expression) -> Expression:
    """The class of a length: the smallest of 0, 1, 2, 4, 8, ... that is not below it."""
    bounds = [0, *(1 << power for power in range(25))]
    branches = [{"case": {"$lte": ["$$n", bound]}, "then": bound} for bound in bounds]
    return {
        "$let": {"vars": {"n": size}, "in": {"$switch": {"branches": branches, "default": 1 << 25}}}
    }
