"""Values of a collection's fields that may refer to something, a bounded number of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo.collection import Collection

from djongo_services.bson_types import server_type
from djongo_services.introspection.path import Path
from djongo_services.introspection.profiling.extraction import (
    Named,
    Stage,
    extraction,
    levels,
    named,
    named_beside_keys,
    reachable,
)
from djongo_services.introspection.profiling.interruption import aggregate
from djongo_services.introspection.progress import Stop
from djongo_services.introspection.report import Field, Profile

BATCH = 100
"""Paths per scan."""

ELEMENTS = 100
"""Elements of one array that are looked at."""

LONGEST = 200
"""Bytes of a string or binary value; keys are shorter."""

KEY_TYPES = ("objectId", "string", "int", "long", "binData")
SAMPLE_SHARE = 0.05
"""As for values: a larger sample costs more than reading everything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """Distinct values at a path."""

    path: Path
    values: tuple[Any, ...]
    complete: bool
    """Whether these are all there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampledDBRefs:
    """Distinct ``$id`` values of the DBRefs at a path to one collection of the same database."""

    path: Path
    target: str
    values: tuple[Any, ...]
    complete: bool


@dataclass(slots=True)
class _Values:
    values: list[Any] = field(default_factory=list)
    overflow: bool = False

    def add(self, value: Any, limit: int) -> None:
        if len(self.values) < limit:
            self.values.append(value)
        else:
            self.overflow = True


def source_stages(profile: Profile, sample: int) -> list[Stage]:
    """Nothing where reading the whole collection is cheaper than the sample."""
    if sample >= profile.coverage.documents * SAMPLE_SHARE:
        return []
    return [{"$sample": {"size": sample}}]


def sample_values(
    collection: Collection[Any],
    profile: Profile,
    paths: Sequence[Path],
    *,
    sample: int,
    stop: Stop | None = None,
) -> list[Sampled]:
    """At most ``sample`` values for each path; one scan for every BATCH paths."""
    prefix, beside = source_stages(profile, sample), named_beside_keys(profile)
    found: list[Sampled] = []
    for batch in _batches(paths):
        scan = [
            *prefix,
            *extraction(batch, beside=beside, element_limit=ELEMENTS),
            {"$match": {"v": {"$type": list(KEY_TYPES)}}},
            {"$match": {"$expr": _is_short("$v")}},
            {"$group": {"_id": {"p": "$p", "v": "$v"}}},
            {"$limit": sample * len(batch)},
        ]
        gathered = [_Values() for _ in batch]
        rows = aggregate(collection, scan, stop=stop)
        for row in rows:
            gathered[row["_id"]["p"]].add(row["_id"]["v"], sample)
        whole = not prefix and len(rows) < sample * len(batch)
        found += [
            Sampled(
                path=path,
                values=tuple(one.values),
                # Arrays were cut, so that only paths without them were seen whole.
                complete=whole and not one.overflow and levels(path) == 0,
            )
            for path, one in zip(batch, gathered, strict=True)
        ]
    return found


def sample_dbrefs(
    collection: Collection[Any],
    profile: Profile,
    paths: Sequence[Path],
    *,
    sample: int,
    stop: Stop | None = None,
) -> list[SampledDBRefs]:
    """The same for DBRefs, those to other databases left out."""
    prefix, beside = source_stages(profile, sample), named_beside_keys(profile)
    found: list[SampledDBRefs] = []
    for batch in _batches(paths):
        database = collection.database.name
        scan = [
            *prefix,
            *dbrefs(batch, database, beside=beside, element_limit=ELEMENTS),
            {"$group": {"_id": {"p": "$p", "to": "$to", "v": "$v"}}},
            {"$limit": sample * len(batch)},
        ]
        gathered: dict[tuple[int, str], _Values] = {}
        rows = aggregate(collection, scan, stop=stop)
        for row in rows:
            place = (row["_id"]["p"], row["_id"]["to"])
            gathered.setdefault(place, _Values()).add(row["_id"]["v"], sample)
        whole = not prefix and len(rows) < sample * len(batch)
        found += [
            SampledDBRefs(
                path=batch[number],
                target=target,
                values=tuple(one.values),
                complete=whole and not one.overflow and levels(batch[number]) == 0,
            )
            for (number, target), one in sorted(gathered.items(), key=lambda item: item[0])
        ]
    return found


def dbrefs(
    paths: Sequence[Path], database: str, *, beside: Named, element_limit: int | None = None
) -> list[Stage]:
    """Stages from documents to ``{p, to, v}``: the path, the collection, the ``$id``."""
    here = {"$in": [{"$ifNull": ["$db", database]}, [database]]}
    return [
        *extraction(paths, beside=beside, element_limit=element_limit),
        {"$match": {"v": {"$type": "object"}}},
        {
            "$project": {
                "p": 1,
                "to": named("$v", "$ref"),
                "v": named("$v", "$id"),
                "db": named("$v", "$db"),
            }
        },
        {"$match": {"to": {"$type": "string"}, "v": {"$ne": None}, "$expr": here}},
    ]


def key_like(field: Field) -> bool:
    """Whether a field has values that may be keys of something else.

    ``_id`` is not: copies of a collection share it without referring to each other.
    """
    return (
        reachable(field.path)
        and field.path != ("_id",)
        and any(server_type(name) in KEY_TYPES for name in field.types)
    )


def has_dbrefs(field: Field) -> bool:
    return reachable(field.path) and "dbRef" in field.types


def _is_short(value: str) -> Any:
    is_string = {"$eq": [{"$type": value}, "string"]}
    is_binary = {"$eq": [{"$type": value}, "binData"]}
    size = {
        "$cond": [
            is_string,
            {"$strLenBytes": value},
            {"$cond": [is_binary, {"$binarySize": value}, 0]},
        ]
    }
    return {"$lte": [size, LONGEST]}


def _batches(paths: Sequence[Path]) -> Iterator[list[Path]]:
    ordered = sorted(paths, key=levels)
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]
