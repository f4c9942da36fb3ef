"""Combining the server's responses about one collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pymongo.errors import OperationFailure

from djongo_services.introspection.catalog import (
    Collection,
    Index,
    IndexBuild,
    IndexUsage,
    Unavailable,
    Validator,
)
from djongo_services.introspection.reading.listing import (
    Answer,
    Document,
    ListedCollection,
    unavailable,
)
from djongo_services.introspection.reading.probes import (
    Builds,
    index_sizes,
    never_multikey,
    statistics_of,
    usage_of,
)

_VALIDATION = ("validator", "validationLevel", "validationAction")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """The responses about one collection; None for queries that were not sent."""

    indexes: tuple[Index, ...] | OperationFailure = ()
    statistics: Answer | None = None
    usage: Sequence[Answer] | None = None
    """One response for each member that answers."""
    multikey: Mapping[str, bool] | None = None
    builds: Builds | OperationFailure | None = None


def assemble(entry: ListedCollection, answers: Answers) -> Collection:
    return Collection(
        name=entry.name,
        type=entry.type,
        options={name: value for name, value in entry.options.items() if name not in _VALIDATION},
        uuid=entry.uuid,
        validator=_validator(entry),
        indexes=_indexes(entry, answers),
        statistics=(
            statistics_of(entry, answers.statistics)
            if isinstance(answers.statistics, list) and answers.statistics
            else None
        ),
        unavailable=entry.unavailable + tuple(_refusals(answers)),
    )


def _validator(entry: ListedCollection) -> Validator | None:
    """None also for an empty one, which is how collMod removes a validator."""
    query = entry.options.get("validator")
    if not query:
        return None
    return Validator(
        query=query,
        level=entry.options.get("validationLevel", "strict"),
        action=entry.options.get("validationAction", "error"),
        bson=entry.validator,
    )


def _indexes(entry: ListedCollection, answers: Answers) -> tuple[Index, ...]:
    if isinstance(answers.indexes, OperationFailure):
        return ()
    sizes = index_sizes(answers.statistics) if isinstance(answers.statistics, list) else {}
    usage = _usage(answers.usage)
    return tuple(
        replace(
            index,
            multikey=_multikey(index, answers.multikey),
            size=sizes.get(index.name),
            usage=None if usage is None else usage.get(index.name, ()),
            build=_build(entry, index, answers.builds),
        )
        for index in answers.indexes
    )


def _usage(answers: Sequence[Answer] | None) -> dict[str, tuple[IndexUsage, ...]] | None:
    told = [answer for answer in answers or () if isinstance(answer, list)]
    if not told:
        return None
    documents: list[Document] = [document for answer in told for document in answer]
    return usage_of(documents)


def _multikey(index: Index, found: Mapping[str, bool] | None) -> bool | None:
    if found is None:
        return None
    return False if never_multikey(index) else found.get(index.name)


def _build(
    entry: ListedCollection, index: Index, builds: Builds | OperationFailure | None
) -> IndexBuild | None:
    if index.build is None or not isinstance(builds, dict):
        return index.build
    return builds.get((entry.storage, index.name), index.build)


def _refusals(answers: Answers) -> Iterable[Unavailable]:
    if isinstance(answers.indexes, OperationFailure):
        yield unavailable("indexes", "listIndexes", answers.indexes)
    if isinstance(answers.statistics, OperationFailure):
        yield unavailable("statistics", "$collStats", answers.statistics)
    refused = [answer for answer in answers.usage or () if isinstance(answer, OperationFailure)]
    # Members refuse for the same reason: it is reported once.
    yield from dict.fromkeys(unavailable("usage", "$indexStats", error) for error in refused)
    building = not isinstance(answers.indexes, OperationFailure) and any(
        index.build for index in answers.indexes
    )
    if building and isinstance(answers.builds, OperationFailure):
        yield unavailable("builds", "$currentOp", answers.builds)
