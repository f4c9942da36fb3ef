"""Pipeline stages that extract the values at many paths from each document, in one scan.

For each value ``v`` at the path with the number ``p``, a document becomes a small document
``{p, v}``. Names are used only where the server expects names: a plain one inside a field path, any
other (dots, a leading dollar, empty) as a literal that is compared with the object's keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from djongo_services.introspection.path import ELEMENT, KEY, Path, Step
from djongo_services.introspection.report import Profile

Expression = Any
Stage = dict[str, Any]
Named = Mapping[Path, Sequence[str]]
"""Names of fields by the path of their object."""

MAX_LEVELS = 10
"""The maximum number of nested arrays and maps; each adds nesting to the expression, of which the
server allows 200 levels."""

_PLAIN = re.compile(r"[^.$\x00][^.\x00]*")


def reachable(path: Path) -> bool:
    """Whether the values at ``path`` can be extracted: at most MAX_LEVELS arrays and maps."""
    return levels(path) <= MAX_LEVELS


def levels(path: Path) -> int:
    """The number of arrays and maps on the path, including the last step."""
    return sum(step is ELEMENT or step is KEY for step in path)


def named_beside_keys(profile: Profile) -> Named:
    """For each object that is a map and also has fields of its own: the names of these.

    ``<key>`` means every key except these.
    """
    maps = {field.path[:-1] for field in profile.walk() if field.path[-1] is KEY}
    names: dict[Path, list[str]] = {path: [] for path in maps}
    for field in profile.walk():
        *prefix, last = field.path
        if tuple(prefix) in names and isinstance(last, str):
            names[tuple(prefix)].append(last)
    return names


def extraction(
    paths: Sequence[Path],
    *,
    beside: Named,
    element_limit: int | None = None,
    with_id: bool = False,
) -> list[Stage]:
    """Stages from documents to ``{p, v}``: ``p`` is the index in ``paths``, ``v`` is never an
    array.

    Null and missing values are dropped. ``beside`` is as in :func:`named_beside_keys`.
    ``element_limit`` takes only the first elements of every array and the first keys of every map.
    ``with_id`` keeps the document's ``_id`` beside ``p`` and ``v``.
    """
    extractor = _Extractor(beside, element_limit)
    pairs = [
        {"p": {"$literal": number}, "v": extractor.values("$$ROOT", (), path)}
        for number, path in enumerate(paths)
    ]
    deepest = max((levels(path) for path in paths), default=0)
    return [
        {"$project": {"_id": int(with_id), "pairs": pairs}},
        {"$unwind": "$pairs"},
        {"$project": {"p": "$pairs.p", "v": "$pairs.v"}},
        *[{"$unwind": "$v"} for _ in range(deepest)],
        {"$match": {"v": {"$ne": None}}},
    ]


def named(value: Expression, name: str) -> Expression:
    """The field ``name`` of the object ``value``; missing if it is not an object."""
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


def keys_of_object(value: Expression, without: Sequence[str]) -> Expression:
    """The keys of the object ``value`` as an array, except the given ones."""
    wanted = _without(_entries(value), without)
    return {"$map": {"input": wanted, "as": "entry", "in": "$$entry.k"}}


class _Extractor:
    """Builds the expressions of paths, step by step."""

    def __init__(self, beside: Named, limit: int | None) -> None:
        self._beside = beside
        self._limit = limit

    def values(self, value: Expression, done: Path, steps: Path) -> Expression:
        """The values at ``steps`` below ``value``, which is at the path ``done``.

        The result is nested arrays, one level for each array or map on the path.
        """
        if not steps:
            # The path does not mean an array here, but $unwind would treat it as one.
            return {"$cond": [{"$isArray": [value]}, None, value]}
        step, rest = steps[0], steps[1:]
        here = (*done, step)
        variable = f"element{len(done)}"
        match step:
            case Step.ELEMENT:
                elements: Expression = {"$cond": [{"$isArray": [value]}, value, []]}
                each = self.values(f"$${variable}", here, rest)
            case Step.KEY:
                elements = _without(_entries(value), self._beside.get(done, ()))
                each = self.values(f"$${variable}.v", here, rest)
            case name:
                return self.values(named(value, name), here, rest)
        if self._limit is not None:
            elements = {"$slice": [elements, self._limit]}
        return {"$map": {"input": elements, "as": variable, "in": each}}


def _without(entries: Expression, names: Sequence[str]) -> Expression:
    if not names:
        return entries
    is_data = {"$not": {"$in": ["$$entry.k", {"$literal": list(names)}]}}
    return {"$filter": {"input": entries, "as": "entry", "cond": is_data}}


def _entries(value: Expression) -> Expression:
    """The keys and values of an object, as an array; empty for other values."""
    is_object = {"$eq": [{"$type": value}, "object"]}
    return {"$cond": [is_object, {"$objectToArray": value}, []]}
