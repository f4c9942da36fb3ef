"""The tests of proportions against figures of the literature, and against chance itself."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djongo_services.drift.proportions import (
    Proportion,
    gap_p_value,
    largest_gap,
    p_value,
    significant,
)
from djongo_services.drift.samples import Sample
from tests.drift.by_hand import counted, field, report, sampled


def of(hits: int, units: int, correction: float = 1.0) -> Proportion:
    return Proportion(share=hits / units, units=units, correction=correction)


def by_enumeration(a: int, first: int, b: int, second: int) -> float:
    """Fisher's test, term by term."""

    def weight(x: int) -> float:
        return math.comb(first, x) * math.comb(second, a + b - x) / math.comb(first + second, a + b)

    low, high = max(0, a + b - second), min(first, a + b)
    down = sum(weight(x) for x in range(low, a + 1))
    up = sum(weight(x) for x in range(a, high + 1))
    return min(1.0, 2 * min(down, up))


@given(
    st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
)
def test_small_counts_are_exact(one: tuple[int, int], other: tuple[int, int]) -> None:
    total = one[0] + other[0]
    units = one[1] + other[1]
    expected = min(one[1], other[1]) * min(total, units - total) / units
    if 0 < total < units and expected < 10:
        exact = by_enumeration(*one, *other)
        assert p_value(of(*one), of(*other)) == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_the_tea_of_the_lady() -> None:
    """Fisher's own example, 3 of 4 against 1 of 4: one-sided 0.243."""
    assert p_value(of(3, 4), of(1, 4)) == pytest.approx(2 * 17 / 70)


def test_large_counts_are_normal() -> None:
    """z = 2.1213 of 450 of 1,000 against 400 of 1,000 with pooling: p = 0.0236."""
    assert p_value(of(450, 1000), of(400, 1000)) == pytest.approx(0.02366, abs=1e-4)


def test_what_was_counted_is_no_chance() -> None:
    assert p_value(of(1, 1000, 0.0), of(2, 1000, 0.0)) is None
    assert gap_p_value(0.1, of(0, 10, 0.0), of(0, 10, 0.0)) is None


def test_most_of_a_population_says_more_than_little_of_it() -> None:
    little = p_value(of(450, 1000), of(400, 1000))
    most = p_value(of(450, 1000, 0.1), of(400, 1000, 0.1))
    assert little is not None
    assert most is not None
    assert most < little / 100


@pytest.mark.parametrize("hits", [0, 10_000_000])
def test_counted_by_the_million_against_a_sample(hits: int) -> None:
    counted_all = of(hits, 10_000_000, 0.0)
    assert p_value(counted_all, of(hits // 10_000, 1000)) == 1.0
    different = p_value(counted_all, of(500, 1000))
    assert different is not None
    assert different < 1e-100


def test_nothing_observed_says_nothing() -> None:
    assert p_value(of(1, 100), Proportion(share=0.0, units=0.0, correction=1.0)) == 1.0


@pytest.mark.parametrize(("share", "size"), [(0.5, 1000), (0.01, 1000), (0.3, 40)])
def test_chance_is_taken_for_a_move_as_often_as_the_level_says(share: float, size: int) -> None:
    draw = random.Random(20261130)
    runs, false = 2_000, 0
    for _ in range(runs):
        one, other = (sum(draw.random() < share for _ in range(size)) for _ in range(2))
        p = p_value(of(one, size), of(other, size))
        false += p is not None and p < 0.05
    assert false / runs < 0.065


def test_the_level_is_of_all_tests_together() -> None:
    """Holm: 0.01 / 4, 0.01 / 3, ... until one fails."""
    assert significant([0.003, 0.002, 0.0049, 0.5], tests=4, level=0.01) == [
        True,
        True,
        True,
        False,
    ]
    assert significant([0.003, 0.002], tests=400, level=0.01) == [False, False]
    assert significant([], tests=0, level=0.01) == []


def test_the_gap_of_two_histograms() -> None:
    assert largest_gap({1: 50, 8: 50}, {1: 100}) == 0.5
    assert largest_gap({1: 1}, {1: 700}) == 0
    assert largest_gap({}, {1: 1}) == 0
    small, large = of(0, 20), of(0, 1000)
    assert gap_p_value(0.5, large, large) < 1e-50
    assert gap_p_value(0.2, small, small) > 0.5
    # Table of the two-sample test: at 5 %, D = 1.36 * sqrt(2 / n) for large n.
    assert gap_p_value(1.358 * math.sqrt(2 / 1000), large, large) == pytest.approx(0.05, abs=0.01)


class TestSamples:
    def test_of_a_sample_its_documents_are_the_observations(self) -> None:
        found = report(field("_id", parents=1000, int=1000), coverage=sampled(1000, of=50_000))
        profile = found.collections[0].profile
        assert profile is not None
        sample = Sample.of(profile)
        assert sample.proportion(100, 1000).units == pytest.approx(1000)
        assert sample.correction == pytest.approx(0.98, abs=0.001)

    def test_of_estimates_for_all_documents_too(self) -> None:
        coverage = sampled(1000, of=50_000, proven=True)
        profile = report(field("_id", parents=50_000, int=50_000), coverage=coverage)[
            "things"
        ].profile
        assert profile is not None
        assert Sample.of(profile).proportion(5_000, 50_000).units == pytest.approx(1000)

    def test_a_thousand_elements_of_one_array_are_one_observation(self) -> None:
        profile = report(field("_id", parents=1000, int=1000), coverage=sampled(1000, of=50_000))[
            "things"
        ].profile
        assert profile is not None
        inside = Sample.of(profile).inside(3)
        assert inside.proportion(1, 100_000).units == pytest.approx(3)

    def test_where_all_were_counted_there_is_no_sample(self) -> None:
        profile = report(field("_id", parents=9, int=9), coverage=counted(9))["things"].profile
        assert profile is not None
        assert Sample.of(profile).correction == 0
