"""Warnings about the shape of the documents and, if they were read, their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from djongo_services.bson_types import NUMBERS
from djongo_services.formatting import decimal, percent
from djongo_services.introspection.path import Path, render_path
from djongo_services.introspection.profiling.warnings.wording import (
    estimated,
    listed,
    number,
    parents,
    quoted,
)
from djongo_services.introspection.report import Coverage, Field, Finding, Profile

NEAR_MISSING = 0.02
"""A field that a smaller share has, or lacks, is more often a mistake than intended."""

MIN_PARENTS = 50
"""The smallest number of objects in which two percent mean anything."""

MANY_RARE = 5
"""More rare fields of one object share one warning: they are attributes, not mistakes."""

LONG_ARRAY = 1000
GROWING_ARRAY = 200
GROWING_FACTOR = 20
"""An array is called unbounded if it has 1,000 elements, or 200 and 20 times the mean: a document
can have 16 MB, and every update of a long array rewrites it."""

DEEP = 10
"""The number of steps in a path; MongoDB allows 100 levels, but much fewer are already
confusing."""

AS_STRING = 0.95
"""The share of the strings at a path that look like a number or date."""

_INTEGERS = frozenset({"int", "long"})
_NOTHING = frozenset({"null", "undefined"})


def about_documents(profile: Profile) -> list[Finding]:
    """Mixed types, near-missing fields, long arrays, deep nesting, numbers and dates as strings."""
    fields = list(profile.walk())
    return [
        *_each(_mixed_types(field) for field in fields),
        *_near_missing(profile),
        *_each(_unbounded_array(field) for field in fields),
        *_deep_nesting(fields),
        *_each(_as_string(field) for field in fields),
    ]


def _mixed_types(field: Field) -> Finding | None:
    """A warning about several types, apart from null; int and long together are one kind of number,
    chosen by size."""
    kinds = {name: found for name, found in field.types.items() if name not in _NOTHING}
    if len(kinds) < 2 or kinds.keys() <= _INTEGERS:
        return None
    total = sum(found.count for found in kinds.values())
    shares = ", ".join(
        f"{name} ({percent(found.count / total)})" if total else name
        for name, found in sorted(kinds.items(), key=lambda item: (-item[1].count, item[0]))
    )
    numbers = [found.count for name, found in kinds.items() if name in NUMBERS]
    others = [found.count for name, found in kinds.items() if name not in NUMBERS]
    rare = total - max(sum(numbers) if others else max(numbers), *others, 0)
    if not others:
        advice = "all are numbers and compare with each other, but a model has to choose one type"
    else:
        advice = "normalise the less common type, or model both"
        if len(others) + bool(numbers) > 2:
            advice = "normalise the less common types, or model all of them"
    return Finding(
        code="mixed-types",
        message=f"{quoted(field.name)} holds {shares}; {advice}.",
        path=field.name,
        count=rare,
    )


def _near_missing(profile: Profile) -> Iterator[Finding]:
    for prefix, siblings in _families(profile):
        rare = [field for field in siblings if _is_rare(field)]
        if len(rare) > MANY_RARE:
            yield _many_rare(prefix, rare)
        else:
            yield from (_rare(field, profile.coverage) for field in rare)
        yield from (
            _nearly_always(field, profile.coverage)
            for field in siblings
            if _is_nearly_always(field)
        )


def _families(profile: Profile) -> Iterator[tuple[Path, Sequence[Field]]]:
    """The named fields of each object."""
    families = [((), profile.fields), *((field.path, field.children) for field in profile.walk())]
    for path, children in families:
        named = [field for field in children if isinstance(field.path[-1], str)]
        if named and named[0].parents >= MIN_PARENTS:
            yield path, named


def _is_rare(field: Field) -> bool:
    return 0 < field.probability < NEAR_MISSING


def _is_nearly_always(field: Field) -> bool:
    return field.missing > 0 and 1 - NEAR_MISSING < field.probability < 1


def _rare(field: Field, coverage: Coverage) -> Finding:
    return Finding(
        code="near-missing",
        message=(
            f"{quoted(field.name)} is in {estimated(field.present, coverage)} of "
            f"{parents(field, coverage)} ({percent(field.probability)}); "
            f"likely a typo or an obsolete field."
        ),
        path=field.name,
        count=field.present,
    )


def _many_rare(prefix: Path, rare: Sequence[Field]) -> Finding:
    names = [field.name for field in rare]
    where = quoted(render_path(prefix)) if prefix else "the documents"
    return Finding(
        code="near-missing",
        message=(
            f"{number(len(rare))} fields of {where} are each in less than "
            f"{percent(NEAR_MISSING)} of the objects: {listed(names)}; "
            f"if the names are data, an array of pairs can be indexed."
        ),
        path=render_path(prefix) if prefix else None,
        paths=tuple(names),
    )


def _nearly_always(field: Field, coverage: Coverage) -> Finding:
    return Finding(
        code="near-missing",
        message=(
            f"{quoted(field.name)} is missing from {estimated(field.missing, coverage)} of "
            f"{parents(field, coverage)} ({percent(1 - field.probability)}); "
            f"fill it in and it can be required."
        ),
        path=field.name,
        count=field.missing,
    )


def _unbounded_array(field: Field) -> Finding | None:
    lengths = field.lengths
    if lengths is None:
        return None
    longest = lengths.maximum
    growing = longest >= GROWING_ARRAY and longest >= lengths.mean * GROWING_FACTOR
    if longest < LONG_ARRAY and not growing:
        return None
    return Finding(
        code="unbounded-array",
        message=(
            f"{quoted(field.name)} has up to {number(longest)} elements, "
            f"{decimal(lengths.mean)} on average; if it grows, keep its elements in a collection "
            f"of their own."
        ),
        path=field.name,
    )


def _deep_nesting(fields: Sequence[Field]) -> Iterator[Finding]:
    """One warning, about the deepest path."""
    deepest = max(fields, key=lambda field: len(field.path), default=None)
    if deepest is not None and len(deepest.path) > DEEP:
        yield Finding(
            code="deep-nesting",
            message=(
                f"{quoted(deepest.name)} is {len(deepest.path)} levels deep; "
                f"flatten it, or keep its inner part in a collection of its own."
            ),
            path=deepest.name,
        )


def _as_string(field: Field) -> Finding | None:
    strings = field.types.get("string")
    if strings is None or field.values is None:
        return None
    formats = field.values.formats
    dates = formats.get("date", 0.0) + formats.get("datetime", 0.0)
    if formats.get("number", 0.0) >= AS_STRING:
        code, what, example = "number-as-string", "numbers", '"10" sorts before "9"'
    elif dates >= AS_STRING:
        code, what, example = "date-as-string", "dates", "the server cannot calculate with them"
    else:
        return None
    return Finding(
        code=code,
        message=f"{quoted(field.name)} keeps {what} as strings: {example}; convert them.",
        path=field.name,
        count=strings.count,
    )


def _each(warnings: Iterable[Finding | None]) -> Iterator[Finding]:
    return (warning for warning in warnings if warning is not None)
