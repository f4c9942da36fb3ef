"""What models accept at a path, read from their validator.

Only what is certain counts against documents: types, missing fields, lengths. What a combination of
schemas leaves open is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from djongo_services.bson_types import ALIASES, NUMBERS, server_type
from djongo_services.introspection.path import ELEMENT, KEY, Path
from djongo_services.schema.mapping.schemas import literal_pattern
from djongo_services.schema.spec import CollectionSpec

Schema = Mapping[str, Any]
Step = Any
"""A step of a path: a name, ELEMENT or KEY."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Schemas that all apply at one path; none if models do not mention it."""

    schemas: tuple[Schema, ...] = ()

    @classmethod
    def of(cls, spec: CollectionSpec | None) -> ModelShape:
        """What the models of a collection accept as its documents."""
        if spec is None or spec.validator is None:
            return ANYTHING
        parts = spec.validator.get("$and", [spec.validator])
        return cls(tuple(part["$jsonSchema"] for part in parts if "$jsonSchema" in part))

    def __bool__(self) -> bool:
        """Whether models define anything here."""
        return bool(self.schemas)

    def accepts(self, type_name: str) -> bool:
        """Whether values of a (refined) type are allowed here."""
        return all(_accepts(schema, server_type(type_name)) for schema in self.schemas)

    def accepted(self) -> list[str]:
        """The allowed types, or none if all are allowed."""
        found = [name for name in ALIASES if self.accepts(name)]
        return [] if len(found) == len(ALIASES) else found

    def requires(self, name: Step) -> bool:
        """Whether every object must have a field."""
        return isinstance(name, str) and any(_requires(one, name) for one in self.schemas)

    def knows(self, name: Step) -> bool:
        """Whether models declare a field with that name, or allow any field."""
        if not isinstance(name, str):
            return True
        parts = [part for schema in self.schemas for part in _parts(schema)]
        if not any("properties" in part for part in parts):
            return True
        return any(_property(part, name) is not None for part in parts)

    def names(self) -> Iterator[str]:
        """The fields that models declare here and a schema lists by name."""
        parts = [part for schema in self.schemas for part in _parts(schema)]
        yield from dict.fromkeys(name for part in parts for name in part.get("properties", ()))

    def below(self, step: Step) -> ModelShape:
        """What is accepted one step further."""
        if not self.schemas or step is KEY:
            return ANYTHING
        return ModelShape(tuple(one for schema in self.schemas for one in _below(schema, step)))

    def at(self, path: Path) -> ModelShape:
        shape = self
        for step in path:
            shape = shape.below(step)
        return shape

    def choices(self) -> Sequence[Any] | None:
        """The only allowed values; None if there is no such list."""
        lists = [one["enum"] for schema in self.schemas for one in _all(schema) if "enum" in one]
        return min(lists, key=len, default=None)

    def limit(self, keyword: str) -> int | None:
        """The smallest of the limits ``maxLength`` or ``maxItems``."""
        limits = [one[keyword] for schema in self.schemas for one in _all(schema) if keyword in one]
        return min(limits, default=None)


ANYTHING: Final = ModelShape()


def _all(schema: Schema) -> Iterator[Schema]:
    """The schema and those that must match in addition to it."""
    yield schema
    for part in schema.get("allOf", ()):
        yield from _all(part)


def _parts(schema: Schema) -> Iterator[Schema]:
    """The same, and the alternatives among them."""
    for one in _all(schema):
        yield one
        for alternative in one.get("anyOf", ()):
            yield from _parts(alternative)


def _accepts(schema: Schema, type_name: str) -> bool:
    for one in _all(schema):
        if "bsonType" in one and not _names(one["bsonType"], type_name):
            return False
        refused = one.get("not", {})
        if refused.keys() == {"bsonType"} and _names(refused["bsonType"], type_name):
            return False
        alternatives = one.get("anyOf")
        if alternatives and not any(_accepts(other, type_name) for other in alternatives):
            return False
    return True


def _names(stated: Any, type_name: str) -> bool:
    names = stated if isinstance(stated, list | tuple) else [stated]
    return type_name in names or ("number" in names and type_name in NUMBERS)


def _requires(schema: Schema, name: str) -> bool:
    for one in _all(schema):
        if name in one.get("required", ()):
            return True
        alternatives = one.get("anyOf")
        if alternatives and all(_requires(other, name) for other in alternatives):
            return True
    return False


def _below(schema: Schema, step: Step) -> Iterator[Schema]:
    for one in _all(schema):
        if step is ELEMENT:
            if isinstance(one.get("items"), Mapping):
                yield one["items"]
        elif (found := _property(one, step)) is not None:
            yield found
        # If one alternative does not mention the step, anything is allowed there.
        branches = [tuple(_below(other, step)) for other in one.get("anyOf", ())]
        if branches and all(branches):
            yield {"anyOf": [{"allOf": list(branch)} for branch in branches]}


def _property(schema: Schema, name: str) -> Schema | None:
    found: Schema | None = schema.get("properties", {}).get(name)
    if found is None and re.search(r"^\$|\.", name):
        found = schema.get("patternProperties", {}).get(literal_pattern(name))
    return found
