"""Conditions of partial indexes: a ``Q`` as ``partialFilterExpression``."""

from __future__ import annotations

import datetime as dt
from typing import Any

from bson import ObjectId
from django.db.models import Model
from django.db.models.lookups import Lookup
from django.db.models.sql.where import WhereNode

from djongo_services.bson_types import NUMBERS
from djongo_services.schema.constraints import NotExpressible, resolved
from djongo_services.schema.constraints.columns import field_of, path
from djongo_services.schema.constraints.expressions import Compiler
from djongo_services.schema.constraints.lookups import (
    COMPARISONS,
    constant_of,
    is_constant,
    lookup_name,
    members_of,
    several,
)
from djongo_services.schema.mapping.table import mapping_of, required_backend_connection

Filter = dict[str, Any]


def partial_filter(model: type[Model], condition: Any, *, backend: bool) -> Filter:
    """The filter of the documents for which ``condition`` is TRUE.

    MongoDB accepts equality, comparisons, ``$exists: true``, ``$type`` and ``$and``, from 6.0 on
    also ``$in`` and ``$or``. ``backend`` is what writes the documents. Raises NotExpressible for
    everything else.
    """
    return _filter(resolved(model, condition), Compiler(backend=backend))


def presence(field: Any, *, backend: bool) -> Filter:
    """The operators that match all values of the field, and no null.

    ``$exists`` would match explicit nulls. On the backend it is ``$type``, which is what its own
    5.2 writes; otherwise a bound if there is one, because the planner does not know that a query
    for a value satisfies ``$type``. Raises NotExpressible for a field of unknown types.
    """
    if field is not None and backend:
        return {"$type": field.db_type(required_backend_connection())}
    row = None if field is None else mapping_of(field)
    types = set() if row is None else set(row.plain.types)
    if not types:
        raise NotExpressible("an index cannot distinguish null from values of any type")
    if types <= NUMBERS:
        return {"$gte": float("-inf")}
    if len(types) > 1:
        return {"$type": sorted(types)}
    (name,) = types
    return {"$gte": _LOWEST[name]} if name in _LOWEST else {"$type": name}


_LOWEST: dict[str, Any] = {
    "string": "",
    "bool": False,
    "date": dt.datetime.min,
    "objectId": ObjectId("0" * 24),
}


def prefixed(query: Filter, prefix: str) -> Filter:
    """The same filter for an embedded document; ``prefix`` is its path with a dot."""
    if not prefix:
        return query
    return {
        name if name.startswith("$") else f"{prefix}{name}": [
            prefixed(part, prefix) for part in value
        ]
        if name.startswith("$")
        else value
        for name, value in query.items()
    }


def merged(*filters: Filter) -> Filter:
    """One filter for all; conditions on one path are combined unless they conflict."""
    result: Filter = {}
    apart: list[Filter] = []
    for each in filters:
        for name, operators in each.items():
            if name.startswith("$"):
                apart.append({name: operators})
            elif name not in result:
                result[name] = dict(operators)
            elif set(result[name]) & set(operators):
                apart.append({name: operators})
            else:
                result[name] = {**result[name], **operators}
    return {**result, "$and": apart} if apart else result


def _filter(node: Any, compiler: Compiler) -> Filter:
    match node:
        case WhereNode(negated=True):
            raise NotExpressible("a partial index has no negation")
        case WhereNode(connector="AND"):
            return merged(*(_filter(child, compiler) for child in node.children))
        case WhereNode(connector="OR"):
            return {"$or": [_filter(child, compiler) for child in node.children]}
        case Lookup():
            column = path(node.lhs, backend=compiler.backend)
            if column is not None:
                return {column: _operators(node, compiler)}
    name = type(node).__name__
    raise NotExpressible(f"a partial index compares columns with constants, it has no {name}")


def _operators(lookup: Lookup[Any], compiler: Compiler) -> Filter:
    name = lookup_name(lookup)
    match name:
        case "in":
            members = members_of(lookup.rhs)
            if members and all(is_constant(member) for member in members):
                return {"$in": [constant_of(member, compiler) for member in members]}
        case "range":
            low, high = several(lookup.rhs)
            if is_constant(low) and is_constant(high):
                return {"$gte": constant_of(low, compiler), "$lte": constant_of(high, compiler)}
        case "isnull":
            return _null(lookup, compiler)
        case _ if name in COMPARISONS and is_constant(lookup.rhs):
            return {COMPARISONS[name]: constant_of(lookup.rhs, compiler)}
    raise NotExpressible(f"a partial index has no form of the lookup {name!r}")


def _null(lookup: Any, compiler: Compiler) -> Filter:
    if lookup.rhs is True:
        return {"$eq": None}
    return presence(field_of(lookup.lhs), backend=compiler.backend)
