"""Differences between the values at a path, if both reports have read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from djongo_services.drift.comparison import Difference
from djongo_services.drift.distinct import identity, listed
from djongo_services.drift.findings import Findings
from djongo_services.drift.proportions import p_value
from djongo_services.drift.samples import Sample
from djongo_services.formatting import count
from djongo_services.introspection.report import Field, ValueSummary


def compare_values(
    collection: str, before: Field, after: Field, old: Sample, new: Sample, found: Findings
) -> None:
    """Add to ``found`` the values that were added or removed where there are few, and longer texts.

    Values that one of the sides hides are not compared.
    """
    one, other = before.values, after.values
    if one is None or other is None or one.masked or other.masked:
        return
    if one.enum and other.enum:
        _compare_enums(collection, before, after, old, new, found)
    elif one.enum and other.distinct is not None and other.distinct > len(one.enum):
        least = "at least " if other.distinct_is_bound else ""
        found.add(
            Difference(
                collection=collection,
                kind="enum",
                sign="~",
                severity="new",
                subject=after.name,
                before=f"one of {len(one.enum):,}",
                after=f"one of {least}{count(other.distinct)}",
                certain=one.exact,
            )
        )
    _compare_texts(collection, after.name, one, other, found)


def _compare_enums(
    collection: str, before: Field, after: Field, old: Sample, new: Sample, found: Findings
) -> None:
    first, second = _Enum.of(before, old), _Enum.of(after, new)
    for sign, side, other in (("+", second, first), ("-", first, second)):
        only = side.without(other)
        if not only:
            continue
        number = sum(number for _, number in only)
        p = p_value(
            side.sample.proportion(number, side.whole), other.sample.proportion(0, other.whole)
        )
        shown, share = listed([value for value, _ in only]), number / side.whole
        came = sign == "+"
        found.add(
            Difference(
                collection=collection,
                kind="enum",
                sign="+" if came else "-",
                severity="new",
                subject=after.name,
                before=None if came else shown,
                after=shown if came else None,
                before_share=0.0 if came else share,
                after_share=share if came else 0.0,
                p=None if other.exact else p,
            )
        )


@dataclass(frozen=True, slots=True)
class _Enum:
    """All values of a field that has few."""

    values: Mapping[str, tuple[Any, int]]
    """Each value and its count, by the key that identifies it."""
    whole: int
    exact: bool
    """Whether no document has another value."""
    sample: Sample

    @classmethod
    def of(cls, field: Field, sample: Sample) -> _Enum:
        summary = field.values or ValueSummary()
        values = {identity(value): (value, number) for value, number in summary.enum}
        whole = max(sum(number for _, number in values.values()), 1)
        return cls(values, whole, summary.exact, sample)

    def without(self, other: _Enum) -> list[tuple[Any, int]]:
        return [found for key, found in self.values.items() if key not in other.values]


def _compare_texts(
    collection: str, name: str, one: ValueSummary, other: ValueSummary, found: Findings
) -> None:
    """Compare lengths, but only if all values were read: the longest value of a sample is
    chance."""
    if one.longest is None or other.longest is None or not (one.exact and other.exact):
        return
    if one.longest.bit_length() == other.longest.bit_length():
        return
    found.add(
        Difference(
            collection=collection,
            kind="length",
            sign="~",
            severity="moved",
            subject=name,
            detail="longest",
            before=f"up to {count(one.longest)}",
            after=f"up to {count(other.longest)}",
        )
    )
