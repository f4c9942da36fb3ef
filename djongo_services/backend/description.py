"""The fields of a collection as Django's ``FieldInfo``, from its validator and its documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.backends.base.introspection import FieldInfo

from djongo_services.bson_types import NUMBERS
from djongo_services.introspection.catalog import Collection
from djongo_services.introspection.report import Field, Profile

MIXED = "mixed"
"""The ``type_code`` of a field with several types, or with an unknown type."""

_JSON_TYPES = {"boolean": "bool", "number": "number"}
"""JSON Schema's own ``type`` names that differ from BSON's."""

_WIDENING = ("int", "long", "double", "decimal")

Types = tuple[str, ...]


def describe_fields(collection: Collection, profile: Profile | None = None) -> list[FieldInfo]:
    """The top-level fields: ``_id`` first, then by first appearance in documents, then in the
    validator.

    ``type_code`` is a refined BSON type name (:mod:`djongo_services.bson_types`): for numbers of
    several types it is the widest, for ``"number"`` in a schema ``"decimal"``, for any other
    mixture :data:`MIXED`. ``null_ok``: the documents have null, or lack the field, or an enforced
    validator does not forbid it; a validator that only warns, or ignores old documents, forbids
    nothing. ``display_size`` and ``internal_size`` are the schema's ``maxLength``, ``collation`` is
    the locale of the collection's default collation, for strings. Without documents and schema, the
    options of a time-series collection are used, and ``_id``.
    """
    found = {field.path[0]: field for field in profile.fields} if profile is not None else {}
    said = declared_schemas(collection)
    required = _required(collection)
    names = dict.fromkeys([*(name for name in found if isinstance(name, str)), *said])
    if collection.type == "collection" or "_id" in names:
        names = dict.fromkeys(["_id", *names])
    return [
        _describe(collection, name, found.get(name), said.get(name, {}), name in required)
        for name in names
    ]


def _describe(
    collection: Collection,
    name: str,
    found: Field | None,
    schema: Mapping[str, Any],
    required: bool,
) -> FieldInfo:
    declared = schema_types(schema)
    types = tuple(found.types) if found is not None else ()
    code = _type_code(types) or _type_code(declared) or (MIXED if name != "_id" else "objectId")
    size = schema.get("maxLength")
    # As a dict, because the stubs of Django have the types of one SQL driver.
    described: dict[str, Any] = {
        "name": name,
        "type_code": code,
        "display_size": None if size is None else int(size),
        "internal_size": None if size is None else int(size),
        "precision": None,
        "scale": None,
        "null_ok": name != "_id" and _null_ok(found, declared, required),
        "default": None,
        "collation": _locale(collection) if code == "string" else None,
    }
    return FieldInfo(**described)


def _null_ok(found: Field | None, declared: Types, required: bool) -> bool:
    if found is not None and (found.null or found.missing):
        return True
    forbidden = required and bool(declared) and "null" not in declared
    # That documents have no null is a fact; whether they may get one depends on the validator.
    return not forbidden and (found is None or bool(declared))


def _type_code(types: Types) -> str | None:
    """The type; None if only null is known."""
    known = set(types) - {"null", "undefined"}
    if not known:
        return None
    if len(known) == 1:
        (only,) = known
        return "decimal" if only == "number" else only
    if known <= NUMBERS | {"number"}:
        return "decimal" if "number" in known else max(known, key=_WIDENING.index)
    return MIXED


def declared_schemas(collection: Collection) -> dict[str, Mapping[str, Any]]:
    """By field, what the validator's schemas, or the options of a time series, say about it.

    Names with a dot are paths on the server, and left out.
    """
    fields: dict[str, Mapping[str, Any]] = {}
    series = collection.options.get("timeseries", {}) if collection.type == "timeseries" else {}
    if "timeField" in series:
        fields[series["timeField"]] = {"bsonType": "date"}
    if "metaField" in series:
        fields[series["metaField"]] = {}
    for schema in _schemas(collection):
        for name, field in schema.get("properties", {}).items():
            if "." not in name:
                fields[name] = {**fields.get(name, {}), **field}
        for name in schema.get("required", ()):
            fields.setdefault(name, {})
    return fields


def _required(collection: Collection) -> frozenset[str]:
    validator = collection.validator
    names: set[str] = set()
    if validator is not None and validator.level == "strict" and validator.action != "warn":
        for schema in _schemas(collection):
            names.update(schema.get("required", ()))
    if collection.type == "timeseries":
        names.add(collection.options.get("timeseries", {}).get("timeField", ""))
    return frozenset(names)


def _schemas(collection: Collection) -> Iterator[Mapping[str, Any]]:
    if collection.validator is not None:
        yield from _schemas_in(collection.validator.query)


def _schemas_in(query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schemas that every document must satisfy."""
    if "$jsonSchema" in query:
        yield query["$jsonSchema"]
    for clause in query.get("$and", ()):
        yield from _schemas_in(clause)


def schema_types(schema: Mapping[str, Any]) -> Types:
    said = schema.get("bsonType", schema.get("type", ()))
    names: Iterable[str] = (said,) if isinstance(said, str) else said
    return tuple(_JSON_TYPES.get(name, name) for name in names)


def _locale(collection: Collection) -> str | None:
    locale: str | None = collection.options.get("collation", {}).get("locale")
    return locale
