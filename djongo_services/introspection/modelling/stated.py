"""What is known about a collection's fields from its validator or its creator, not its
documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId

from djongo_services.introspection.catalog import MARK
from djongo_services.introspection.modelling.declarations import Call
from djongo_services.introspection.path import ELEMENT, Path
from djongo_services.introspection.report import CollectionReport, Field, TypeCount

ANY = "any type"
"""The type of a field for which the schema names none."""
_ALIASES: Mapping[str, tuple[str, ...]] = {"number": ("int", "double"), "boolean": ("bool",)}
"""A number that Django writes may be a double, which MongoDB also accepts as a number."""
_READ = frozenset(
    {"bsonType", "type", "enum", "maxLength", "description", "title", "required", "properties"}
    | {"items", "additionalProperties", "minLength", "minItems", "minProperties"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedField(Field):
    """What a schema says about a path."""

    max_length: int | None = None
    choices: tuple[str | int, ...] = ()
    description: str = ""
    may_be_empty: bool = True
    takes_null: bool = False
    rest: tuple[str, ...] = ()
    """Keywords that no option of a field expresses: ``minimum: 0``."""


def stated_fields(report: CollectionReport) -> tuple[Field, ...]:
    """The fields; none if there are documents, which contain more information, or no schema."""
    profile, validator = report.profile, report.collection.validator
    if profile is None or profile.fields or profile.coverage.documents or validator is None:
        return ()
    schemas = _schemas(validator.query)
    fields = {
        name: found
        for schema in schemas
        for name, found in _members(schema, (), ours=_is_ours(schema))
    }
    return tuple(fields.values())


def _schemas(query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The query's own schema, and those that are combined with other rules."""
    for part in (query, *(query.get("$and") or ())):
        if isinstance(part, Mapping) and isinstance(part.get("$jsonSchema"), Mapping):
            yield part["$jsonSchema"]


def _is_ours(schema: Mapping[str, Any]) -> bool:
    """Whether its titles are types of columns, and not words for people."""
    return _text(schema.get("description")).startswith(MARK)


def _members(schema: Mapping[str, Any], path: Path, *, ours: bool) -> Iterator[tuple[str, Field]]:
    required = schema.get("required") or ()
    properties: Mapping[str, Any] = schema.get("properties") or {}
    for name in dict.fromkeys([*properties, *required]):
        is_required = name in required
        found = _field(properties.get(name) or {}, (*path, name), required=is_required, ours=ours)
        yield name, found


def _field(schema: Mapping[str, Any], path: Path, *, required: bool, ours: bool) -> Field:
    names = _types(schema)
    inner = _members(schema, path, ours=ours) if "object" in names else ()
    children = [found for _, found in inner]
    items = schema.get("items")
    if "array" in names and isinstance(items, Mapping):
        children.append(_field(items, (*path, ELEMENT), required=True, ours=ours))
    smallest = [schema.get(key) or 0 for key in ("minLength", "minItems", "minProperties")]
    longest = schema.get("maxLength")
    return StatedField(
        path=path,
        # A single reference contains what is required, in a pair the second one contains what is
        # not.
        parents=1 if required else 2,
        types={name: TypeCount(count=int(not at), probability=1.0) for at, name in enumerate(names)}
        | ({"null": TypeCount(count=1, probability=0.5)} if "null" in names else {}),
        children=tuple(children),
        max_length=None if longest is None else int(longest) or None,
        choices=_choices(schema),
        description=_text(schema.get("description"))
        or ("" if ours else _text(schema.get("title"))),
        may_be_empty=not any(smallest) and "pattern" not in schema and "enum" not in schema,
        takes_null="null" in names or ANY in names,
        rest=tuple(f"{key}: {value}" for key, value in schema.items() if key not in _READ),
    )


def _types(schema: Mapping[str, Any]) -> list[str]:
    said = schema.get("bsonType", schema.get("type"))
    if said is None:
        said = [_type_of(value) for value in schema.get("enum") or ()] or [ANY]
    names = [said] if isinstance(said, str) else list(said)
    return list(dict.fromkeys(one for name in names for one in _ALIASES.get(name, (name,))))


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case str():
            return "string"
        case int():
            return "int" if -(2**31) <= value < 2**31 else "long"
        case float():
            return "double"
        case ObjectId():
            return "objectId"
    return ANY


def _choices(schema: Mapping[str, Any]) -> tuple[str | int, ...]:
    values = [value for value in schema.get("enum") or () if value not in (None, "")]
    texts = all(isinstance(value, str) for value in values)
    numbers = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
    return tuple(values) if texts or numbers else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredCollection:
    """A collection whose report has the fields as its profile, and the foreign keys as its
    references."""

    fields: Mapping[Path, Call] = field(default_factory=dict)
    """The call for the field at a path, without ``null``, ``db_column`` and the target. Any other
    field is chosen by its types."""
    classes: Mapping[Path, str] = field(default_factory=dict)
    """Names of the classes of the embedded documents at a path."""
    key: str = "_id"
    """The name of the primary key."""
    remarks: tuple[str, ...] = ()
    """Comment lines in ``Meta``."""


UNDECLARED = DeclaredCollection()
