"""Reports made from documents in plain Python, with every BSON type, for tests of models.

Counts are exact and nothing is folded, but objects under a key that begins with ``map``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from djongo_services.abilities import Abilities
from djongo_services.bson_types import binary_type
from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.path import ELEMENT, KEY, Path
from djongo_services.introspection.report import (
    ArrayLengths,
    CollectionReport,
    Coverage,
    Depth,
    Field,
    MapKeys,
    Profile,
    Reference,
    Report,
    TypeCount,
    ValueSummary,
)

Document = Mapping[str, Any]

_NAMES: Mapping[type, str] = {
    float: "double",
    str: "string",
    dict: "object",
    list: "array",
    bytes: "binData",
    ObjectId: "objectId",
    bool: "bool",
    datetime: "date",
    DatetimeMS: "date",
    type(None): "null",
    Regex: "regex",
    DBRef: "dbRef",
    int: "int",
    Timestamp: "timestamp",
    Int64: "long",
    Decimal128: "decimal",
    MinKey: "minKey",
    MaxKey: "maxKey",
}


def report_of(
    collections: Mapping[str, Iterable[Document]],
    *,
    depth: Depth = "exact",
    values: bool = False,
    indexes: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    references: Mapping[str, Sequence[Reference]] | None = None,
    database: str = "archive",
) -> Report:
    """A report of these documents; an index is its ``listIndexes`` document without ``v``."""
    return Report(
        server=abilities(),
        database=database,
        collections=tuple(
            CollectionReport(
                collection=Collection(
                    name=name,
                    indexes=tuple(_index(each) for each in (indexes or {}).get(name, ())),
                ),
                profile=profile_of(name, documents, depth=depth, values=values),
                references=tuple((references or {}).get(name, ())),
            )
            for name, documents in collections.items()
        ),
    )


def with_types(report: Report, types: Mapping[str, str]) -> Report:
    """The report with other types for top-level fields, such as PyMongo cannot make."""
    (only,) = report.collections
    assert only.profile is not None
    fields = tuple(
        replace(found, types={types[found.name]: TypeCount(count=1, probability=1.0)})
        if found.name in types
        else found
        for found in only.profile.fields
    )
    return replace(
        report, collections=(replace(only, profile=replace(only.profile, fields=fields)),)
    )


def abilities() -> Abilities:
    return Abilities(
        version="6.0.27",
        feature_compatibility="6.0",
        topology="replica set",
        set_name="rs",
        members=("127.0.0.1:27017",),
        transactions=True,
        snapshot_reads=True,
        validator_errinfo=True,
        prepare_unique=True,
        index_signatures=True,
        ttl_conversion=True,
        time_series=True,
        clustered_collections=True,
        read_only=False,
    )


def profile_of(
    name: str, documents: Iterable[Document], *, depth: Depth = "exact", values: bool = False
) -> Profile:
    everything = list(documents)
    coverage = Coverage(
        requested=depth,
        reached=depth,
        documents=len(everything),
        examined=len(everything),
        proven=depth != "sample",
        margin=None if depth == "exact" else 0.03,
    )
    return Profile(collection=name, fields=_members((), everything, values), coverage=coverage)


def type_name(value: Any) -> str:
    match value:
        case Binary():
            return binary_type(value.subtype)
        case Code():
            return "javascript" if value.scope is None else "javascriptWithScope"
        case _:
            return _NAMES[type(value)]


def _index(definition: Mapping[str, Any]) -> Index:
    return Index(
        name=definition["name"], keys=tuple(definition["key"].items()), definition=definition
    )


def _members(path: Path, objects: Sequence[Document], values: bool) -> tuple[Field, ...]:
    names = dict.fromkeys(name for each in objects for name in each)
    return tuple(
        _field(
            (*path, name), len(objects), [each[name] for each in objects if name in each], values
        )
        for name in names
    )


def _field(path: Path, parents: int, found: Sequence[Any], values: bool) -> Field:
    counts: dict[str, int] = {}
    for value in found:
        counts[type_name(value)] = counts.get(type_name(value), 0) + 1
    objects = [value for value in found if isinstance(value, dict)]
    arrays = [value for value in found if isinstance(value, list)]
    folded = str(path[-1]).startswith("map") and bool(objects)
    if folded:
        keys = [(*path, KEY)]
        inner = [value for each in objects for value in each.values()]
        children = tuple(_field(key, len(inner), inner, values) for key in keys)
    else:
        children = _members(path, objects, values)
    elements = [value for each in arrays for value in each]
    if elements:
        children = (*children, _field((*path, ELEMENT), len(elements), elements, values))
    return Field(
        path=path,
        parents=parents,
        types={
            name: TypeCount(count=count, probability=count / parents)
            for name, count in sorted(counts.items(), key=lambda pair: -pair[1])
        },
        lengths=_lengths(arrays),
        map=MapKeys(format="identifier", distinct=len(objects)) if folded else None,
        values=_summary(found) if values else None,
        children=children,
    )


def _lengths(arrays: Sequence[list[Any]]) -> ArrayLengths | None:
    if not arrays:
        return None
    sizes = [len(each) for each in arrays]
    return ArrayLengths(
        minimum=min(sizes), maximum=max(sizes), mean=sum(sizes) / len(sizes), histogram={}
    )


def _summary(found: Sequence[Any]) -> ValueSummary | None:
    """Lengths and few distinct values of strings and integers, bounds of decimals and dates."""
    known = [value for value in found if value is not None]
    strings = [value for value in known if isinstance(value, str)]
    decimals = sorted(
        (value for value in known if isinstance(value, Decimal128)), key=_decimal_order
    )
    beyond = [value for value in known if isinstance(value, DatetimeMS)]
    bounds = decimals or beyond or [None]
    counts: dict[Any, int] = {}
    for value in known:
        if type(value) in {str, int, Int64}:
            counts[value] = counts.get(value, 0) + 1
    few = len(counts) <= 5 and sum(counts.values()) == len(known)
    return ValueSummary(
        minimum=bounds[0],
        maximum=bounds[-1],
        shortest=min(map(len, strings), default=None),
        longest=max(map(len, strings), default=None),
        enum=tuple(counts.items()) if few else (),
        exact=True,
    )


def _decimal_order(value: Decimal128) -> tuple[bool, Any]:
    number = value.to_decimal()
    return (False, 0) if number.is_nan() else (True, number)
