"""From what the scans found of one path to its summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from djongo_services.introspection.profiling.values.formats import shares
from djongo_services.introspection.profiling.values.survey import NUMBER, ORDERED, Found
from djongo_services.introspection.report import ValueSummary

MAX_ENUM = 50
"""More distinct values than this are no enumeration."""

MIN_OCCURRENCES = 5
"""How often the values of an enumeration occur on average."""

MIN_VALUES = 20
"""Fewer values than this say nothing of a habit."""

MAX_SATURATED = 1000
"""Distinct values in a sample up to which a whole collection is asked to tell them apart."""

UNSEEN_SHARE = 0.02
"""Of a sample's values, those that occur once estimate how many values of the collection the
sample did not see (Good and Turing); above this share the distinct values are too many to hold."""

MIN_ALIKE = 10
"""Of fewer values, a 0 and a 1 are two numbers."""

_YES_AND_NO = frozenset(
    frozenset(pair)
    for pair in (
        ("1", "0"),
        ("y", "n"),
        ("yes", "no"),
        ("t", "f"),
        ("true", "false"),
        ("on", "off"),
        ("j", "n"),
        ("ja", "nein"),
        ("oui", "non"),
        ("si", "no"),
    )
)
_WORDS = frozenset({"yes", "no", "true", "false"})


def summary(
    found: Sequence[Found],
    *,
    enum: tuple[tuple[Any, int], ...],
    is_bound: bool,
    exact: bool,
) -> ValueSummary:
    """``is_bound``: whether there may be more distinct values than were told apart."""
    ordered = _most_frequent(one for one in found if one.type in ORDERED)
    measured = _most_frequent(one for one in found if one.longest is not None)
    strings = next((one for one in found if one.type == "string"), None)
    is_cut = any(one.cut for one in found)
    return ValueSummary(
        minimum=ordered.minimum if ordered else None,
        maximum=ordered.maximum if ordered else None,
        shortest=measured.shortest if measured else None,
        longest=measured.longest if measured else None,
        distinct=max(_distinct(found), len(enum)),
        distinct_is_bound=is_bound or is_cut,
        enum=enum,
        formats=_formats(strings),
        boolean_like=not is_bound and _is_boolean_like(found),
        exact=exact,
    )


def is_saturated(sampled: Sequence[Found]) -> bool:
    """Whether a sample saw nearly all values, so that the collection has not many more."""
    values = sum(one.count for one in sampled)
    once = sum(one.once for one in sampled)
    if values < MIN_VALUES or _distinct(sampled) > MAX_SATURATED:
        return False
    return once <= values * UNSEEN_SHARE


def may_be_enum(found: Sequence[Found]) -> bool:
    values = sum(one.count for one in found)
    distinct = _distinct(found)
    few = 0 < distinct <= MAX_ENUM and not any(one.cut for one in found)
    return few and values >= max(MIN_VALUES, distinct * MIN_OCCURRENCES)


def _distinct(found: Sequence[Found]) -> int:
    return sum(one.distinct for one in found)


def _most_frequent(found: Any) -> Found | None:
    return max(found, key=lambda one: one.count, default=None)


def _formats(strings: Found | None) -> Mapping[str, float]:
    return shares(strings.formats, strings.count) if strings else {}


def _is_boolean_like(found: Sequence[Found]) -> bool:
    """At most two values in all, so the least and the greatest are all there is."""
    if len(found) != 1 or found[0].distinct > 2 or found[0].type not in (NUMBER, "string"):
        return False
    if found[0].count < MIN_ALIKE:
        return False
    values = frozenset(_spelled(value) for value in (found[0].minimum, found[0].maximum))
    if len(values) == 1:
        return values <= _WORDS
    return values in _YES_AND_NO


def _spelled(value: Any) -> str:
    if isinstance(value, str):
        return value.strip().lower()
    number = float(str(value))
    return str(int(number)) if number.is_integer() else str(number)
