"""Whether two samples differ by more than chance.

For large counts it is the two-proportion z-test with the finite population correction, for small
ones Fisher's exact test (Fleiss, Levin, Paik: Statistical Methods for Rates and Proportions, 3rd
ed., chapter 3); for histograms the two-sample test of Kolmogorov and Smirnov. For all tests of one
comparison, the step-down method of Holm (1979) limits the probability of a single false alarm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_SMALL: Final = 10
"""Expected counts below which the normal distribution is not a good approximation."""
_NEGLIGIBLE: Final = 1e-17
_LARGEST: Final = 10_000_000
"""The maximum number of units in the exact test: more would not change any digit of its result."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proportion:
    share: float
    units: float
    """The number of independent observations behind it: at most the documents of a sample."""
    correction: float
    """The factor of the variance for a finite population; 0 if everything was counted."""


def p_value(one: Proportion, other: Proportion) -> float | None:
    """The two-sided p-value; None if both sides were counted, so that chance is not involved.

    It is 1 if a side has no observation.
    """
    if not one.correction and not other.correction:
        return None
    if one.units < 1 or other.units < 1:
        return 1.0
    pooled = _pooled(one, other)
    if not 0 < pooled < 1:
        return 1.0
    expected = min(side.units * min(pooled, 1 - pooled) for side in (one, other) if side.correction)
    if expected < _SMALL:
        return _exact(one, other)
    variance = pooled * (1 - pooled)
    spread = variance * (one.correction / one.units + other.correction / other.units)
    return math.erfc(abs(one.share - other.share) / math.sqrt(2 * spread))


def _pooled(one: Proportion, other: Proportion) -> float:
    """The common share: a counted share is the share itself; two samples are one larger sample."""
    if not one.correction:
        # At 0 or 1 no other value could be drawn; it was drawn from documents that were added
        # since.
        return one.share if 0 < one.share < 1 else _weighted(one, other)
    if not other.correction:
        return other.share if 0 < other.share < 1 else _weighted(one, other)
    return _weighted(one, other)


def _weighted(one: Proportion, other: Proportion) -> float:
    total = one.share * one.units + other.share * other.units
    return total / (one.units + other.units)


def _exact(one: Proportion, other: Proportion) -> float:
    """Fisher's test: twice the smaller tail."""
    first, second = (max(1, round(min(side.units, _LARGEST))) for side in (one, other))
    hits = min(round(one.share * first), first)
    total = hits + min(round(other.share * second), second)
    low = max(0, total - second)
    high = min(first, total)
    weight = math.exp(_log_weight(hits, first, second, total))
    down = up = at = weight
    for x in range(hits, low, -1):
        at *= x * (second - total + x) / ((total - x + 1) * (first - x + 1))
        down += at
        if at < _NEGLIGIBLE * down:
            break
    at = weight
    for x in range(hits, high):
        at *= (total - x) * (first - x) / ((x + 1) * (second - total + x + 1))
        up += at
        if at < _NEGLIGIBLE * up:
            break
    return min(1.0, 2 * min(down, up))


def _log_weight(hits: int, first: int, second: int, total: int) -> float:
    """The logarithm of the hypergeometric probability of just these hits."""
    return (
        _log_choose(first, hits)
        + _log_choose(second, total - hits)
        - _log_choose(first + second, total)
    )


def _log_choose(whole: int, part: int) -> float:
    return math.lgamma(whole + 1) - math.lgamma(part + 1) - math.lgamma(whole - part + 1)


def largest_gap(one: Mapping[int, int], other: Mapping[int, int]) -> float:
    """The largest difference between the cumulated shares of two histograms by class."""
    first, second = sum(one.values()), sum(other.values())
    if not first or not second:
        return 0.0
    gap = below = above = 0.0
    for bound in sorted({*one, *other}):
        below += one.get(bound, 0) / first
        above += other.get(bound, 0) / second
        gap = max(gap, abs(below - above))
    return gap


def gap_p_value(gap: float, one: Proportion, other: Proportion) -> float | None:
    """The probability that a gap this large is chance; the shares of the two are ignored.

    None and 1 are as for :func:`p_value`. It is conservative, because histograms have few classes.
    """
    if not one.correction and not other.correction:
        return None
    sides = [side.units / side.correction for side in (one, other) if side.correction]
    if min(sides) < 1:
        return 1.0
    units = 1 / sum(1 / side for side in sides)
    scaled = (math.sqrt(units) + 0.12 + 0.11 / math.sqrt(units)) * gap
    if scaled < 0.2:
        return 1.0
    terms = (
        (-1.0) ** (number - 1) * math.exp(-2 * (number * scaled) ** 2) for number in range(1, 101)
    )
    return min(1.0, max(0.0, 2 * sum(terms)))


def significant(p_values: Sequence[float], *, tests: int, level: float) -> list[bool]:
    """Whether each value is significant among ``tests``, of which these are the smallest or all."""
    found = [False] * len(p_values)
    ordered = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for number, place in enumerate(ordered):
        if p_values[place] > level / max(tests - number, 1):
            break
        found[place] = True
    return found
