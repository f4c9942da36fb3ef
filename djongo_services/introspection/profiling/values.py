"""Summaries of the values at each path, computed by the server, which sends only the summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from djongo_services.bson_decoding import LENIENT
from djongo_services.bson_types import NUMBERS, server_type
from djongo_services.introspection.path import Path
from djongo_services.introspection.profiling.extraction import (
    Stage,
    levels,
    named_beside_keys,
    reachable,
)
from djongo_services.introspection.profiling.interruption import ProfilingInterrupted
from djongo_services.introspection.profiling.value_scans import (
    NUMBER,
    ORDERED,
    SCALARS,
    TypeSummary,
    ValueQuestion,
    count_invalid,
    count_values,
    is_invalid_utf8,
    shares,
    survey,
    worth_counting,
)
from djongo_services.introspection.report import Depth, Field, Profile, ValueSummary
from djongo_services.progress import Progress, ProgressHook, Stop

BATCH = 250
"""The number of paths per scan: keeps a pipeline well below the 16 MB limit of a command."""

SAMPLE_SHARE = 0.05
"""A sample larger than this part of a collection costs more than reading all of it: above it
``$sample`` sorts the whole collection (measured on MongoDB 6.0)."""

_ID: Path = ("_id",)
_SUMMARISED = frozenset(SCALARS) | NUMBERS


def summarise_values(
    collection: Collection[Any],
    profile: Profile,
    *,
    depth: Depth,
    sample: int = 1000,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> Profile:
    """The profile with ``Field.values`` filled in for paths with scalar values.

    At the depth ``sample`` a sample is read, or the whole collection if that is cheaper; otherwise
    the whole collection, in two to three scans per 250 paths: a sample shows which paths have few
    values, one scan summarises every path and distinguishes values where they seemed few, and one
    counts the values of paths with at most 50. For the others ``distinct`` is the number in the
    sample, a lower bound. Paths through more than 10 arrays and maps are left out.

    Strings are compared by their first 256 characters; those that are not UTF-8 are left out. When
    ``stop`` is set, the profile is returned as far as it got, with the reason in
    ``coverage.stopped``. Raises PyMongo's errors.
    """
    reading = _Reading(collection, profile, depth, sample, progress, stop)
    summaries: dict[Path, ValueSummary] = {}
    stopped = profile.coverage.stopped
    try:
        for paths in _batches(profile):
            summaries.update(reading.summaries(paths))
    except ProfilingInterrupted:
        stopped = stopped or "Stopped while the values were being summarised."
    return replace(
        profile,
        fields=tuple(_filled(field, summaries) for field in profile.fields),
        coverage=replace(profile.coverage, stopped=stopped),
    )


class _Reading:
    """The scans of one collection."""

    def __init__(
        self,
        collection: Collection[Any],
        profile: Profile,
        depth: Depth,
        sample: int,
        progress: ProgressHook | None,
        stop: Stop | None,
    ) -> None:
        self.collection = collection.with_options(codec_options=LENIENT)
        self.documents = profile.coverage.documents
        self.small = sample >= self.documents * SAMPLE_SHARE
        self.whole = self.small or depth != "sample"
        self.sample: list[Stage] = [] if self.small else [{"$sample": {"size": sample}}]
        self.everything: list[Stage] = [] if self.whole else self.sample
        self.progress = progress
        self.options: dict[str, Any] = {"beside": named_beside_keys(profile), "stop": stop}
        self.scans = 0

    def summaries(self, paths: Sequence[Path]) -> dict[Path, ValueSummary]:
        found, bounds = self._sampled(paths) if self.small or not self.whole else self._all(paths)
        enums = self._enums(paths, found, bounds)
        return {
            path: summary(
                found[number],
                enum=enums.get(number, ()),
                is_bound=number in bounds,
                exact=self.whole,
            )
            for number, path in enumerate(paths)
            if found[number]
        }

    def _sampled(self, paths: Sequence[Path]) -> tuple[list[list[TypeSummary]], set[int]]:
        """The results of one scan of the sample, and the paths for which not every value was
        seen."""
        found, invalid = self._survey(self.sample, [ValueQuestion(path=path) for path in paths])
        return found, set(invalid)

    def _all(self, paths: Sequence[Path]) -> tuple[list[list[TypeSummary]], set[int]]:
        """The same for the whole collection, with questions that depend on the sample."""
        sampled, _ = self._sampled(paths)
        questions = [_again(path, seen) for path, seen in zip(paths, sampled, strict=True)]
        found, invalid = self._survey(self.everything, questions)
        found = [_merged(*pair) for pair in zip(found, sampled, strict=True)]
        bounds = {number for number, asked in enumerate(questions) if not asked.distinct}
        if _ID in paths and self._ids_are_unique():
            number = paths.index(_ID)
            found[number] = [replace(one, distinct=one.count) for one in found[number]]
            bounds.discard(number)
        return found, bounds | set(invalid)

    def _ids_are_unique(self) -> bool:
        """False for a view or a time series, and if the user may not list collections."""
        try:
            options = self.collection.options()
        except OperationFailure:
            return False
        return not options.keys() & {"viewOn", "timeseries"}

    def _survey(
        self, prefix: Sequence[Stage], questions: Sequence[ValueQuestion]
    ) -> tuple[list[list[TypeSummary]], Mapping[int, int]]:
        """The results, and the number of strings that were left out because they are not UTF-8."""
        try:
            found = survey(self.collection, prefix, questions, **self.options)
            invalid: Mapping[int, int] = {}
        except OperationFailure as error:
            if not is_invalid_utf8(error):
                raise
            found = survey(self.collection, prefix, questions, **self.options, skip_invalid=True)
            paths = [question.path for question in questions]
            invalid = count_invalid(self.collection, prefix, paths, **self.options)
        self._tell()
        return found, invalid

    def _enums(
        self, paths: Sequence[Path], found: Sequence[Sequence[TypeSummary]], bounds: set[int]
    ) -> dict[int, tuple[tuple[Any, int], ...]]:
        numbers = [
            number
            for number in range(len(paths))
            if number not in bounds and may_be_enum(found[number])
        ]
        if not numbers:
            return {}
        counts = count_values(
            self.collection,
            self.everything,
            [paths[number] for number in numbers],
            limit=(MAX_ENUM + 1) * len(numbers),
            **self.options,
        )
        self._tell()
        return {
            number: tuple(sorted(values, key=lambda pair: (-pair[1], str(pair[0]))))
            for number, values in zip(numbers, counts, strict=True)
            if len(values) <= MAX_ENUM
        }

    def _tell(self) -> None:
        self.scans += 1
        if self.progress is not None:
            self.progress(
                Progress(
                    collection=self.collection.name,
                    phase="values",
                    done=self.documents,
                    total=self.documents,
                    rounds=self.scans,
                )
            )


def _again(path: Path, sampled: Sequence[TypeSummary]) -> ValueQuestion:
    """The question for the whole collection, after a sample of it."""
    strings = next((found for found in sampled if found.type == "string"), None)
    if strings is None:
        return ValueQuestion(path=path, distinct=is_saturated(sampled))
    formats = worth_counting(strings.formats, strings.count)
    return ValueQuestion(path=path, distinct=is_saturated(sampled), formats=formats)


def _merged(whole: Sequence[TypeSummary], sampled: Sequence[TypeSummary]) -> list[TypeSummary]:
    """The results for the whole collection, with at least as many distinct values as in the
    sample."""
    seen = {found.type: found.distinct for found in sampled}
    return [
        replace(found, distinct=max(found.distinct, seen.get(found.type, 0))) for found in whole
    ]


def _batches(profile: Profile) -> Iterator[list[Path]]:
    """The paths with scalar values; those through the same number of arrays and maps together."""
    paths = [
        field.path
        for field in profile.walk()
        if reachable(field.path) and any(server_type(name) in _SUMMARISED for name in field.types)
    ]
    paths.sort(key=levels)
    for start in range(0, len(paths), BATCH):
        yield paths[start : start + BATCH]


def _filled(field: Field, summaries: Mapping[Path, ValueSummary]) -> Field:
    return replace(
        field,
        values=summaries.get(field.path, field.values),
        children=tuple(_filled(child, summaries) for child in field.children),
    )


# From the scans' results for one path to its summary.
MAX_ENUM = 50
"""With more distinct values than this, a field is not an enumeration."""

MIN_OCCURRENCES = 5
"""The minimum average number of occurrences of an enumeration's values."""

MIN_VALUES = 20
"""Fewer values than this show no pattern."""

MAX_SATURATED = 1000
"""The number of distinct values in a sample up to which they are distinguished in the whole
collection."""

UNSEEN_SHARE = 0.02
"""The values that occur once in a sample estimate how many values of the collection the sample did
not see (Good and Turing); above this share the distinct values are too many to hold."""

MIN_ALIKE = 10
"""Among fewer values, a 0 and a 1 are two numbers, not no and yes."""

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
    found: Sequence[TypeSummary],
    *,
    enum: tuple[tuple[Any, int], ...],
    is_bound: bool,
    exact: bool,
) -> ValueSummary:
    """A summary; ``is_bound`` means that there may be more distinct values than were
    distinguished."""
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


def is_saturated(sampled: Sequence[TypeSummary]) -> bool:
    """Whether a sample saw nearly all values, so that the collection has not many more."""
    values = sum(one.count for one in sampled)
    once = sum(one.once for one in sampled)
    if values < MIN_VALUES or _distinct(sampled) > MAX_SATURATED:
        return False
    return once <= values * UNSEEN_SHARE


def may_be_enum(found: Sequence[TypeSummary]) -> bool:
    values = sum(one.count for one in found)
    distinct = _distinct(found)
    few = 0 < distinct <= MAX_ENUM and not any(one.cut for one in found)
    return few and values >= max(MIN_VALUES, distinct * MIN_OCCURRENCES)


def _distinct(found: Sequence[TypeSummary]) -> int:
    return sum(one.distinct for one in found)


def _most_frequent(found: Any) -> TypeSummary | None:
    return max(found, key=lambda one: one.count, default=None)


def _formats(strings: TypeSummary | None) -> Mapping[str, float]:
    return shares(strings.formats, strings.count) if strings else {}


def _is_boolean_like(found: Sequence[TypeSummary]) -> bool:
    """Whether there are at most two values, and they read as yes and no; then the minimum and the
    maximum are all values."""
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
