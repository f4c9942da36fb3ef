"""Django's database functions as aggregation expressions, which return NULL for NULL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from django.db.models import Value
from django.db.models import functions as f

from djongo_services.schema.constraints.columns import (
    INTEGERS,
    NotExpressible,
    field_of,
    internal_type,
    kind,
)
from djongo_services.schema.constraints.dates import DATE_FUNCTIONS
from djongo_services.schema.constraints.mql import (
    ANY,
    MQL,
    NUMBER,
    STRING,
    Compile,
    strict,
)

Build: TypeAlias = Callable[[Any, Compile], MQL]


def _sources(node: Any, compile_: Compile) -> list[MQL]:
    return [compile_(source) for source in node.get_source_expressions() if source is not None]


def _simple(kind_: str, build: Callable[..., MQL], *also: MQL) -> Build:
    """A function all of whose arguments are of one kind."""

    def built(node: Any, compile_: Compile) -> MQL:
        arguments = _sources(node, compile_)
        return strict(arguments, [kind_] * len(arguments), build, *also)

    return built


def _number(operator: str, *also: MQL) -> Build:
    return _simple(NUMBER, lambda *arguments: {operator: list(arguments)}, *also)


def _coalesce(node: Any, compile_: Compile) -> MQL:
    *first, last = _sources(node, compile_)
    for argument in reversed(first):
        # With two arguments, which is all that MongoDB 4.4 knows.
        last = {"$ifNull": [argument, last]}
    return last


def _concat_pair(node: Any, compile_: Compile) -> MQL:
    """Concatenation, in which NULL is the empty string, as on every database of Django."""
    return {"$concat": [_text(source, compile_) for source in node.get_source_expressions()]}


def _text(source: Any, compile_: Compile) -> MQL:
    return {"$ifNull": [as_text(source, compile_), ""]}


def as_text(source: Any, compile_: Compile) -> MQL:
    """The value as text; null for values whose text differs between databases."""
    value = compile_(source)
    field = field_of(source)
    if internal_type(field) in INTEGERS:
        return strict([value], [NUMBER], lambda number: {"$toString": {"$toLong": number}})
    if internal_type(field) == "UUIDField" and not compile_.backend:
        raise NotExpressible("a UUID is stored as binary, without text to compare with")
    if kind(field) == STRING or (field is None and isinstance(getattr(source, "value", 0), str)):
        return strict([value], [STRING], lambda text: text)
    if kind(field) == ANY and hasattr(source, "key_name"):
        return strict([value], [STRING], lambda text: text)
    name = internal_type(field) or type(source).__name__
    raise NotExpressible(f"a {name} has no text to compare with")


def _substr(node: Any, compile_: Compile) -> MQL:
    """``Substr(text, position from 1, length)``; without a length, the remaining text."""
    arguments = _sources(node, compile_)
    if len(arguments) == 2:
        arguments.append(2**31 - 1)
    return strict(
        arguments,
        [STRING, NUMBER, NUMBER],
        lambda text, start, length: {
            "$substrCP": [
                text,
                {"$toInt": {"$subtract": [start, 1]}},
                {"$toInt": {"$min": [length, {"$strLenCP": text}]}},
            ]
        },
        {"$gte": ["$$a1", 1]},
        {"$gte": ["$$a2", 0]},
    )


def _left(node: Any, compile_: Compile) -> MQL:
    return _substr(node.get_substr(), compile_)


def _right(node: Any, compile_: Compile) -> MQL:
    text, length = node.get_source_expressions()
    return strict(
        [compile_(text), compile_(length)],
        [STRING, NUMBER],
        lambda t, n: {
            "$substrCP": [
                t,
                {"$toInt": {"$max": [{"$subtract": [{"$strLenCP": t}, n]}, 0]}},
                {"$strLenCP": t},
            ]
        },
        {"$gte": ["$$a1", 0]},
    )


def _null_if(node: Any, compile_: Compile) -> MQL:
    first, second = _sources(node, compile_)
    variables = {"a": first, "b": second}
    return {"$let": {"vars": variables, "in": {"$cond": [_equal("$$a", "$$b"), None, "$$a"]}}}


def _equal(one: MQL, other: MQL) -> MQL:
    return {"$and": [{"$gt": [one, None]}, {"$eq": [one, other]}]}


def _round(node: Any, compile_: Compile) -> MQL:
    """Rounding half away from zero, as in SQL; MongoDB's ``$round`` rounds half to even."""
    number, *rest = node.get_source_expressions()
    places = rest[0].value if rest and isinstance(rest[0], Value) else 0
    if rest and not isinstance(rest[0], Value):
        raise NotExpressible("Round needs a constant precision")
    scale = 10 ** abs(places)
    up, down = ("$multiply", "$divide") if places >= 0 else ("$divide", "$multiply")

    def build(value: MQL) -> MQL:
        half_up = {"$floor": {"$add": [{up: [{"$abs": value}, scale]}, 0.5]}}
        sign = {"$cond": [{"$lt": [value, 0]}, -1, 1]}
        return {"$multiply": [sign, {down: [half_up, scale]}]}

    return strict([compile_(number)], [NUMBER], build)


_CASTS = {
    **dict.fromkeys(INTEGERS, "long"),
    "FloatField": "double",
    "DecimalField": "decimal",
}


def _cast(node: Any, compile_: Compile) -> MQL:
    source = node.get_source_expressions()[0]
    name = internal_type(node.output_field)
    if name in ("CharField", "TextField"):
        text = as_text(source, compile_)
        length = node.output_field.max_length
        if length is None:
            return text
        return strict([text], [STRING], lambda value: {"$substrCP": [value, 0, length]})
    if name not in _CASTS or kind(field_of(source)) not in (NUMBER, STRING):
        raise NotExpressible(f"Cast to {name} cannot be expressed in a validator")
    convert = {"input": compile_(source), "to": _CASTS[name], "onError": None, "onNull": None}
    return {"$convert": convert}


def _replace(text: MQL, find: MQL, replacement: MQL) -> MQL:
    return {"$replaceAll": {"input": text, "find": find, "replacement": replacement}}


_NOT_ZERO_SECOND = {"$ne": ["$$a1", 0]}
_POSITIVE = {"$gt": ["$$a0", 0]}

FUNCTIONS: Mapping[type[Any], Build] = {
    f.Abs: _number("$abs"),
    f.Ceil: _number("$ceil"),
    f.Floor: _number("$floor"),
    f.Exp: _number("$exp"),
    f.Ln: _number("$ln", _POSITIVE),
    f.Log: _simple(
        NUMBER,
        lambda base, number: {"$log": [number, base]},
        {"$gt": ["$$a0", 0]},
        {"$ne": ["$$a0", 1]},
        {"$gt": ["$$a1", 0]},
    ),
    f.Mod: _number("$mod", _NOT_ZERO_SECOND),
    f.Power: _simple(
        NUMBER,
        lambda base, power: {"$pow": [base, power]},
        {"$or": [{"$ne": ["$$a0", 0]}, {"$gte": ["$$a1", 0]}]},
    ),
    f.Round: _round,
    f.Sign: _simple(NUMBER, lambda x: {"$cmp": [x, 0]}),
    f.Sqrt: _number("$sqrt", {"$gte": ["$$a0", 0]}),
    f.Lower: _simple(STRING, lambda text: {"$toLower": text}),
    f.Upper: _simple(STRING, lambda text: {"$toUpper": text}),
    f.Length: _simple(STRING, lambda text: {"$strLenCP": text}),
    f.Trim: _simple(STRING, lambda text: {"$trim": {"input": text, "chars": " "}}),
    f.LTrim: _simple(STRING, lambda text: {"$ltrim": {"input": text, "chars": " "}}),
    f.RTrim: _simple(STRING, lambda text: {"$rtrim": {"input": text, "chars": " "}}),
    f.Replace: _simple(STRING, _replace, {"$ne": ["$$a1", ""]}),
    f.StrIndex: _simple(STRING, lambda text, part: {"$add": [{"$indexOfCP": [text, part]}, 1]}),
    f.Substr: _substr,
    f.Left: _left,
    f.Right: _right,
    f.Concat: lambda node, compile_: _sources(node, compile_)[0],
    f.ConcatPair: _concat_pair,
    f.Coalesce: _coalesce,
    f.Greatest: _simple(ANY, lambda *arguments: {"$max": list(arguments)}),
    f.Least: _simple(ANY, lambda *arguments: {"$min": list(arguments)}),
    f.NullIf: _null_if,
    f.Cast: _cast,
    f.Now: lambda node, compile_: "$$NOW",
    **DATE_FUNCTIONS,
}
"""By exact class: a subclass may have a template of its own, which is unknown here."""
