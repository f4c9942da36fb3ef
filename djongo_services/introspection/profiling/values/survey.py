"""One scan that summarises the values at many paths on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from djongo_services.introspection.path import Path
from djongo_services.introspection.profiling.extraction import Expression, Named, Stage, extraction
from djongo_services.introspection.profiling.interruption import aggregate
from djongo_services.introspection.profiling.values.formats import PATTERNS
from djongo_services.introspection.progress import Stop

NUMBER = "number"
"""The four number types as one, for they compare with each other."""

SCALARS = (NUMBER, "string", "binData", "objectId", "bool", "date", "timestamp")
"""What is summarised; other types have no values that people look at."""

ORDERED = (NUMBER, "string", "objectId", "bool", "date", "timestamp")
"""Scalars whose order means something to people; binary values are ordered by length first."""

CUT = 256
"""Characters of a string that are compared; two that differ only later count as one."""

INVALID_UTF8 = frozenset({51156, 34459})
"""``$regexMatch`` and ``$substrCP`` on a string that is not UTF-8 (MongoDB 4.4 to 6.0)."""

_IS_UTF8 = {"$or": [{"v": {"$not": {"$type": "string"}}}, {"v": {"$regex": "^"}}]}
"""A query's regular expression does not match, rather than fail, on invalid UTF-8."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What one scan found of one type at one path."""

    type: str
    count: int
    distinct: int
    once: int
    """Values that occur once."""
    cut: bool
    """Whether a value was longer than what is compared."""
    minimum: Any
    maximum: Any
    shortest: int | None
    longest: int | None
    formats: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a scan shall find out of one path."""

    path: Path
    distinct: bool = True
    """Whether to tell values apart; costs the server memory, or disk, for each."""
    formats: AbstractSet[str] = field(default_factory=lambda: frozenset(PATTERNS))


def survey(
    collection: Collection[Any],
    prefix: Sequence[Stage],
    questions: Sequence[Question],
    *,
    beside: Named,
    stop: Stop | None = None,
    skip_invalid: bool = False,
) -> list[list[Found]]:
    """For each question what was found, by type; ``prefix`` chooses the documents.

    ``beside`` as in :func:`~.extraction.extraction`.

    Raises OperationFailure with a code of INVALID_UTF8 where a string is not UTF-8, unless such
    strings are skipped.
    """
    pipeline = [
        *prefix,
        *_scalars([asked.path for asked in questions], beside, skip_invalid=skip_invalid),
        *_groups(questions),
    ]
    found: list[list[Found]] = [[] for _ in questions]
    for row in aggregate(collection, pipeline, stop=stop):
        found[row["_id"]["p"]].append(_found(row))
    return found


def count_values(
    collection: Collection[Any],
    prefix: Sequence[Stage],
    paths: Sequence[Path],
    *,
    beside: Named,
    limit: int,
    stop: Stop | None = None,
) -> list[list[tuple[Any, int]]]:
    """For each path every value with its count, together at most ``limit`` values."""
    pipeline = [
        *prefix,
        *_scalars(paths, beside, skip_invalid=True),
        {"$group": {"_id": {"p": "$p", "t": "$t", "c": "$c"}, "n": {"$sum": 1}}},
        {"$limit": limit},
    ]
    counts: list[list[tuple[Any, int]]] = [[] for _ in paths]
    for row in aggregate(collection, pipeline, stop=stop):
        counts[row["_id"]["p"]].append((row["_id"]["c"], row["n"]))
    return counts


def count_invalid(
    collection: Collection[Any],
    prefix: Sequence[Stage],
    paths: Sequence[Path],
    *,
    beside: Named,
    stop: Stop | None = None,
) -> dict[int, int]:
    """Strings that are not UTF-8, by the index of their path."""
    pipeline = [
        *prefix,
        *extraction(paths, beside=beside),
        {"$match": {"$nor": [_IS_UTF8]}},
        {"$group": {"_id": "$p", "n": {"$sum": 1}}},
    ]
    return {row["_id"]: row["n"] for row in aggregate(collection, pipeline, stop=stop)}


def is_invalid_utf8(error: OperationFailure) -> bool:
    return error.code in INVALID_UTF8


def _scalars(paths: Sequence[Path], beside: Named, *, skip_invalid: bool) -> list[Stage]:
    """Documents ``{p, t, l, c}``: path, type, length, and the value as far as it is compared."""
    is_string = {"$eq": [{"$type": "$v"}, "string"]}
    is_binary = {"$eq": [{"$type": "$v"}, "binData"]}
    long_string = {"$gt": [{"$strLenBytes": "$v"}, CUT]}
    string = {"$cond": [long_string, {"$substrCP": ["$v", 0, CUT]}, "$v"]}
    size: Expression = {"$binarySize": "$v"}
    binary = {"$cond": [{"$gt": [size, CUT]}, size, "$v"]}
    length = {"$cond": [is_string, {"$strLenCP": "$v"}, {"$cond": [is_binary, size, "$$REMOVE"]}]}
    compared = {"$cond": [is_string, string, {"$cond": [is_binary, binary, "$v"]}]}
    type_name = {"$cond": [{"$isNumber": "$v"}, NUMBER, {"$type": "$v"}]}
    return [
        *extraction(paths, beside=beside),
        *([{"$match": _IS_UTF8}] if skip_invalid else []),
        {"$match": {"v": {"$type": list(SCALARS)}}},
        {"$project": {"p": 1, "t": type_name, "l": length, "c": compared}},
    ]


def _groups(questions: Sequence[Question]) -> list[Stage]:
    """First by value, where values are told apart, then by path and type."""
    numbers = [number for number, asked in enumerate(questions) if asked.distinct]
    value: Expression = {"$cond": [{"$in": ["$p", numbers]}, "$c", None]}
    if len(numbers) == len(questions):
        value = "$c"
    elif not numbers:
        value = None
    counted = [name for name in PATTERNS if any(name in asked.formats for asked in questions)]
    by_value: Stage = {
        "_id": {"p": "$p", "t": "$t", "k": value},
        "n": {"$sum": 1},
        "lo": {"$min": "$c"},
        "hi": {"$max": "$c"},
        "short": {"$min": "$l"},
        "long": {"$max": "$l"},
        **{name: {"$sum": _has_format(name, questions)} for name in counted},
    }
    by_type: Stage = {
        "_id": {"p": "$_id.p", "t": "$_id.t"},
        "n": {"$sum": "$n"},
        "distinct": {"$sum": 1},
        "once": {"$sum": {"$cond": [{"$eq": ["$n", 1]}, 1, 0]}},
        "lo": {"$min": "$lo"},
        "hi": {"$max": "$hi"},
        "short": {"$min": "$short"},
        "long": {"$max": "$long"},
        **{name: {"$sum": f"${name}"} for name in counted},
    }
    return [{"$group": by_value}, {"$group": by_type}]


def _has_format(name: str, questions: Sequence[Question]) -> Expression:
    """1 where the value is a string of the format and its path is asked for it."""
    numbers = [number for number, asked in enumerate(questions) if name in asked.formats]
    conditions: list[Expression] = [{"$eq": ["$t", "string"]}]
    if len(numbers) < len(questions):
        conditions.append({"$in": ["$p", numbers]})
    conditions.append({"$regexMatch": {"input": "$c", "regex": PATTERNS[name]}})
    return {"$cond": [{"$and": conditions}, 1, 0]}


def _found(row: Mapping[str, Any]) -> Found:
    type_name: str = row["_id"]["t"]
    ordered = type_name in ORDERED
    longest: int | None = row["long"]
    return Found(
        type=type_name,
        count=row["n"],
        distinct=row["distinct"],
        once=row["once"],
        cut=longest is not None and longest > CUT,
        minimum=row["lo"] if ordered else None,
        maximum=row["hi"] if ordered else None,
        shortest=row["short"],
        longest=longest,
        formats={name: row[name] for name in PATTERNS if name in row},
    )
