"""Django expressions, resolved against a model, as aggregation expressions.

The value of what is built is the SQL value of the expression; ``null`` stands for NULL and, where
the expression is a condition, for UNKNOWN. What has no faithful form raises
:class:`~djongo_services.schema.constraints.refusal.NotExpressible`.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Value
from django.db.models.expressions import (
    Case,
    Combinable,
    CombinedExpression,
    ExpressionWrapper,
    NegatedExpression,
)
from django.db.models.lookups import Lookup
from django.db.models.sql.where import AND, OR, NothingNode, WhereNode

from djongo_services.schema.constraints import mql
from djongo_services.schema.constraints.columns import INTEGERS, field_of, internal_type, kind, path
from djongo_services.schema.constraints.functions import FUNCTIONS
from djongo_services.schema.constraints.lookups import lookup_expression
from djongo_services.schema.constraints.mql import MQL, NUMBER, constant, strict
from djongo_services.schema.constraints.refusal import NotExpressible
from djongo_services.schema.constraints.values import bson_value


def expression(node: Any) -> MQL:
    """The aggregation expression of a resolved Django expression or lookup."""
    if (found := path(node)) is not None:
        return f"${found}"
    match node:
        case Value():
            return constant(bson_value(node.value))
        case WhereNode() | NothingNode() | Lookup() | NegatedExpression():
            return _condition(node)
        case ExpressionWrapper():
            return expression(node.expression)
        case CombinedExpression():
            return _combined(node)
        case Case():
            return _case(node)
    build = FUNCTIONS.get(type(node))
    if build is not None:
        return build(node, expression)
    if not hasattr(node, "resolve_expression"):
        return constant(bson_value(node))
    raise NotExpressible(f"{type(node).__name__} has no form in a validator")


def _condition(node: Any) -> MQL:
    match node:
        case WhereNode():
            return _where(node)
        case NegatedExpression():
            return mql.negation(expression(node.expression))
        case Lookup():
            return lookup_expression(node, expression)
        case _:
            return False


def _where(node: WhereNode) -> MQL:
    parts = [expression(child) for child in node.children]
    if not parts:
        whole: MQL = True
    elif node.connector == AND:
        whole = mql.all_of(parts)
    elif node.connector == OR:
        whole = mql.any_of(parts)
    else:
        whole = mql.odd(parts)
    return mql.negation(whole) if node.negated else whole


def _case(node: Case) -> MQL:
    branches = [
        {"case": {"$eq": [expression(when.condition), True]}, "then": expression(when.result)}
        for when in node.cases
    ]
    default = expression(node.default)
    return {"$switch": {"branches": branches, "default": default}} if branches else default


_ARITHMETIC = {Combinable.MUL: "$multiply", Combinable.POW: "$pow"}


def _combined(node: CombinedExpression) -> MQL:
    arguments = [expression(node.lhs), expression(node.rhs)]
    kinds = [_operand_kind(node.lhs), _operand_kind(node.rhs)]
    match node.connector:
        case Combinable.ADD | Combinable.SUB:
            operator = "$add" if node.connector == Combinable.ADD else "$subtract"
            return strict(arguments, kinds, lambda a, b: {operator: [a, b]})
        case Combinable.DIV:
            whole = all(_is_integer(side) for side in (node.lhs, node.rhs))
            return strict(
                arguments, kinds, lambda a, b: _divided(a, b, whole), {"$ne": ["$$a1", 0]}
            )
        case Combinable.MOD:
            return strict(arguments, kinds, lambda a, b: {"$mod": [a, b]}, {"$ne": ["$$a1", 0]})
        case Combinable.MUL | Combinable.POW:
            operator = _ARITHMETIC[node.connector]
            return strict(arguments, [NUMBER, NUMBER], lambda a, b: {operator: [a, b]})
    raise NotExpressible(f"the operator {node.connector} has no form in a validator")


def _divided(dividend: MQL, divisor: MQL, whole: bool) -> MQL:
    # SQL divides whole numbers without a remainder.
    quotient = {"$divide": [dividend, divisor]}
    return {"$trunc": [quotient]} if whole else quotient


def _operand_kind(node: Any) -> str:
    """Numbers, and the dates to and from which durations are added."""
    found = kind(field_of(node))
    if found in (mql.STRING, mql.BOOL):
        raise NotExpressible("arithmetic needs numbers, dates or durations")
    return NUMBER if found == mql.ANY else found


def _is_integer(node: Any) -> bool:
    field = field_of(node)
    if field is None and isinstance(node, Value):
        return isinstance(node.value, int)
    return internal_type(field) in INTEGERS
