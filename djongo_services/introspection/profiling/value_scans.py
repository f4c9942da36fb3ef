"""Scans that summarise the values at many paths on the server, and formats of strings."""

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
from djongo_services.progress import Stop
from djongo_services.server_errors import INVALID_UTF8

NUMBER = "number"
"""The four number types as one, because they compare with each other."""

SCALARS = (NUMBER, "string", "binData", "objectId", "bool", "date", "timestamp")
"""The types that are summarised; values of other types are not interesting to people."""

ORDERED = (NUMBER, "string", "objectId", "bool", "date", "timestamp")
"""Scalars with a meaningful order; binary values are ordered by length first."""

CUT = 256
"""The number of characters of a string that are compared; two strings that differ later count as
equal."""


_IS_UTF8 = {"$or": [{"v": {"$not": {"$type": "string"}}}, {"v": {"$regex": "^"}}]}
"""For invalid UTF-8 a query's regular expression does not match, instead of failing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeSummary:
    """The result of one scan for one type at one path."""

    type: str
    count: int
    distinct: int
    once: int
    """The number of values that occur once."""
    cut: bool
    """Whether a value was longer than the compared part."""
    minimum: Any
    maximum: Any
    shortest: int | None
    longest: int | None
    formats: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueQuestion:
    """What a scan should find out about one path."""

    path: Path
    distinct: bool = True
    """Whether to distinguish values; costs the server memory, or disk, for each."""
    formats: AbstractSet[str] = field(default_factory=lambda: frozenset(PATTERNS))


def survey(
    collection: Collection[Any],
    prefix: Sequence[Stage],
    questions: Sequence[ValueQuestion],
    *,
    beside: Named,
    stop: Stop | None = None,
    skip_invalid: bool = False,
) -> list[list[TypeSummary]]:
    """For each question the results by type; ``prefix`` selects the documents.

    ``beside`` is as in :func:`~.extraction.extraction`.

    Raises OperationFailure with a code in INVALID_UTF8 if a string is not UTF-8, unless such
    strings are skipped.
    """
    pipeline = [
        *prefix,
        *_scalars([asked.path for asked in questions], beside, skip_invalid=skip_invalid),
        *_groups(questions),
    ]
    found: list[list[TypeSummary]] = [[] for _ in questions]
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
    """The number of strings that are not UTF-8, by the index of their path."""
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
    """Stages to documents ``{p, t, l, c}``: path, type, length, and the compared part of the
    value."""
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


def _groups(questions: Sequence[ValueQuestion]) -> list[Stage]:
    """Stages that group by value, if values are distinguished, and then by path and type."""
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


def _has_format(name: str, questions: Sequence[ValueQuestion]) -> Expression:
    """1 if the value is a string of the format and its path has that question."""
    numbers = [number for number, asked in enumerate(questions) if name in asked.formats]
    conditions: list[Expression] = [{"$eq": ["$t", "string"]}]
    if len(numbers) < len(questions):
        conditions.append({"$in": ["$p", numbers]})
    conditions.append({"$regexMatch": {"input": "$c", "regex": PATTERNS[name]}})
    return {"$cond": [{"$and": conditions}, 1, 0]}


def _found(row: Mapping[str, Any]) -> TypeSummary:
    type_name: str = row["_id"]["t"]
    ordered = type_name in ORDERED
    longest: int | None = row["long"]
    return TypeSummary(
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


# The formats of strings, as expressions that the server evaluates.
_DATE = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?"
_HEX = "[0-9a-fA-F]"
_IPV4 = r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}"
_GROUPS = rf"{_HEX}{{1,4}}(?::{_HEX}{{1,4}})"

PATTERNS: Mapping[str, str] = {
    "email": r"^[^@\s\"<>]{1,64}@[^@\s\"<>.]+(?:\.[^@\s\"<>.]+)+$",
    "url": r"^(?:https?|ftps?)://[^\s/?#]+[^\s]*$",
    # With hyphens any UUID; as 32 hex digits only if version and variant match, because a hash can
    # have the same length.
    "uuid": (
        rf"^(?:{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}"
        rf"|{_HEX}{{12}}[1-8]{_HEX}{{3}}[89abAB]{_HEX}{{15}})$"
    ),
    "date": rf"^{_DATE}$",
    "datetime": rf"^{_DATE}[T ]{_TIME}(?: ?(?:Z|[+-]\d\d:?(?:\d\d)?))?$",
    "objectId": rf"^{_HEX}{{24}}$",
    # A leading zero means a code (a postcode, a telephone number), which number types do not keep.
    "number": r"^[+-]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$",
    "slug": r"^(?=.*[a-z])[a-z0-9]+(?:[-_][a-z0-9]+)*$",
    "hyphenated": r"^(?=.*[a-z])[a-z0-9]+(?:[-_][a-z0-9]+)+$",
    "ip": (
        rf"^(?:{_IPV4}|{_HEX}{{1,4}}(?::{_HEX}{{1,4}}){{7}}"
        rf"|(?=.{{2,39}}$)(?:{_GROUPS}*)?::(?:{_GROUPS}*)?)$"
    ),
}
"""Patterns in PCRE, for ``$regexMatch``; strings are truncated to 256 characters before.

``hyphenated`` is not a format of its own: it distinguishes slugs from plain lower-case words."""

SHARE = 0.5
"""A format that fewer strings have is not reported."""
_HYPHENATED_SHARE = 0.05
_SPECIFIC = ("uuid", "objectId", "date", "number", "ip", "email", "datetime")


def shares(matches: Mapping[str, int], strings: int) -> dict[str, float]:
    """The share of each format among ``strings``, most frequent first."""
    if not strings:
        return {}
    found = {name: count / strings for name, count in matches.items()}
    hyphenated = found.pop("hyphenated", 0.0)
    kept = {name: share for name, share in found.items() if share >= SHARE}
    if hyphenated < _HYPHENATED_SHARE or any(name in kept for name in _SPECIFIC):
        kept.pop("slug", None)
    return dict(sorted(kept.items(), key=lambda item: -item[1]))


def worth_counting(matches: Mapping[str, int], strings: int) -> frozenset[str]:
    """The formats that a whole collection may still have, after a sample of ``strings`` strings.

    The limit is half of the reported share, so that samples of usual sizes miss none; if the sample
    is too small, all formats are counted.
    """
    if strings < 30:
        return frozenset(PATTERNS)
    kept = {name for name, count in matches.items() if count / strings >= SHARE / 2}
    return frozenset(kept | {"hyphenated"} if "slug" in kept else kept - {"hyphenated"})
