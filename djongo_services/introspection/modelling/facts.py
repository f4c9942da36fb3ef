"""Facts about a profiled field, as the choice of a Django field needs them."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from bson import DatetimeMS, Decimal128

from djongo_services.bson_types import binary_type
from djongo_services.introspection.modelling.stated import StatedField
from djongo_services.introspection.path import ELEMENT, KEY
from djongo_services.introspection.report import Coverage, Field

JSON_TYPES = frozenset({"double", "string", "object", "array", "bool", "null", "int"})
"""Types that survive a JSONField: it passes values through JSON text, which turns long into int."""
TEXT_TYPES = frozenset({"string", "symbol"})
UNWRITABLE = frozenset({"undefined", "dbPointer", "symbol"})
"""Deprecated types that PyMongo reads as something else and cannot write."""
MOST_CHOICES = 16
LONGEST_CHOICE = 100
"""In characters; longer values are texts (and profiling may compare only their beginning)."""
FEWEST_OF_ONE_LENGTH = 20
"""The number of strings that must have the same length before it counts as a rule."""
_TEXT_LENGTHS = (10, 20, 30, 50, 100, 150, 200, 255)


def kinds(field: Field) -> frozenset[str]:
    """Its types without null."""
    return frozenset(field.types) - {"null"}


def nullable(field: Field) -> bool:
    """Whether a document may have no value there.

    A text that the schema of a collection does not require, but that is never null, is empty.
    """
    if isinstance(field, StatedField) and not field.takes_null:
        return field.missing > 0 and not (field.may_be_empty and kinds(field) == {"string"})
    return field.missing > 0 or field.null > 0


def spread(field: Field, *, counted: bool) -> str:
    """The number of each type, most frequent first: ``25 int, 3 double``."""
    told = []
    for name, found in field.types.items():
        if name != "null":
            share = f"{100 * found.count / max(field.present - field.null, 1):.0f} %"
            told.append(f"{f'{found.count:,}' if counted else share} {name}")
    return ", ".join(told)


def counted(coverage: Coverage) -> bool:
    """Whether "never missing" is a fact and not an estimate.

    It is a fact for a small collection at any depth, because that is read completely.
    """
    whole = coverage.margin is None and coverage.examined >= coverage.documents
    return coverage.reached == "exact" or whole


def json_safe(field: Field) -> bool:
    """Whether every value below can be converted to JSON text and back unchanged."""
    return all(set(found.types) <= JSON_TYPES and _known(found) for found in field.walk())


def unwritable(field: Field) -> tuple[str, ...]:
    """Types at or below the field that PyMongo cannot write back."""
    return tuple(sorted({name for found in field.walk() for name in found.types} & UNWRITABLE))


def element(field: Field) -> Field | None:
    """The elements of the arrays at the field."""
    return next((child for child in field.children if child.path[-1] is ELEMENT), None)


def members(field: Field) -> tuple[Field, ...]:
    """The fields of the objects at the field."""
    return tuple(child for child in field.children if isinstance(child.path[-1], str))


def key(field: Field) -> str:
    """Its name in documents; empty for elements and keys of maps."""
    step = field.path[-1]
    return step if isinstance(step, str) else ""


def is_map(field: Field) -> bool:
    return field.map is not None or any(child.path[-1] is KEY for child in field.children)


def described(field: Field) -> str:
    """Its types, most frequent first: ``array or string``."""
    names = [name for name in field.types if name != "null"]
    match names:
        case []:
            return "null"
        case [only]:
            return only
        case _:
            return f"{', '.join(names[:-1])} or {names[-1]}"


def text_length(field: Field) -> int | None:
    """A ``max_length`` that fits every string; None if not all were measured, or it exceeds 255.

    The exact length if all strings share it, otherwise the next of a few round numbers.
    """
    if isinstance(field, StatedField):
        return field.max_length
    values = field.values
    if values is None or not values.exact or values.longest is None:
        return None
    strings = field.types["string"].count if "string" in field.types else 0
    if values.shortest == values.longest <= _TEXT_LENGTHS[-1] and strings >= FEWEST_OF_ONE_LENGTH:
        return values.longest or None
    return next((length for length in _TEXT_LENGTHS if length >= values.longest), None)


def may_be_empty(field: Field, *, counted: bool) -> bool:
    """Whether an empty string, array or object may occur: one does, or not all values are known.

    ``counted`` says whether figures are facts. The lengths of strings are known only if values were
    requested and all of them were read.
    """
    found = kinds(field)
    if isinstance(field, StatedField):
        # Forms require a value for a required field.
        optional = bool(found & TEXT_TYPES) and field.missing > 0
        return field.may_be_empty and (optional or bool(found & {"array", "object"}))
    values = field.values
    if found & TEXT_TYPES:
        measured = values is not None and values.exact and values.shortest is not None
        if not measured or not values or not values.shortest:
            return True
    if "array" in found and (field.lengths is None or not (counted and field.lengths.minimum)):
        return True
    if "object" in found:
        return not (counted and any(not child.missing for child in members(field)))
    return False


def is_even(element: Field, *, counted: bool) -> bool:
    """Whether the arrays inside of an array are known to have the same length, and none is missing.

    Django validates an array of arrays like a matrix.
    """
    lengths = element.lengths
    even = lengths is not None and lengths.minimum == lengths.maximum > 0
    return counted and even and "null" not in element.types


def choices(field: Field) -> tuple[str | int, ...]:
    """Every value, if all were read and they are a few recurring strings or integers."""
    if isinstance(field, StatedField):
        return field.choices
    values = field.values
    if values is None or not values.exact or not 1 < len(values.enum) <= MOST_CHOICES:
        return ()
    # An empty string is not a choice but the lack of one.
    found = [value for value, _ in values.enum if value is not None and value != ""]
    if len(found) < 2:
        return ()
    plain = all(_is_choice(value) for value in found)
    same_type = len({isinstance(value, str) for value in found}) == 1
    known = field.present - field.null
    # Values that hardly recur are names, not choices.
    recur = sum(count for _, count in values.enum) >= max(known, 2 * len(found))
    return tuple(found) if plain and same_type and recur else ()


def decimal_places(field: Field) -> int | None:
    """The number of digits after the point in the values; None if not all are known to be finite.

    In BSON order NaN comes before all numbers and the infinities are first and last, so minimum and
    maximum show that.
    """
    values = field.values
    if values is None or not values.exact:
        return None
    seen = [values.minimum, values.maximum, *(value for value, _ in values.enum)]
    numbers = [_number(value) for value in seen if value is not None]
    if not numbers or not all(number.is_finite() for number in numbers):
        return None
    return max(_places(number) for number in numbers)


def dates_in_range(field: Field) -> bool:
    """False if a value is known to be outside the years of Python's datetime."""
    values = field.values
    bounds = [] if values is None else [values.minimum, values.maximum]
    return not any(isinstance(bound, DatetimeMS) for bound in bounds)


def binary_types(field: Field) -> bool:
    """Whether all values are binary, of any subtype."""
    return bool(kinds(field)) and all(name.startswith(binary_type(0)) for name in kinds(field))


def _known(field: Field) -> bool:
    """Whether the contents of objects and arrays were recorded; empty ones have none."""
    return not kinds(field) & {"object", "array"} or bool(field.children)


def _is_choice(value: Any) -> bool:
    match value:
        case bool():
            return False
        case str():
            return len(value) <= LONGEST_CHOICE
        case int():
            return True
    return False


def _number(value: Any) -> Decimal:
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, Decimal | int):
        return Decimal(value)
    return Decimal(math.nan)


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
