"""Condition trees as queries, in SQL's three-valued logic.

A condition is TRUE, FALSE or UNKNOWN. :func:`holds` builds the query for the documents for which it
has one wanted value, or is UNKNOWN if that is allowed too. Negations are pushed down to the
lookups, so each lookup is built for the value that it must have.

============  ==========================================  ======================================
Lookup        TRUE (or UNKNOWN)                           FALSE (or UNKNOWN)
============  ==========================================  ======================================
``a > 5``     ``{a: {$gt: 5}}`` (or ``{a: null}``)        ``{a: {$not: {$gt: 5}, $ne: null}}``
expressions   ``{$expr: {$eq: [e, true]}}``               ``{$expr: {$eq: [e, false]}}``
============  ==========================================  ======================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models.lookups import Lookup
from django.db.models.sql.where import AND, OR, NothingNode, WhereNode

from djongo_services.schema.constraints.columns import (
    STRING,
    NotExpressible,
    field_of,
    internal_type,
    is_scalar,
    kind,
    path,
)
from djongo_services.schema.constraints.lookups import (
    COMPARISONS,
    TEXT_LOOKUPS,
    constant_of,
    ignores_case,
    is_constant,
    lookup_name,
    members_of,
    pattern,
    several,
)
from djongo_services.schema.constraints.mql import Compile

Query = dict[str, Any]

EVERYTHING: Query = {}
NOTHING: Query = {"$nor": [{}]}


def holds(node: Any, compile_: Compile, *, wanted: bool = True, unknown: bool) -> Query:
    """The documents for which ``node`` is ``wanted``, or UNKNOWN if ``unknown`` allows it.

    ``node`` is a resolved condition: a WhereNode, a lookup or a boolean expression.
    """
    match node:
        case NothingNode():
            return EVERYTHING if not wanted else NOTHING
        case WhereNode():
            return _where(node, compile_, wanted != node.negated, unknown)
        case Lookup() if _is_in_nothing(node):
            return EVERYTHING if not wanted else NOTHING
        case Lookup():
            found = _simple_lookup(node, compile_)
            if found is not None:
                return _of_value(*found, wanted=wanted, unknown=unknown)
    operator, value = ("$ne", not wanted) if unknown else ("$eq", wanted)
    return {"$expr": {operator: [compile_(node), value]}}


def _where(node: WhereNode, compile_: Compile, wanted: bool, unknown: bool) -> Query:
    children = node.children
    if not children:
        return EVERYTHING if wanted else NOTHING
    if node.connector not in (AND, OR):
        return (_odd if wanted else _even)(children, compile_)
    parts = [holds(child, compile_, wanted=wanted, unknown=unknown) for child in children]
    return both(parts) if (node.connector == AND) == wanted else either(parts)


def _odd(children: Sequence[Any], compile_: Compile) -> Query:
    """Django's XOR: an odd number of conditions is TRUE, and UNKNOWN counts as not TRUE.

    It is split in halves: odd and even, or even and odd; so the query grows with the square of the
    number.
    """
    if len(children) == 1:
        return holds(children[0], compile_, unknown=False)
    half = len(children) // 2
    odd = [_odd(part, compile_) for part in (children[:half], children[half:])]
    even = [_even(part, compile_) for part in (children[:half], children[half:])]
    return either([both([odd[0], even[1]]), both([even[0], odd[1]])])


def _even(children: Sequence[Any], compile_: Compile) -> Query:
    if len(children) == 1:
        return holds(children[0], compile_, wanted=False, unknown=True)
    half = len(children) // 2
    odd = [_odd(part, compile_) for part in (children[:half], children[half:])]
    even = [_even(part, compile_) for part in (children[:half], children[half:])]
    return either([both(odd), both(even)])


def both(parts: Sequence[Query]) -> Query:
    """All of the queries; a nested ``$and`` is flattened."""
    flat: list[Query] = []
    for part in parts:
        flat += part["$and"] if list(part) == ["$and"] else [part]
    flat = [part for part in flat if part != EVERYTHING]
    if NOTHING in flat:
        return NOTHING
    return EVERYTHING if not flat else flat[0] if len(flat) == 1 else {"$and": flat}


def either(parts: Sequence[Query]) -> Query:
    flat: list[Query] = []
    for part in parts:
        flat += part["$or"] if list(part) == ["$or"] else [part]
    flat = [part for part in flat if part != NOTHING]
    if EVERYTHING in flat:
        return EVERYTHING
    return NOTHING if not flat else flat[0] if len(flat) == 1 else {"$or": flat}


def _is_in_nothing(lookup: Lookup[Any]) -> bool:
    """Whether it is ``IN ()``, which is FALSE for NULL as well."""
    return lookup_name(lookup) == "in" and not members_of(lookup.rhs)


def _simple_lookup(lookup: Lookup[Any], compile_: Compile) -> tuple[str, Query | bool] | None:
    """The column and the operators that are TRUE for its value; None if only ``$expr`` is possible.

    True and False instead of operators: ``isnull``, which is never UNKNOWN, or a constant.
    """
    column = path(lookup.lhs, backend=compile_.backend)
    field = field_of(lookup.lhs)
    if column is None or "." in column or not is_scalar(field):
        return None
    name = lookup_name(lookup)
    if name == "isnull" and isinstance(lookup.rhs, bool):
        return column, lookup.rhs
    if name == "in":
        members = members_of(lookup.rhs)
        if not all(is_constant(member) for member in members):
            return None
        return column, {"$in": [constant_of(member, compile_) for member in members]}
    if name == "range":
        return _simple_range(column, several(lookup.rhs), compile_)
    if not is_constant(lookup.rhs):
        return None
    value = constant_of(lookup.rhs, compile_)
    if name in COMPARISONS and value is not None:
        return column, {COMPARISONS[name]: value}
    if name in TEXT_LOOKUPS and kind(field) == STRING and internal_type(field) != "UUIDField":
        return _simple_text(column, name, value)
    return None


def _simple_text(column: str, name: str, value: Any) -> tuple[str, Query] | None:
    if isinstance(value, str):
        options = {"$options": "i"} if ignores_case(name) else {}
        return column, {"$regex": pattern(name, value), **options}
    return None


def _simple_range(
    column: str, bounds: Sequence[Any], compile_: Compile
) -> tuple[str, Query] | None:
    if not all(is_constant(bound) for bound in bounds):
        return None
    low, high = (constant_of(bound, compile_) for bound in bounds)
    if low is None or high is None:
        return None
    return column, {"$gte": low, "$lte": high}


def _of_value(column: str, true: Query | bool, *, wanted: bool, unknown: bool) -> Query:
    is_null, is_there = {column: None}, {column: {"$ne": None}}
    if isinstance(true, bool):
        return is_null if true == wanted else is_there
    if wanted:
        return either([{column: true}, is_null]) if unknown else {column: true}
    negative = {column: {"$not": true}}
    return negative if unknown else both([negative, is_there])


__all__ = ["EVERYTHING", "NOTHING", "NotExpressible", "Query", "both", "either", "holds"]
