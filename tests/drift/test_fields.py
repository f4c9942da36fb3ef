"""Fields, types and shares: what differs, and what may be chance."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from djongo_services.drift.comparing import compare
from djongo_services.introspection.path import ELEMENT, KEY
from djongo_services.introspection.report import (
    ArrayLengths,
    Coverage,
    Field,
    MapKeys,
    Report,
    ValueSummary,
)
from tests.drift.by_hand import (
    counted,
    differences,
    doubts,
    field,
    lines,
    report,
    sampled,
    spec,
)

N = 1_000
BIG = 1_000_000


def things(*fields: Field, coverage: Coverage | None = None, n: int = N) -> Report:
    of = coverage if coverage is not None else sampled(N, of=BIG)
    return report(field("_id", parents=n, int=n), *fields, coverage=of)


def exactly(*fields: Field) -> Report:
    return things(*fields, coverage=counted(N))


def proven(*fields: Field) -> Report:
    return things(*fields, coverage=sampled(N, of=BIG, proven=True))


RARE = field("rare", parents=N, string=1)
COMMON = field("common", parents=N, string=400)


class TestCameAndWent:
    def test_what_a_sample_could_have_missed_is_perhaps_chance(self) -> None:
        found = compare(things(), things(RARE))
        assert doubts(found) == ["+ rare: string, in 0.1 % of documents"]
        assert not found.has_drift
        assert found.reaching("moved") == []

    def test_what_it_could_not_have_missed_is_new(self) -> None:
        assert lines(things(), things(COMMON)) == ["+ common: string, in 40 % of documents"]
        assert lines(things(COMMON), things()) == ["- common: was string, in 40 % of documents"]

    def test_after_a_proof_even_the_rarest_is_new(self) -> None:
        assert lines(proven(), things(RARE)) == ["+ rare: string, in 0.1 % of documents"]
        assert lines(exactly(), things(RARE)) == ["+ rare: string, in 0.1 % of documents"]

    def test_that_it_went_has_to_be_proven_by_the_later_side(self) -> None:
        assert lines(proven(RARE), things()) == []
        assert lines(things(RARE), proven()) == ["- rare: was string, in 0.1 % of documents"]

    def test_only_the_outermost_field_is_listed(self) -> None:
        inner = [field("a", name, parents=400, int=400) for name in "xyz"]
        outer = field("a", parents=N, object=400, children=inner)
        assert lines(exactly(), exactly(outer)) == [
            "+ a: object with 3 fields inside, in 40 % of documents"
        ]

    def test_inside_of_objects(self) -> None:
        def outer(*inner: Field) -> Field:
            return field("a", parents=N, object=400, children=inner)

        one = outer(field("a", "x", parents=400, int=400))
        other = outer(field("a", "y", parents=400, int=200))
        assert lines(exactly(one), exactly(other)) == [
            "+ a.y: int, in 50 % of objects",
            "- a.x: was int, in all objects",
        ]

    def test_a_type_that_becomes_another_is_said_once(self) -> None:
        inner = field("a", "x", parents=N, int=N)
        one = field("a", parents=N, object=N, children=[inner])
        other = field("a", parents=N, string=N)
        assert lines(exactly(one), exactly(other)) == [
            "+ a: type string: object → string",
            "- a: type object: object → string",
        ]

    def test_an_empty_array_that_is_filled(self) -> None:
        def tags(*elements: Field) -> Field:
            return field("tags", parents=N, children=elements, array=N)

        element = field("tags", ELEMENT, parents=5, string=5)
        assert lines(exactly(tags()), exactly(tags(element))) == ["+ tags[]: string"]


class TestTypes:
    def test_a_type_that_came(self) -> None:
        one, other = field("a", parents=N, int=N), field("a", parents=N, int=900, string=100)
        expected = ["+ a: type string: int → int 90 %, string 10 %"]
        assert lines(things(one), things(other)) == expected
        assert lines(exactly(one), exactly(other)) == expected

    def test_a_rare_type_is_new_only_after_a_proof(self) -> None:
        one, other = field("a", parents=N, int=N), field("a", parents=N, int=N - 1, string=1)
        assert lines(things(one), things(other)) == []
        assert lines(proven(one), things(other)) == [
            "+ a: type string: int → int 99.9 %, string 0.1 %"
        ]

    def test_no_schema_proves_subtypes_of_binary_values(self) -> None:
        one = field("a", parents=N, binData=N)
        kinds: dict[str, Any] = {"binData": N - 1, "binData:uuid": 1}
        other = field("a", parents=N, **kinds)
        assert lines(proven(one), things(other)) == []
        assert lines(exactly(one), things(other)) != []

    def test_shares_that_moved(self) -> None:
        one = field("a", parents=N, int=880, double=120)
        other = field("a", parents=N, int=400, double=600)
        expected = ["~ a: int 88 %, double 12 % → double 60 %, int 40 %  (moved)"]
        assert lines(things(one), things(other)) == expected

    def test_shares_within_what_samples_allow(self) -> None:
        one = field("a", parents=N, int=520, double=480)
        other = field("a", parents=N, int=480, double=520)
        assert differences(things(one), things(other)) == []
        assert len(lines(exactly(one), exactly(other))) == 1

    def test_a_share_that_moves_below_the_tolerance(self) -> None:
        one = field("a", parents=N, int=520, double=480)
        other = field("a", parents=N, int=525, double=475)
        assert lines(exactly(one), exactly(other)) == []
        assert len(lines(exactly(one), exactly(other), tolerance=0.0)) == 1


class TestPresence:
    def test_a_field_that_is_no_longer_in_all(self) -> None:
        one, other = field("a", parents=N, int=N), field("a", parents=N, int=N - 1)
        expected = ["~ a: in all documents → in 99.9 % of documents"]
        assert lines(exactly(one), exactly(other)) == expected
        assert lines(proven(one), things(other)) == expected
        assert lines(things(one), things(other)) == []

    def test_a_share_that_moved(self) -> None:
        one, other = field("a", parents=N, int=500), field("a", parents=N, int=300)
        expected = ["~ a: in 50 % of documents → in 30 % of documents  (moved)"]
        assert lines(things(one), things(other)) == expected

    def test_of_many_comparisons_none_is_a_false_alarm(self) -> None:
        """300 fields, each of which moved by what happens in one of 100 pairs of samples."""
        one = [field(f"a{n}", parents=N, int=500) for n in range(300)]
        other = [field(f"a{n}", parents=N, int=558) for n in range(300)]
        assert differences(things(*one), things(*other)) == []
        assert len(lines(things(one[0]), things(other[0]))) == 1


class TestArraysAndMaps:
    def lengths(self, *classes: tuple[int, int]) -> ArrayLengths:
        histogram = dict(classes)
        return ArrayLengths(
            minimum=min(histogram), maximum=max(histogram), mean=2, histogram=histogram
        )

    def test_lengths(self) -> None:
        one = field("t", parents=N, array=N, lengths=self.lengths((1, N)))
        other = field("t", parents=N, array=N, lengths=self.lengths((1, 500), (64, 500)))
        expected = ["~ t: 1 element → 1 to 64 elements, 2 on average  (moved)"]
        assert lines(things(one), things(other)) == expected

    def test_a_single_longer_array_of_a_sample_is_chance(self) -> None:
        one = field("t", parents=N, array=N, lengths=self.lengths((1, N)))
        other = field("t", parents=N, array=N, lengths=self.lengths((1, N - 1), (64, 1)))
        assert differences(things(one), things(other)) == []
        assert len(lines(exactly(one), exactly(other))) == 1

    def test_keys_that_become_data(self) -> None:
        keys = MapKeys(format="date", distinct=1000, distinct_is_bound=True)
        named = [field("by", f"2026-{n}", parents=N, int=300) for n in (1, 2, 3)]
        one = field("by", parents=N, object=N, children=named)
        entry = field("by", KEY, parents=30_000, int=30_000)
        other = Field(path=("by",), parents=N, types=one.types, map=keys, children=(entry,))
        assert lines(exactly(one), exactly(other)) == ["+ by.<key>: keys: names of 3 fields → data"]
        assert lines(exactly(other), exactly(one)) == ["- by.<key>: keys: data → names of 3 fields"]

    def test_elements_of_few_arrays_are_few_observations(self) -> None:
        """In a sample, 3 documents with 10,000 elements each are little evidence about elements."""

        def tags(ints: int) -> Field:
            number = 30_000
            counts: dict[str, Any] = {"int": ints, "string": number - ints}
            element = field("t", ELEMENT, parents=number, **counts)
            return field("t", parents=N, array=3, children=[element])

        assert differences(things(tags(20_000)), things(tags(10_000))) == []


class TestModels:
    MODELS = spec(
        required=["title"],
        properties={
            "title": {"bsonType": "string", "maxLength": 20},
            "price": {"bsonType": ["double", "null"]},
            "size": {"bsonType": "object", "required": ["w"], "properties": {"w": {}}},
        },
    )

    def test_a_type_that_they_refuse(self) -> None:
        one, other = (
            field("price", parents=N, double=N),
            field("price", parents=N, double=999, string=1),
        )
        assert lines(things(one), things(other), models=self.MODELS) == [
            "+ price: type string: double → double 99.9 %, string 0.1 %; "
            "the models accept double or null  (breaks the models)"
        ]

    def test_a_type_that_they_accept(self) -> None:
        one, other = (
            field("price", parents=N, double=N),
            field("price", parents=N, double=500, null=500),
        )
        (found,) = differences(things(one), things(other), models=self.MODELS)
        assert found.severity == "new"

    def test_what_was_refused_before_is_no_difference(self) -> None:
        one = field("price", parents=N, string=N)
        assert differences(things(one), things(one), models=self.MODELS) == []

    def test_values_that_are_none_of_their_choices(self) -> None:
        models = spec(properties={"state": {"enum": ["lent", "lost", None]}})

        def state(*values: Any) -> Field:
            summary = ValueSummary(enum=tuple((value, 10) for value in values), exact=True)
            return replace(field("state", parents=N, string=N), values=summary)

        before = exactly(state("lent", None, "stolen"))
        assert lines(before, exactly(state("lent", "stolen", "lost")), models=models)[-1] == (
            "- state: value: was null"
        )
        assert lines(before, exactly(state("lent", None, "stolen", "sold")), models=models) == [
            '+ state: value: "sold"; the models have 3 choices  (breaks the models)',
            '+ state: value: "sold"',
        ]

    @pytest.mark.parametrize("missing", [1, N])
    def test_a_field_that_they_require(self, missing: int) -> None:
        one = field("title", parents=N, string=N)
        rest = [field("title", parents=N, string=N - missing)] if missing < N else []
        (line,) = lines(exactly(one), exactly(*rest), models=self.MODELS)
        assert line.endswith("; the models require it  (breaks the models)")
        assert line.startswith("~ title: in all documents → in ")

    def test_inside_of_what_came(self) -> None:
        inner = field("size", "h", parents=N, int=N)
        size = field("size", parents=N, object=N, children=[inner])
        assert lines(exactly(), exactly(size), models=self.MODELS) == [
            "- size.w: in no objects; the models require it  (breaks the models)",
            "+ size: object with 1 field inside, in all documents",
        ]


def deep(levels: int) -> Field:
    path = tuple("a" for _ in range(levels))
    found = field(*path, parents=N, int=N)
    for length in range(levels - 1, 0, -1):
        found = field(*path[:length], parents=N, object=N, children=[found])
    return found


def test_as_deep_as_documents_go() -> None:
    assert lines(exactly(deep(200)), exactly(deep(199))) != []


def test_no_step_is_quadratic() -> None:
    """Twenty times as many fields take some twenty times as long, not four hundred."""

    def seconds(number: int) -> float:
        one = [field(f"a{n}", parents=N, int=500) for n in range(number)]
        other = [field(f"b{n}", parents=N, int=500) for n in range(number)]
        before, after = things(*one), things(*other)
        began = time.process_time()
        assert len(differences(before, after)) == 2 * number
        return time.process_time() - began

    assert seconds(40_000) < 100 * max(seconds(2_000), 0.01)
