"""The paths and partial filters of indexes in terms of the declared classes.

A filter becomes a ``Q`` if the index classes create the same filter from it.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson import Decimal128, ObjectId

from djongo_services.bson_ranges import whole_range
from djongo_services.bson_types import NUMBERS
from djongo_services.introspection.modelling.declarations import (
    Call,
    ClassDeclaration,
    ClassReference,
    FieldDeclaration,
    Value,
)
from djongo_services.introspection.modelling.types import FIELD_TYPES

RELATIONS = frozenset({"models.ForeignKey", "models.OneToOneField"})
_EMBEDDING = frozenset({"EmbeddedModelField", "EmbeddedModelArrayField"})


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexField:
    """The field at a path."""

    name: str
    """The name that the index classes accept: ``address.city``."""
    call: Call | None
    """The call that creates the field; None inside of values that have no class."""
    type: str | None
    """The BSON type that the backend assumes for its values."""
    null: bool = False
    """Whether it may be null."""
    backend: bool = True
    """Whether django-mongodb-backend writes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexFields:
    """The fields of one class."""

    fields: Mapping[str, FieldDeclaration]
    """Fields by their key in documents, including ``_id``."""
    embedded: Mapping[str, ClassDeclaration]
    """Embedded classes by name."""
    key_types: Mapping[str, str]
    """The BSON types of relations, by key."""
    backend: bool = True
    """Whether django-mongodb-backend creates the indexes, whose unique ones exclude nulls also if
    the field is never null."""

    def find(self, path: str) -> IndexField | None:
        """The field at a path of the documents; None if the classes have none."""
        first, *rest = path.split(".")
        found = self.fields.get(first)
        if found is None:
            return None
        names, call = [found.name], found.call
        inner: Call | None = call
        for part in rest:
            inner = _element(inner)
            if inner is None or inner.function not in _EMBEDDING:
                # What is inside has the same names as in the documents.
                names.append(part)
                inner = None
                continue
            member = self._member(inner, part)
            if member is None:
                return None
            names.append(member.name)
            inner = member.call
        null = inner is None or bool(dict(inner.kwargs).get("null"))
        name = ".".join(names)
        kind = self._type(first, inner)
        return IndexField(name=name, call=inner, type=kind, null=null, backend=self.backend)

    def _member(self, embedding: Call, key: str) -> FieldDeclaration | None:
        (reference, *_) = embedding.args
        assert isinstance(reference, ClassReference)
        fields = self.embedded[reference.name].fields
        return next((found for found in fields if _column(found) == key), None)

    def _type(self, key: str, call: Call | None) -> str | None:
        if call is None:
            return None
        return (
            self.key_types.get(key)
            if call.function in RELATIONS
            else FIELD_TYPES.get(call.function)
        )


def _element(call: Call | None) -> Call | None:
    """The elements of an ArrayField; paths go through arrays implicitly."""
    while call is not None and call.function == "ArrayField":
        element = call.args[0]
        call = element if isinstance(element, Call) else None
    return call


def _column(declaration: FieldDeclaration) -> str:
    if declaration.call.function == "ObjectIdAutoField":
        return "_id"
    column = dict(declaration.call.kwargs).get("db_column", declaration.name)
    assert isinstance(column, str)
    return column


# Partial filters as ``Q``, if the index classes create the same filter from it.
_LOOKUPS = {
    "$eq": "exact",
    "$gt": "gt",
    "$gte": "gte",
    "$lt": "lt",
    "$lte": "lte",
    "$in": "in",
}
_RANGES: tuple[set[str], ...] = ({"$gte"}, {"$gte", "$lte"}, {"$in"})
_WITH_A_LOWEST = frozenset({"string", "objectId", "bool", "date"})
_ANY_VALUE = {"BSONField"}
_WHOLE_NUMBERS = {
    "models.BigIntegerField",
    "models.IntegerField",
    "models.PositiveBigIntegerField",
    "models.PositiveIntegerField",
    "models.PositiveSmallIntegerField",
    "models.SmallIntegerField",
}
_TEXTS = {"models.CharField", "models.SlugField", "models.TextField"}
_DECIMALS = {"Decimal128Field", "models.DecimalField"}


def condition(partial: Mapping[str, Any], fields: IndexFields) -> Call | None:
    """The ``Q`` for this filter; None if there is none."""
    lookups: dict[str, Value] = {}
    for path, condition in partial.items():
        found = fields.find(path)
        if found is None or "." in path or path.startswith("$"):
            return None
        if is_presence(condition, found):
            lookups[f"{found.name}__isnull"] = False
            continue
        for operator, value in _operators(condition).items():
            lookup = _lookup(found, operator, value)
            if lookup is None or lookup[0] in lookups:
                return None
            lookups[lookup[0]] = lookup[1]
    return Call(function="models.Q", kwargs=tuple(lookups.items())) if lookups else None


def is_presence(condition: Any, field: IndexField) -> bool:
    """Whether the condition is the translation of "not null" for the field.

    On the backend that is the type that it writes, or the range of this type. Elsewhere it is the
    lowest value of a type; a number has several of these, and a value of any type has none.
    """
    if field.type is None or not isinstance(condition, Mapping):
        return False
    stated = dict(condition)
    if field.type in NUMBERS and not field.backend:
        return stated == {"$gte": -math.inf}
    if not field.backend and field.type not in {*_WITH_A_LOWEST, "binData"}:
        return False
    by_range = stated.keys() in _RANGES and whole_range(stated) == field.type
    return by_range or stated == {"$type": field.type}


def _operators(condition: Any) -> Mapping[str, Any]:
    is_query = isinstance(condition, Mapping) and any(str(key)[:1] == "$" for key in condition)
    return condition if is_query else {"$eq": condition}


def _lookup(field: IndexField, operator: str, value: Any) -> tuple[str, Value] | None:
    if is_presence({operator: value}, field):
        return f"{field.name}__isnull", False
    if operator not in _LOOKUPS:
        return None
    if operator == "$eq" and value is None:
        return f"{field.name}__isnull", True
    if operator == "$in":
        members = [_literal(field, item) for item in value]
        return None if None in members else (f"{field.name}__in", members)
    said = _literal(field, value)
    return None if said is None else (f"{field.name}__{_LOOKUPS[operator]}", said)


def _literal(field: IndexField, value: Any) -> Value:
    """The value that the field converts to exactly this one; None if there is none."""
    function = None if field.call is None else field.call.function
    match value:
        case bool() if function in {"models.BooleanField", *_ANY_VALUE}:
            return value
        case bool():
            return None
        case int() if function in {*_WHOLE_NUMBERS, "models.FloatField", *_ANY_VALUE}:
            return int(value)
        case float() if function == "models.FloatField" and math.isfinite(value):
            return int(value) if value.is_integer() else repr(value)
        case float() if function in _WHOLE_NUMBERS and value.is_integer():
            return int(value)
        case str() if function in {*_TEXTS, *_ANY_VALUE}:
            return value
        case Decimal128() if function in _DECIMALS and value.to_decimal().is_finite():
            return str(value)
        case ObjectId() if function in {"BSONObjectIdField", "ObjectIdField", "ObjectIdAutoField"}:
            return str(value)
        case dt.datetime() if function == "models.DateTimeField":
            aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
            return aware.astimezone(dt.UTC).isoformat()
    return None
