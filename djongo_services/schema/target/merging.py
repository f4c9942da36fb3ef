"""Several models on one collection: one spec, or an error that names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from djongo_services.exceptions import DjongoServicesError
from djongo_services.schema.diff.filters import freeze
from djongo_services.schema.diff.normal import normal_spec, same_collation
from djongo_services.schema.diff.validators import same_query
from djongo_services.schema.spec import CollectionSpec, IndexSpec


class SpecConflict(DjongoServicesError):
    """Two models require different things of one collection."""


def merge(specs: Sequence[CollectionSpec]) -> CollectionSpec:
    """What all the models together require of their collection.

    Options that only some of them set, indexes, checks and properties complement one another;
    contradictions raise SpecConflict.
    """
    first, *rest = specs
    for other in rest:
        first = _Merge(first, other).result()
    return first


class _Merge:
    def __init__(self, one: CollectionSpec, other: CollectionSpec) -> None:
        self.one = one
        self.other = other

    def result(self) -> CollectionSpec:
        one, other = self.one, self.other
        if one.view != other.view:
            raise self._conflict("whether it is a view")
        problems = [p for p in other.problems if p not in one.problems]
        return replace(
            one,
            models=(*one.models, *other.models),
            options=self._united("options", one.options, other.options),
            rules=self.same_index("rules", one.rules, other.rules),
            validator=self._validator(),
            checks={**one.checks, **other.checks},
            never_null=one.never_null & other.never_null,
            level=self.same_index("validation level", one.level, other.level),
            action=self.same_index("validation action", one.action, other.action),
            indexes=self._indexes(),
            problems=(*one.problems, *problems),
        )

    def _validator(self) -> Mapping[str, Any] | None:
        one, other = self.one.validator, self.other.validator
        if one is None or other is None or same_query(one, other):
            return one if one is not None else other
        (schema, *checks), (second, *more) = _parts(one), _parts(other)
        checks += [check for check in more if check not in checks]
        merged = {"$jsonSchema": self._schemas(schema["$jsonSchema"], second["$jsonSchema"])}
        return {"$and": [merged, *checks]} if checks else merged

    def _schemas(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
        """Properties and requirements of both; what either closes stays closed, over all
        properties."""
        merged = self._united("validation", _without_parts(one), _without_parts(other))
        properties = self._united("field", one.get("properties", {}), other.get("properties", {}))
        required = {*one.get("required", ()), *other.get("required", ())}
        if properties:
            merged["properties"] = properties
        if required:
            merged["required"] = sorted(required)
        return merged

    def _indexes(self) -> tuple[IndexSpec, ...]:
        found = list(self.one.indexes)
        for index in self.other.indexes:
            twin = next((each for each in found if each.name == index.name), None)
            if twin is not None and not same_index(twin, index):
                raise self._conflict(f"index {index.name}")
            if twin is None:
                found.append(index)
        return without_twins(found)

    def _united(
        self, what: str, one: Mapping[str, Any], other: Mapping[str, Any]
    ) -> dict[str, Any]:
        for name in one.keys() & other.keys():
            if freeze(one[name]) != freeze(other[name]):
                raise self._conflict(f"{what} {name}")
        return {**one, **other}

    def same_index(self, what: str, one: Any, other: Any) -> Any:
        if one is not None and other is not None and one != other:
            raise self._conflict(what)
        return one if one is not None else other

    def _conflict(self, what: str) -> SpecConflict:
        return SpecConflict(
            f"{self.one.models[0]} and {self.other.models[0]} share the collection "
            f"{self.one.name} and differ in {what}; make them agree or give one another db_table."
        )


def without_twins(indexes: Sequence[IndexSpec]) -> tuple[IndexSpec, ...]:
    """The indexes without those of a generated name that another one duplicates."""
    kept: list[IndexSpec] = []
    for index in sorted(indexes, key=lambda index: not index.named):
        if index.named or not any(same_index(index, other) for other in kept):
            kept.append(index)
    return tuple(index for index in indexes if index in kept)


def named_twins(indexes: Sequence[IndexSpec]) -> list[tuple[IndexSpec, IndexSpec]]:
    """Indexes that the models declare under two names; MongoDB creates only the first of each
    pair."""
    found: list[tuple[IndexSpec, IndexSpec]] = []
    for place, index in enumerate(indexes):
        first = next((other for other in indexes[:place] if same_index(index, other)), None)
        if first is not None:
            found.append((first, index))
    return found


def same_index(one: IndexSpec, other: IndexSpec) -> bool:
    """Whether they differ in nothing but their names, so that MongoDB creates only one of them."""
    return normal_spec(one) == normal_spec(other) and same_collation(
        one.options.get("collation"), other.options.get("collation")
    )


def _parts(validator: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schema first, then the checks."""
    return list(validator.get("$and", [validator]))


def _without_parts(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name not in ("properties", "required")}
