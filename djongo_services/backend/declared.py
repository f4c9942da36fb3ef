"""The columns of a collection as the models declared them, read from its validator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from djongo_services.backend.description import declared_schemas
from djongo_services.backend.titles import Title, parse
from djongo_services.introspection.catalog import Collection


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredColumn:
    """One column."""

    title: Title
    schema: Mapping[str, Any]
    """The JSON Schema of its values."""
    null: bool
    """Whether it may be null."""


def declared_columns(collection: Collection) -> dict[str, DeclaredColumn] | None:
    """The columns by name, in the order of the model's fields; None if the validator does not give
    each column a title, as this engine's does.

    ``_id`` is included if it is a column of the model.
    """
    schemas = declared_schemas(collection)
    found: dict[str, DeclaredColumn] = {}
    for name, schema in schemas.items():
        title = parse(schema.get("title"))
        if title is None:
            return None
        found[name] = DeclaredColumn(title=title, schema=schema, null=_may_be_null(schema))
    return found or None


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    if "bsonType" in schema:
        types = schema["bsonType"]
        return types == "null" or (not isinstance(types, str) and "null" in types)
    return bool(schema.get("not") != {"bsonType": "null"})


def bounds_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest and the largest value, if the field has its own."""
    return {
        name: schema[name]
        for name, of_every_integer in (("minimum", -(2**31)), ("maximum", 2**31 - 1))
        if schema.get(name, of_every_integer) != of_every_integer
    }


def choices_of(schema: Mapping[str, Any]) -> list[str | int]:
    """The values that the rules of forms allow, if they are texts or whole numbers."""
    values = [value for value in schema.get("enum", ()) if value is not None and value != ""]
    plain = all(isinstance(one, str | int) and not isinstance(one, bool) for one in values)
    return values if plain else []


def max_length(schema: Mapping[str, Any]) -> int | None:
    """The maximum length; the rules of forms combine it with "or empty", and choices replace it."""
    found = [one.get("maxLength") for one in (schema, *schema.get("anyOf", ()))]
    lengths = [int(length) for length in found if length is not None]
    lengths = lengths or [len(choice) for choice in choices_of(schema) if isinstance(choice, str)]
    return max(lengths, default=None)
