"""Lookups as aggregation expressions with three values: true, false and null for UNKNOWN."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

from django.db.models.expressions import ExpressionList, Value
from django.db.models.fields.json import HasKeyLookup, KeyTransform
from django.db.models.lookups import Lookup

from djongo_services.schema.constraints import mql
from djongo_services.schema.constraints.columns import (
    ANY,
    BOOL,
    NotExpressible,
    field_of,
    kind,
    path,
)
from djongo_services.schema.constraints.functions import as_text
from djongo_services.schema.constraints.mql import (
    MQL,
    STRING,
    Compile,
    constant,
    strict,
)

COMPARISONS = {"exact": "$eq", "gt": "$gt", "gte": "$gte", "lt": "$lt", "lte": "$lte"}
TEXT_LOOKUPS = frozenset(
    {
        *("contains", "startswith", "endswith", "regex"),
        *("iexact", "icontains", "istartswith", "iendswith", "iregex"),
    }
)


def lookup_expression(lookup: Lookup[Any], compile_: Compile) -> MQL:
    """The lookup with its two sides as expressions."""
    name = lookup_name(lookup)
    lhs = lookup.lhs
    if name in COMPARISONS:
        return _comparison(COMPARISONS[name], lhs, lookup.rhs, compile_)
    if name in TEXT_LOOKUPS:
        return _text(lookup, name, compile_)
    match name:
        case "in":
            return _in(lhs, lookup.rhs, compile_)
        case "range":
            low, high = several(lookup.rhs)
            bounds = [("$gte", low), ("$lte", high)]
            return mql.all_of([_comparison(op, lhs, bound, compile_) for op, bound in bounds])
        case "isnull":
            return _is_null(lookup, compile_)
        case "has_key" | "has_keys" | "has_any_keys":
            return _has_keys(lookup, name, compile_)
    raise NotExpressible(f"the lookup {name!r} cannot be expressed in a validator")


def lookup_name(lookup: Lookup[Any]) -> str:
    """The name of one of Django's own lookups; others may mean anything.

    Raises NotExpressible for other lookups, and for those that Django itself treats differently for
    values inside JSON than for columns.
    """
    if not type(lookup).__module__.startswith("django.db.models."):
        raise NotExpressible(f"the lookup {lookup.lookup_name!r} is not Django's own")
    return str(lookup.lookup_name)


def pattern(name: str, value: str) -> str:
    """The regular expression that matches what the text lookup matches."""
    if name in ("regex", "iregex"):
        return pcre(value, ignore_case=name == "iregex")
    text = literal(value)
    start = "^" if name in ("iexact", "startswith", "istartswith") else ""
    # $ would allow a final newline.
    end = r"\z" if name in ("iexact", "endswith", "iendswith") else ""
    ucp = "(*UCP)" if ignores_case(name) else ""
    return f"{ucp}{start}{text}{end}"


def ignores_case(name: str) -> bool:
    return name.startswith("i")


def is_constant(rhs: Any) -> bool:
    return isinstance(rhs, Value) or not hasattr(rhs, "resolve_expression")


def constant_of(rhs: Any, compile_: Compile) -> Any:
    return compile_.value(rhs.value if isinstance(rhs, Value) else rhs)


def members_of(rhs: Any) -> list[Any]:
    """The members of an ``in`` lookup without NULL, which Django leaves out as well."""
    values = [item.value if isinstance(item, Value) else item for item in several(rhs)]
    return [value for value in values if value is not None]


def several(rhs: Any) -> list[Any]:
    """The values or expressions that ``in`` and ``range`` compare with."""
    if isinstance(rhs, ExpressionList):
        return list(rhs.get_source_expressions())
    if hasattr(rhs, "resolve_expression") or not hasattr(rhs, "__iter__"):
        raise NotExpressible("a query cannot be expressed in a validator")
    return list(rhs)


def _side(value: Any, compile_: Compile) -> MQL:
    return constant(constant_of(value, compile_)) if is_constant(value) else compile_(value)


def _comparison(operator: str, lhs: Any, rhs: Any, compile_: Compile) -> MQL:
    return strict(
        [_side(lhs, compile_), _side(rhs, compile_)],
        [_guard(lhs), _guard(rhs)],
        lambda a, b: {operator: [a, b]},
    )


def _guard(node: Any) -> str:
    # A condition that is compared with True is null if it is unknown, whatever its field.
    return BOOL if kind(field_of(node)) == BOOL else ANY


def _in(lhs: Any, rhs: Any, compile_: Compile) -> MQL:
    members = members_of(rhs)
    if not members:
        return False
    sides = [_side(member, compile_) for member in members]
    if all(is_constant(member) for member in members):
        return strict([compile_(lhs)], [ANY], lambda value: {"$in": [value, sides]})
    return mql.any_of([_comparison("$eq", lhs, member, compile_) for member in members])


def _is_null(lookup: Any, compile_: Compile) -> MQL:
    if not isinstance(lookup.rhs, bool):
        raise NotExpressible("isnull accepts only True or False")
    value = compile_(lookup.lhs)
    if isinstance(lookup.lhs, KeyTransform):
        # JSON's null is a value; only a missing key is NULL.
        missing: MQL = {"$eq": [{"$type": value}, "missing"]}
        return missing if lookup.rhs else {"$not": [missing]}
    return {"$lte": [value, None]} if lookup.rhs else {"$gt": [value, None]}


def _text(lookup: Any, name: str, compile_: Compile) -> MQL:
    text = as_text(lookup.lhs, compile_)
    options = "i" if ignores_case(name) else ""
    if is_constant(lookup.rhs):
        value = constant_of(lookup.rhs, compile_)
        if not isinstance(value, str):
            raise NotExpressible(f"the lookup {name!r} compares with text only")
        regex = constant(pattern(name, value))
        return strict(
            [text],
            [STRING],
            lambda a: {"$regexMatch": {"input": a, "regex": regex, "options": options}},
        )
    if name in ("regex", "iregex"):
        raise NotExpressible("a pattern from a column cannot be expressed in a validator")
    return strict(
        [text, as_text(lookup.rhs, compile_)],
        [STRING, STRING],
        lambda a, b: _compared_texts(name, a, b),
    )


def _compared_texts(name: str, text: MQL, part: MQL) -> MQL:
    """Compare two columns; ignoring case means that of ASCII letters."""
    if ignores_case(name):
        text, part, name = {"$toLower": text}, {"$toLower": part}, name.removeprefix("i")
    found = {"$indexOfCP": [text, part]}
    match name:
        case "exact":
            return {"$eq": [text, part]}
        case "contains":
            return {"$gte": [found, 0]}
        case "startswith":
            return {"$eq": [found, 0]}
    start = {"$subtract": [{"$strLenCP": text}, {"$strLenCP": part}]}
    ending = {"$substrCP": [text, {"$max": [start, 0]}, {"$strLenCP": part}]}
    return {"$and": [{"$gte": [start, 0]}, {"$eq": [ending, part]}]}


def _has_keys(lookup: Any, name: str, compile_: Compile) -> MQL:
    above = path(lookup.lhs, backend=compile_.backend)
    if not isinstance(lookup, HasKeyLookup) or above is None:
        raise NotExpressible(f"the lookup {name!r} cannot be expressed in a validator")
    keys = [lookup.rhs] if name == "has_key" else list(lookup.rhs)
    if any(not isinstance(key, str) or "." in key or key.startswith("$") for key in keys):
        raise NotExpressible("a key with a dot or a leading dollar cannot be used in a query")
    there = [{"$ne": [{"$type": f"${above}.{key}"}, "missing"]} for key in keys]
    connective = "$or" if name == "has_any_keys" else "$and"
    return strict([compile_(lookup.lhs)], [ANY], lambda _: {connective: there})


# Regular expressions of Python's `re` in the syntax of MongoDB's PCRE.
_PIECES = re.compile(
    r"""
    \\u[0-9a-fA-F]{4} | \\U[0-9a-fA-F]{8} | \\.  # one character
    | \(\?[aiLmsux]+(?:-[imsx]+)?[:)]            # flags
    | \{,\d*\}                                   # a repetition from zero
    | \[:                                        # a class of POSIX in a set
    | \[\^?\]?                                   # a set begins
    | .
    """,
    re.DOTALL | re.VERBOSE,
)
_UNICODE_CLASSES = {r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"\b", r"\B"}


def pcre(pattern: str, *, ignore_case: bool = False) -> str:
    """``pattern`` in a form with which PCRE finds what ``re.search`` finds.

    ``\\w``, ``\\d``, ``\\s`` and ``\\b`` support Unicode in Python, and in PCRE only after
    ``(*UCP)``; ``\\Z`` is the very end in Python, which PCRE writes ``\\z``. Raises NotExpressible
    for an invalid regular expression, for flags that PCRE lacks and for a NUL, which BSON's
    patterns cannot contain.
    """
    if "\0" in pattern:
        raise NotExpressible("a pattern with a NUL character cannot be stored")
    try:
        with warnings.catch_warnings():
            # Syntax that Python may change in the future is refused or treated as today.
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)
    except re.error as error:
        raise NotExpressible(f"{pattern!r} is not a regular expression: {error}") from None
    pieces = _PIECES.findall(pattern)
    translated = "".join(_translated(pieces))
    unicode_matters = ignore_case or not _UNICODE_CLASSES.isdisjoint(pieces)
    return f"(*UCP){translated}" if unicode_matters else translated


def literal(text: str) -> str:
    """A pattern that matches ``text`` itself."""
    if "\0" in text:
        raise NotExpressible("a pattern with a NUL character cannot be stored")
    return re.escape(text)


def _translated(pieces: list[str]) -> Iterator[str]:
    in_set = False
    for piece in pieces:
        if piece.startswith("\\") or piece == "[:":
            yield _translate(piece)
        elif in_set:
            in_set = piece[-1] != "]"
            yield piece
        else:
            in_set = piece.startswith("[")
            yield _translate(piece)


def _translate(piece: str) -> str:
    if piece.startswith("{,"):
        # In PCRE these are the characters themselves.
        return f"{{0{piece[1:]}"
    if piece[:2] in (r"\u", r"\U"):
        return rf"\x{{{piece[2:]}}}"
    if piece == "[:":
        raise NotExpressible("MongoDB reads [: in a regular expression as a class of characters")
    if piece == r"\Z":
        return r"\z"
    if piece.startswith("(?") and len(piece) > 2:
        flags = piece[2:-1].partition("-")[0]
        if set(flags) & set("aL"):
            raise NotExpressible(f"MongoDB has no flags {piece[2:-1]!r} in a regular expression")
        return piece.replace("u", "", 1) if "u" in flags and len(flags) > 1 else _plain(piece)
    return piece


def _plain(piece: str) -> str:
    # PCRE uses Unicode here in any case.
    return {"(?u)": "", "(?u:": "(?:"}.get(piece, piece)
