"""Documents that a unique index does not cover, so that it does not refuse duplicates among them.

The unique indexes of django-mongodb-backend exclude nulls by naming the one type that it writes:
``{"number": {"$type": "long"}}``. Validators accept more types, such as the ``int`` that other
tools write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from djongo_services.bson_types import NUMBERS
from djongo_services.schema.plan import Change
from djongo_services.schema.spec import CollectionSpec, IndexSpec

Filter = dict[str, Any]


def uncovered_queries(spec: CollectionSpec) -> dict[str, Filter]:
    """By index name, a filter for the documents that it should cover but does not."""
    found = ((index.name, _query(index, spec.validator)) for index in spec.indexes)
    return {name: query for name, query in found if query is not None}


def diff_coverage(spec: CollectionSpec, counts: Mapping[str, int]) -> list[Change]:
    """The changes for these ``counts`` of documents, by index name."""
    return [
        Change(collection=spec.name, sign="!", words=_words(index, counts[index.name]))
        for index in spec.indexes
        if counts.get(index.name) and "partialFilterExpression" in index.options
    ]


def _query(index: IndexSpec, validator: Mapping[str, Any] | None) -> Filter | None:
    condition = index.options.get("partialFilterExpression")
    if not index.options.get("unique") or not condition:
        return None
    wider: Filter = dict(condition)
    for path, name in _typed(condition):
        accepted = _accepted(validator, path) or (NUMBERS if name in NUMBERS else set())
        others = accepted - {name}
        if others:
            wider[path] = {**condition[path], "$type": [name, *sorted(others)]}
    return None if wider == condition else {**wider, "$nor": [dict(condition)]}


def _typed(condition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The paths for which the index covers only one type, and that type."""
    for path, operators in condition.items():
        name = operators.get("$type") if isinstance(operators, Mapping) else None
        if isinstance(name, str):
            yield path, name


def _accepted(validator: Mapping[str, Any] | None, path: str) -> set[str]:
    """The types that the validator accepts there, apart from null; none if it does not restrict
    them."""
    first, *_ = (validator or {}).get("$and", [validator or {}])
    schema = first.get("$jsonSchema", {})
    for name in path.split("."):
        schema = schema.get("properties", {}).get(name, {})
    types = schema.get("bsonType", [])
    return {types} if isinstance(types, str) else set(types) - {"null"}


def _words(index: IndexSpec, count: int) -> str:
    condition = index.options["partialFilterExpression"]
    covered = " and ".join(f"{path} of type {name}" for path, name in _typed(condition))
    documents = "1 document has" if count == 1 else f"{count:,} documents have"
    return (
        f"unique index {index.name} covers {covered} only: {documents} another type there, so "
        f"duplicates among them are not refused; convert them"
    )
