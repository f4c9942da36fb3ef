"""Pipeline stages that take the values at many paths out of each document, in one scan.

Every document becomes one small document ``{p, v}`` for each value ``v`` at the path with the
number ``p``. Names reach the server only where it reads names: a plain one inside a field path,
any other (dots, a leading dollar, empty) as a literal that is compared with the object's keys.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from djongo_services.introspection.path import ELEMENT, KEY, Path, Step

Expression = Any
Stage = dict[str, Any]

MAX_LEVELS = 10
"""Arrays and maps inside each other that are followed; each adds nesting to the expression, of
which the server allows 200 levels."""

_PLAIN = re.compile(r"[^.$\x00][^.\x00]*")


def reachable(path: Path) -> bool:
    """Whether the values at ``path`` can be extracted: at most MAX_LEVELS arrays and maps."""
    return levels(path) <= MAX_LEVELS


def levels(path: Path) -> int:
    """Arrays and maps on the way, the last step included."""
    return sum(step is ELEMENT or step is KEY for step in path)


def extraction(paths: Sequence[Path], *, element_limit: int | None = None) -> list[Stage]:
    """Stages from documents to ``{p, v}``: ``p`` the index in ``paths``, ``v`` never an array.

    Null and missing values are dropped. ``element_limit`` takes only the first elements of every
    array and the first keys of every map.
    """
    pairs = [
        {"p": {"$literal": number}, "v": _values("$$ROOT", path, 0, element_limit)}
        for number, path in enumerate(paths)
    ]
    deepest = max((levels(path) for path in paths), default=0)
    return [
        {"$project": {"_id": 0, "pairs": pairs}},
        {"$unwind": "$pairs"},
        {"$project": {"p": "$pairs.p", "v": "$pairs.v"}},
        *[{"$unwind": "$v"} for _ in range(deepest)],
        {"$match": {"v": {"$ne": None}}},
    ]


def named(value: Expression, name: str) -> Expression:
    """The field ``name`` of the object ``value``; missing where it is not an object."""
    if _PLAIN.fullmatch(name):
        if isinstance(value, str):
            return f"{value}.{name}"
        return {"$let": {"vars": {"object": value}, "in": f"$$object.{name}"}}
    matching = {
        "$filter": {
            "input": _entries(value),
            "as": "entry",
            "cond": {"$eq": ["$$entry.k", {"$literal": name}]},
        }
    }
    first = {"$arrayElemAt": ["$$matching.v", 0]}
    return {"$let": {"vars": {"matching": matching}, "in": first}}


def _values(value: Expression, steps: Path, level: int, limit: int | None) -> Expression:
    """The values below ``value``: nested arrays, one level for each array or map on the way."""
    if not steps:
        # An array here is not what the path means, and $unwind would take it for its elements.
        return {"$cond": [{"$isArray": [value]}, None, value]}
    step, rest = steps[0], steps[1:]
    variable = f"element{level}"
    match step:
        case Step.ELEMENT:
            each = _values(f"$${variable}", rest, level + 1, limit)
            elements = {"$cond": [{"$isArray": [value]}, value, []]}
        case Step.KEY:
            each = _values(f"$${variable}.v", rest, level + 1, limit)
            elements = _entries(value)
        case name:
            return _values(named(value, name), rest, level, limit)
    if limit is not None:
        elements = {"$slice": [elements, limit]}
    return {"$map": {"input": elements, "as": variable, "in": each}}


def _entries(value: Expression) -> Expression:
    """The keys and values of an object, as an array; empty for anything else."""
    is_object = {"$eq": [{"$type": value}, "object"]}
    return {"$cond": [is_object, {"$objectToArray": value}, []]}
