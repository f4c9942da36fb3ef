"""Which scans a collection needs for its values, and what the fields get of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from djongo_services.bson_types import NUMBERS, server_type
from djongo_services.introspection.path import Path
from djongo_services.introspection.profiling.decoding import LENIENT
from djongo_services.introspection.profiling.extraction import (
    Stage,
    levels,
    named_beside_keys,
    reachable,
)
from djongo_services.introspection.profiling.interruption import Interrupted
from djongo_services.introspection.profiling.values.formats import worth_counting
from djongo_services.introspection.profiling.values.summary import (
    MAX_ENUM,
    is_saturated,
    may_be_enum,
    summary,
)
from djongo_services.introspection.profiling.values.survey import (
    SCALARS,
    Found,
    Question,
    count_invalid,
    count_values,
    is_invalid_utf8,
    survey,
)
from djongo_services.introspection.progress import Progress, ProgressHook, Stop
from djongo_services.introspection.report import Depth, Field, Profile, ValueSummary

BATCH = 250
"""Paths per scan: keeps a pipeline well below the 16 MB that a command may have."""

SAMPLE_SHARE = 0.05
"""A sample larger than this part of a collection costs more than reading all of it: above it
``$sample`` sorts the whole collection (facts measured on MongoDB 6.0)."""

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
    """The profile with ``Field.values`` filled where a path has scalar values.

    At depth ``sample`` a sample is read, or the whole collection where that is cheaper; else the
    whole collection, in two to three scans per 250 paths: a sample tells which paths have few
    values, one scan summarises every path and tells values apart where they seemed few, and
    one counts the values of those that have at most 50. For the others ``distinct`` is what the
    sample showed, a lower bound. Paths through more than 10 arrays and maps stay without.

    Strings are compared by their first 256 characters; those that are not UTF-8 are left out.
    When ``stop`` is set the profile comes back as far as it got, ``coverage.stopped`` saying so.
    Raises PyMongo's errors.
    """
    reading = _Reading(collection, profile, depth, sample, progress, stop)
    summaries: dict[Path, ValueSummary] = {}
    stopped = profile.coverage.stopped
    try:
        for paths in _batches(profile):
            summaries.update(reading.summaries(paths))
    except Interrupted:
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

    def _sampled(self, paths: Sequence[Path]) -> tuple[list[list[Found]], set[int]]:
        """What one scan of the sample found, and for which paths not every value was seen."""
        found, invalid = self._survey(self.sample, [Question(path=path) for path in paths])
        return found, set(invalid)

    def _all(self, paths: Sequence[Path]) -> tuple[list[list[Found]], set[int]]:
        """The same of the whole collection, where the sample says what to ask."""
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
        """Not in a view or a time series, nor for certain where the user may not ask."""
        try:
            options = self.collection.options()
        except OperationFailure:
            return False
        return not options.keys() & {"viewOn", "timeseries"}

    def _survey(
        self, prefix: Sequence[Stage], questions: Sequence[Question]
    ) -> tuple[list[list[Found]], Mapping[int, int]]:
        """What was found, and how many strings were left out for not being UTF-8."""
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
        self, paths: Sequence[Path], found: Sequence[Sequence[Found]], bounds: set[int]
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


def _again(path: Path, sampled: Sequence[Found]) -> Question:
    """What to ask of the whole collection after a sample of it."""
    strings = next((found for found in sampled if found.type == "string"), None)
    if strings is None:
        return Question(path=path, distinct=is_saturated(sampled))
    formats = worth_counting(strings.formats, strings.count)
    return Question(path=path, distinct=is_saturated(sampled), formats=formats)


def _merged(whole: Sequence[Found], sampled: Sequence[Found]) -> list[Found]:
    """What the whole collection has, with at least as many distinct values as the sample."""
    seen = {found.type: found.distinct for found in sampled}
    return [
        replace(found, distinct=max(found.distinct, seen.get(found.type, 0))) for found in whole
    ]


def _batches(profile: Profile) -> Iterator[list[Path]]:
    """The paths with scalar values; those through as many arrays and maps together."""
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
