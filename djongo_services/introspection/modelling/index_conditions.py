"""Partial filters as ``Q``, where the index classes make the same filter of it again."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

from bson import Decimal128, ObjectId

from djongo_services.introspection.modelling.declarations import Call, Value
from djongo_services.introspection.modelling.index_fields import IndexField, IndexFields

_LOOKUPS = {
    "$eq": "exact",
    "$gt": "gt",
    "$gte": "gte",
    "$lt": "lt",
    "$lte": "lte",
    "$in": "in",
}
_ANY_VALUE = {"BSONField"}
_WHOLE_NUMBERS = {"models.BigIntegerField", "models.IntegerField", "models.SmallIntegerField"}
_DECIMALS = {"Decimal128Field", "models.DecimalField"}


def condition(partial: Mapping[str, Any], fields: IndexFields) -> Call | None:
    """None where no ``Q`` makes this filter."""
    lookups: dict[str, Value] = {}
    for path, condition in partial.items():
        found = fields.find(path)
        if found is None or "." in path or path.startswith("$"):
            return None
        for operator, value in _operators(condition).items():
            lookup = _lookup(found, operator, value)
            if lookup is None or lookup[0] in lookups:
                return None
            lookups[lookup[0]] = lookup[1]
    return Call(function="models.Q", kwargs=tuple(lookups.items())) if lookups else None


def is_presence(condition: Any, field: IndexField) -> bool:
    """Whether the condition is what the backend makes of "not null" for the field."""
    if field.type is None or not isinstance(condition, Mapping):
        return False
    by_bound = field.type == "string" and dict(condition) == {"$gte": ""}
    return by_bound or dict(condition) == {"$type": field.type}


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
    """What the field turns into this very value; None if nothing does."""
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
        case str() if function in {"models.CharField", "models.TextField", *_ANY_VALUE}:
            return value
        case Decimal128() if function in _DECIMALS and value.to_decimal().is_finite():
            return str(value)
        case ObjectId() if function in {"ObjectIdField", "ObjectIdAutoField"}:
            return str(value)
        case dt.datetime() if function == "models.DateTimeField":
            aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
            return aware.astimezone(dt.UTC).isoformat()
    return None
