"""Small aggregation expressions that handle SQL's NULL.

In these expressions ``null`` (and a missing field) represents NULL and UNKNOWN. Operators of the
server raise errors for values of the wrong type, and an error in a validator refuses the write; so
arguments are checked first, and a wrong type gives ``null``: the collection's ``$jsonSchema`` is
what checks types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from djongo_services.schema.constraints.columns import (
    ANY,
    BOOL,
    DATE,
    NUMBER,
    STRING,
)

MQL = Any
"""A document, list or scalar of the aggregation language."""


class Compile(Protocol):
    """Builds the expression of a Django expression, and the BSON of a Python value."""

    @property
    def backend(self) -> bool:
        """Whether django-mongodb-backend writes the documents, and not ``to_document``."""

    def __call__(self, node: Any) -> MQL: ...

    def value(self, value: Any) -> Any: ...


def constant(value: Any) -> MQL:
    """A BSON value as an expression in which nothing can be mistaken for an operator or path."""
    if isinstance(value, (dict, list)) or (isinstance(value, str) and value.startswith("$")):
        return {"$literal": value}
    return value


def fits(argument: MQL, kind: str) -> MQL:
    """Whether the argument is a value of the kind, and not null."""
    match kind:
        case "number":
            return {"$isNumber": argument}
        case "string" | "date" | "bool":
            return {"$eq": [{"$type": argument}, kind]}
        case _:
            # Missing and null are the smallest values except MinKey.
            return {"$gt": [argument, None]}


def strict(
    arguments: Sequence[MQL], kinds: Sequence[str], build: Callable[..., MQL], *also: MQL
) -> MQL:
    """``build(*arguments)``, or null if an argument is null or not of its kind.

    ``also`` are further conditions over the variables ``$$a0``, ``$$a1``, ...
    """
    names = [f"$$a{number}" for number in range(len(arguments))]
    guards = [fits(name, kind) for name, kind in zip(names, kinds, strict=True)]
    guarded = {"$cond": [{"$and": [*guards, *also]}, build(*names), None]}
    variables = {name[2:]: argument for name, argument in zip(names, arguments, strict=True)}
    return {"$let": {"vars": variables, "in": guarded}}


def all_of(parts: Sequence[MQL]) -> MQL:
    """SQL's AND: false if any part is false, otherwise null if any is null."""
    return _connected(parts, decisive=False)


def any_of(parts: Sequence[MQL]) -> MQL:
    return _connected(parts, decisive=True)


def negation(part: MQL) -> MQL:
    return strict([part], [BOOL], lambda value: {"$not": [value]})


def odd(parts: Sequence[MQL]) -> MQL:
    """Django's XOR: whether an odd number of parts is true; UNKNOWN counts as not true."""
    ones = [{"$cond": [{"$eq": [part, True]}, 1, 0]} for part in parts]
    return {"$eq": [{"$mod": [{"$add": ones}, 2]}, 1]}


def _connected(parts: Sequence[MQL], *, decisive: bool) -> MQL:
    if len(parts) == 1:
        return parts[0]
    # The array turns a missing value into null.
    unknown = {"$cond": [{"$in": [None, "$$all"]}, None, not decisive]}
    return {
        "$let": {
            "vars": {"all": list(parts)},
            "in": {"$cond": [{"$in": [decisive, "$$all"]}, decisive, unknown]},
        }
    }


__all__ = [
    "ANY",
    "BOOL",
    "DATE",
    "MQL",
    "NUMBER",
    "STRING",
    "Compile",
    "all_of",
    "any_of",
    "constant",
    "fits",
    "negation",
    "odd",
    "strict",
]
