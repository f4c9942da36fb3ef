"""Django expressions, resolved against a model, as aggregation expressions.

The result has the SQL value of the expression; ``null`` represents NULL and, if the expression is a
condition, UNKNOWN. What has no faithful form raises
:class:`~djongo_services.schema.constraints.columns.NotExpressible`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from bson import Binary, Decimal128, ObjectId
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
from django.utils.functional import Promise

from djongo_services.schema.constraints import mql
from djongo_services.schema.constraints.columns import (
    INTEGERS,
    NotExpressible,
    field_of,
    internal_type,
    kind,
    path,
)
from djongo_services.schema.constraints.functions import FUNCTIONS
from djongo_services.schema.constraints.lookups import lookup_expression
from djongo_services.schema.constraints.mql import (
    DATE,
    MQL,
    NUMBER,
    Compile,
    constant,
    strict,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiler:
    """Builds the aggregation expression of a resolved Django expression or lookup."""

    backend: bool

    def __call__(self, node: Any) -> MQL:
        return _expression(node, self)

    def value(self, value: Any) -> Any:
        return bson_value(value, backend=self.backend)


def _expression(node: Any, compile_: Compile) -> MQL:
    if (found := path(node, backend=compile_.backend)) is not None:
        return f"${found}"
    match node:
        case Value():
            return constant(compile_.value(node.value))
        case WhereNode() | NothingNode() | Lookup() | NegatedExpression():
            return _condition(node, compile_)
        case ExpressionWrapper():
            return compile_(node.expression)
        case CombinedExpression():
            return _combined(node, compile_)
        case Case():
            return _case(node, compile_)
    build = FUNCTIONS.get(type(node))
    if build is not None:
        return build(node, compile_)
    if not hasattr(node, "resolve_expression"):
        return constant(compile_.value(node))
    raise NotExpressible(f"{type(node).__name__} cannot be expressed in a validator")


def _condition(node: Any, compile_: Compile) -> MQL:
    match node:
        case WhereNode():
            return _where(node, compile_)
        case NegatedExpression():
            return mql.negation(compile_(node.expression))
        case Lookup():
            return lookup_expression(node, compile_)
        case _:
            return False


def _where(node: WhereNode, compile_: Compile) -> MQL:
    parts = [compile_(child) for child in node.children]
    if not parts:
        whole: MQL = True
    elif node.connector == AND:
        whole = mql.all_of(parts)
    elif node.connector == OR:
        whole = mql.any_of(parts)
    else:
        whole = mql.odd(parts)
    return mql.negation(whole) if node.negated else whole


def _case(node: Case, compile_: Compile) -> MQL:
    branches = [
        {"case": {"$eq": [compile_(when.condition), True]}, "then": compile_(when.result)}
        for when in node.cases
    ]
    default = compile_(node.default)
    return {"$switch": {"branches": branches, "default": default}} if branches else default


_ARITHMETIC = {Combinable.MUL: "$multiply", Combinable.POW: "$pow"}


def _combined(node: CombinedExpression, compile_: Compile) -> MQL:
    arguments = [compile_(node.lhs), compile_(node.rhs)]
    kinds = [_operand_kind(side, compile_) for side in (node.lhs, node.rhs)]
    match node.connector:
        case Combinable.ADD | Combinable.SUB:
            operator = "$add" if node.connector == Combinable.ADD else "$subtract"
            return _sum(operator, arguments, kinds, compile_)
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
    raise NotExpressible(f"the operator {node.connector} cannot be expressed in a validator")


def _sum(operator: str, arguments: list[MQL], kinds: list[str], compile_: Compile) -> MQL:
    """The server's operators accept and return durations in milliseconds."""
    if compile_.backend or DATE not in kinds:
        return strict(arguments, kinds, lambda a, b: {operator: [a, b]})
    if kinds == [DATE, DATE]:
        return strict(arguments, kinds, lambda a, b: {"$multiply": [{operator: [a, b]}, 1000]})

    def build(*sides: MQL) -> MQL:
        return {
            operator: [
                side if kind_ == DATE else {"$divide": [side, 1000]}
                for side, kind_ in zip(sides, kinds, strict=True)
            ]
        }

    return strict(arguments, kinds, build)


def _divided(dividend: MQL, divisor: MQL, whole: bool) -> MQL:
    # SQL divides whole numbers without a remainder.
    quotient = {"$divide": [dividend, divisor]}
    return {"$trunc": [quotient]} if whole else quotient


def _operand_kind(node: Any, compile_: Compile) -> str:
    """The kind of an operand: numbers, and the dates that durations are added to."""
    field = field_of(node)
    found = kind(field)
    is_text = internal_type(field) == "TimeField" and not compile_.backend
    if found in (mql.STRING, mql.BOOL) or is_text:
        raise NotExpressible("arithmetic needs numbers, dates or durations")
    return NUMBER if found == mql.ANY else found


def _is_integer(node: Any) -> bool:
    field = field_of(node)
    if field is None and isinstance(node, Value):
        return isinstance(node.value, int)
    return internal_type(field) in INTEGERS


# Python values of lookups as the BSON values in documents.
#
# django-mongodb-backend 5.2 and 6.x write a time as a BSON date on 0001-01-01, a duration in
# milliseconds and a UUID as 32 hexadecimal digits; `to_document` of mapping writes ISO 8601,
# microseconds and a binary of subtype 4.
_LONG = range(-(2**63), 2**63)
_MILLISECOND = dt.timedelta(milliseconds=1)
_MICROSECOND = dt.timedelta(microseconds=1)


def bson_value(value: Any, *, backend: bool) -> Any:
    """``value`` as it is stored; raises NotExpressible for a type that BSON does not have.

    Instances of subclasses (choices, ``SafeString``) become their plain types; dates are truncated
    to milliseconds, as in the server.
    """
    match value:
        case None | bool() | float() | ObjectId() | Decimal128() | Binary():
            return value
        case Promise() | str():
            return "".join(str(value))
        case int():
            if value not in _LONG:
                raise NotExpressible(f"{value} is beyond the 64 bits of a long")
            return int(value)
        case Decimal():
            return _decimal(value)
        case dt.date() | dt.time() | dt.timedelta():
            return _temporal(value, backend=backend)
        case UUID():
            return value.hex if backend else Binary.from_uuid(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case list() | tuple():
            return [bson_value(item, backend=backend) for item in value]
        case Mapping():
            return {str(key): bson_value(item, backend=backend) for key, item in value.items()}
    raise NotExpressible(f"a {type(value).__name__} has no BSON type")


def _decimal(value: Decimal) -> Decimal128:
    try:
        return Decimal128(value)
    except InvalidOperation:
        raise NotExpressible(f"{value} has more digits than Decimal128 keeps") from None


def _temporal(value: dt.date | dt.time | dt.timedelta, *, backend: bool) -> Any:
    match value:
        case dt.datetime():
            if value.tzinfo is not None:
                value = value.astimezone(dt.UTC).replace(tzinfo=None)
            return value.replace(microsecond=value.microsecond // 1000 * 1000)
        case dt.date():
            return dt.datetime(value.year, value.month, value.day)
        case dt.time():
            clock = value.replace(tzinfo=None)
            if not backend:
                return clock.isoformat()
            return _temporal(dt.datetime.combine(dt.date.min, clock), backend=True)
        case _ if backend:
            milliseconds = value / _MILLISECOND
            return int(milliseconds) if milliseconds.is_integer() else milliseconds
        case _:
            return value // _MICROSECOND
