"""A collection's profile, references and warnings as bytes, and back.

The format is compressed JSON, because names of fields may be invalid as keys in documents.
Summaries of values are left out: no value is stored beside the data it comes from. The ``_id`` of
an example is stored as canonical Extended JSON.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads

from djongo_services.introspection.catalog import Collection
from djongo_services.introspection.path import ELEMENT, KEY, Path, Step
from djongo_services.introspection.report import (
    ArrayLengths,
    CollectionReport,
    Coverage,
    Field,
    Finding,
    MapKeys,
    Profile,
    Reference,
    TypeCount,
)

Json = dict[str, Any]

_COVERAGE = (
    "requested",
    "reached",
    "documents",
    "examined",
    "proven",
    "rounds",
    "margin",
    "seconds",
    "stopped",
)
_REFERENCE = ("target", "target_path", "kind", "many", "unique", "checked", "found", "complete")


def packed(report: CollectionReport) -> bytes:
    profile = report.profile
    document = {
        "coverage": profile and {name: getattr(profile.coverage, name) for name in _COVERAGE},
        "fields": [_field(field) for field in profile.fields] if profile else [],
        "references": [
            {"path": _path(one.path), **{name: getattr(one, name) for name in _REFERENCE}}
            for one in report.references
        ],
        "warnings": [
            {
                "code": one.code,
                "message": one.message,
                "path": one.path,
                "paths": list(one.paths),
                "count": one.count,
                "examples": list(one.examples),
            }
            for one in report.warnings
        ],
        "muted": report.muted,
    }
    return zlib.compress(dumps(document, json_options=CANONICAL_JSON_OPTIONS).encode())


def unpacked(data: bytes, collection: Collection) -> CollectionReport:
    """The report of ``collection`` in its current form, with the stored data."""
    text = zlib.decompress(data).decode()
    document: Json = loads(text, json_options=CANONICAL_JSON_OPTIONS)
    coverage = document["coverage"]
    return CollectionReport(
        collection=collection,
        profile=None
        if coverage is None
        else Profile(
            collection=collection.name,
            fields=tuple(_field_from(field, ()) for field in document["fields"]),
            coverage=Coverage(**_numbers(coverage)),
        ),
        references=tuple(
            Reference(**{**_numbers(one), "path": _path_from(one["path"])})
            for one in document["references"]
        ),
        warnings=tuple(
            Finding(
                **{
                    **_numbers(one),
                    "paths": tuple(one.get("paths", ())),
                    "examples": tuple(one["examples"]),
                }
            )
            for one in document["warnings"]
        ),
        muted=int(document.get("muted", 0)),
    )


def _field(field: Field) -> Json:
    lengths, keys = field.lengths, field.map
    return {
        "step": _step(field.path[-1]),
        "parents": field.parents,
        "types": [[name, found.count, found.probability] for name, found in field.types.items()],
        "lengths": lengths
        and [
            lengths.minimum,
            lengths.maximum,
            lengths.mean,
            [[bound, number] for bound, number in lengths.histogram.items()],
        ],
        "map": keys and [keys.format, keys.distinct, keys.distinct_is_bound],
        "children": [_field(child) for child in field.children],
    }


def _field_from(document: Json, parent: Path) -> Field:
    path = (*parent, _step_from(document["step"]))
    return Field(
        path=path,
        parents=int(document["parents"]),
        types={
            name: TypeCount(count=int(number), probability=float(share))
            for name, number, share in document["types"]
        },
        lengths=_lengths(document["lengths"]),
        map=_map(document["map"]),
        children=tuple(_field_from(child, path) for child in document["children"]),
    )


def _lengths(document: list[Any] | None) -> ArrayLengths | None:
    if document is None:
        return None
    minimum, maximum, mean, histogram = document
    return ArrayLengths(
        minimum=int(minimum),
        maximum=int(maximum),
        mean=float(mean),
        histogram={int(bound): int(number) for bound, number in histogram},
    )


def _map(document: list[Any] | None) -> MapKeys | None:
    if document is None:
        return None
    form, distinct, is_bound = document
    return MapKeys(format=form, distinct=int(distinct), distinct_is_bound=is_bound)


def _path(path: Path) -> list[Any]:
    return [_step(step) for step in path]


def _path_from(steps: list[Any]) -> Path:
    return tuple(_step_from(step) for step in steps)


def _step(step: Any) -> Any:
    """A step: names are texts, and the two steps that match several values are numbers."""
    match step:
        case Step.ELEMENT:
            return 0
        case Step.KEY:
            return 1
    return step


def _step_from(step: Any) -> Any:
    if isinstance(step, str):
        return step
    return KEY if step == 1 else ELEMENT


def _numbers(document: Mapping[str, Any]) -> Json:
    """Numbers; an Int64 is an int already, except in comparisons of types."""
    return {
        name: int(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in document.items()
    }
