"""Profiles made from documents in plain Python, for tests of what works on a profile.

The counts are exact and nothing is folded but the paths that are named as maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bson import Binary, DBRef, Decimal128, Int64, ObjectId, Timestamp

from djongo_services.introspection.path import ELEMENT, KEY, Path
from djongo_services.introspection.report import (
    ArrayLengths,
    Coverage,
    Depth,
    Field,
    MapKeys,
    Profile,
    TypeCount,
)

BESIDE = frozenset({"total"})
"""Fields of maps that are not data."""

_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (Int64, "long"),
    (int, "int"),
    (float, "double"),
    (str, "string"),
    (ObjectId, "objectId"),
    (datetime, "date"),
    (Decimal128, "decimal"),
    (Timestamp, "timestamp"),
    (Binary, "binData"),
    (bytes, "binData"),
    (DBRef, "dbRef"),
    (dict, "object"),
    (list, "array"),
    (type(None), "null"),
)


def profile_of(
    name: str,
    documents: Iterable[dict[str, Any]],
    *,
    maps: Sequence[Path] = (),
    depth: Depth = "exact",
    count: int | None = None,
) -> Profile:
    """The profile of the documents; ``count`` where the collection holds more like them."""
    everything = list(documents)
    total = len(everything) if count is None else count
    coverage = Coverage(
        requested=depth,
        reached=depth,
        documents=total,
        examined=len(everything),
        proven=depth != "sample",
    )
    return Profile(collection=name, fields=_fields((), everything, maps), coverage=coverage)


def _fields(
    path: Path, objects: Sequence[dict[str, Any]], maps: Sequence[Path]
) -> tuple[Field, ...]:
    names = dict.fromkeys(name for one in objects for name in one)
    return tuple(
        _field((*path, name), len(objects), [one[name] for one in objects if name in one], maps)
        for name in names
    )


def _field(path: Path, parents: int, values: Sequence[Any], maps: Sequence[Path]) -> Field:
    types: dict[str, int] = {}
    for value in values:
        types[_type(value)] = types.get(_type(value), 0) + 1
    objects = [value for value in values if isinstance(value, dict)]
    arrays = [value for value in values if isinstance(value, list)]
    children: tuple[Field, ...] = ()
    if objects and path in maps:
        named = [{k: v for k, v in one.items() if k in BESIDE} for one in objects]
        children += _fields(path, named, maps)
        entries = [value for one in objects for k, value in one.items() if k not in BESIDE]
        children += (_field((*path, KEY), len(entries), entries, maps),)
    elif objects:
        children += _fields(path, objects, maps)
    if arrays:
        elements = [value for one in arrays for value in one]
        children += (_field((*path, ELEMENT), len(elements), elements, maps),)
    return Field(
        path=path,
        parents=parents,
        types={
            name: TypeCount(count=count, probability=count / parents)
            for name, count in sorted(types.items(), key=lambda item: -item[1])
        },
        lengths=_lengths(arrays) if arrays else None,
        map=MapKeys(format="mixed", distinct=len(objects)) if path in maps else None,
        children=children,
    )


def _lengths(arrays: Sequence[list[Any]]) -> ArrayLengths:
    sizes = [len(one) for one in arrays]
    histogram: dict[int, int] = {}
    for size in sizes:
        bound = 0 if size == 0 else 1 << (size - 1).bit_length()
        histogram[bound] = histogram.get(bound, 0) + 1
    return ArrayLengths(
        minimum=min(sizes),
        maximum=max(sizes),
        mean=sum(sizes) / len(sizes),
        histogram=dict(sorted(histogram.items())),
    )


def _type(value: Any) -> str:
    return next(name for kind, name in _TYPES if isinstance(value, kind))
