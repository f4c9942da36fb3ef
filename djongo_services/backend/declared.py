"""The columns of a collection as the models declared them, from its validator."""

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
    """By name, in the order of the model's fields; None of a collection whose validator does not
    give each of its columns a title, as this engine's does.

    ``_id`` is among them where it is a column of the model.
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


def choices_of(schema: Mapping[str, Any]) -> list[str | int]:
    """The values that the rules of forms allow, where they are texts or whole numbers."""
    values = [value for value in schema.get("enum", ()) if value is not None and value != ""]
    plain = all(isinstance(one, str | int) and not isinstance(one, bool) for one in values)
    return values if plain else []


def max_length(schema: Mapping[str, Any]) -> int | None:
    """The rules of forms have it beside "or empty", and in the place of it the choices."""
    found = [one.get("maxLength") for one in (schema, *schema.get("anyOf", ()))]
    lengths = [int(length) for length in found if length is not None]
    lengths = lengths or [len(choice) for choice in choices_of(schema) if isinstance(choice, str)]
    return max(lengths, default=None)
