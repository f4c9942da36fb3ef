"""A field's options, choices and validators as keywords of ``$jsonSchema``.

The rules ``"database"`` are those of the field's column, ``"model"`` adds what ``full_clean()``
checks: choices, validators and ``blank``. Each keyword applies to one kind of value (``maxLength``
to strings, ``minimum`` to numbers), so none applies to null. A field with bounds accepts no NaN,
which no form accepts either.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from bson import Decimal128, Int64
from django.core import validators
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models

from djongo_services.bson_types import NUMBERS
from djongo_services.schema.mapping.codecs import encode
from djongo_services.schema.mapping.columns import Keywords, column_keywords
from djongo_services.schema.mapping.formats import file_keywords, text_keywords
from djongo_services.schema.mapping.patterns import Untranslatable
from djongo_services.schema.mapping.sampling import (
    CHECKS,
    CONVERSIONS,
    changing,
    choice_values,
    replaces,
    stores_choices,
)
from djongo_services.schema.mapping.table import (
    AnyField,
    FieldMapping,
    required_backend_connection,
)
from djongo_services.setting_values import RuleSet

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_EXACT = 2**53
"""Django computes steps with floats, which are exact up to this number."""
_LENGTHS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


_MaxLength = validators.MaxLengthValidator
_UPPER = {longest for _, longest in _LENGTHS.values()}


class NoKeyword(ValueError):
    """MongoDB has no keyword for it; the message is a clause with the reason."""


@dataclasses.dataclass(kw_only=True, slots=True)
class Rules:
    """The keywords of one field, and the reasons for missing ones."""

    field: AnyField
    row: FieldMapping
    backend: bool
    rules: RuleSet
    reasons: list[str] = dataclasses.field(default_factory=list)

    @property
    def types(self) -> tuple[str, ...]:
        return self.row.stored(backend=self.backend).types

    def keywords(self) -> Keywords:
        """The keywords without ``bsonType`` and null; choices replace everything else."""
        column = combined(self._column())
        if self.rules == "database":
            return column
        if replaces(self.field, (*CONVERSIONS, *CHECKS)):
            return self._of_custom_field(column)
        # Django checks neither choices nor blank for fields that are not editable.
        if self.field.choices is not None and self.field.editable:
            if not changing(self.field.choices):
                return self._choices()
            self.reasons.append(
                "choices are computed each time they are read, so a validator cannot contain them; "
                "only Django enforces them."
            )
        parts = [column, *self._size(), *self._validators()]
        empties = self._empties()
        if not empties:
            return combined(parts)
        if may_be_empty(self.field):
            found = combined(parts)
            # Django runs no validator on an empty value.
            harmless = found.keys() <= _UPPER
            return found if harmless else {"anyOf": [{"enum": empties}, found]}
        return combined([*parts, _never(empties)])

    def _of_custom_field(self, column: Keywords) -> Keywords:
        """Rules for a class that converts or checks its values itself: its choices if it stores one
        of them, otherwise those of its column."""
        choices = self.field.choices
        try:
            if choices is not None and not changing(choices) and stores_choices(self.field):
                return self._choices()
            more = any(not _is(one, _MaxLength) for one in self.field.validators)
        except ImproperlyConfigured:
            raise
        except Exception:  # noqa: BLE001  (the code of others)
            more = True
        names = ["choices"] * (choices is not None) + ["validators"] * more
        names += ["blank"] * (not self.field.blank)
        if names:
            be = "is" if names == ["blank"] else "are"
            self.reasons.append(
                f"{' and '.join(names)} {be} not enforced, because {type(self.field).__name__} "
                f"converts or validates its values itself."
            )
        return column

    def _column(self) -> Iterator[Keywords]:
        pattern = self.row.stored(backend=self.backend).pattern
        if pattern is not None:
            yield {"pattern": pattern}
        yield from column_keywords(self.field)

    def _size(self) -> Iterator[Keywords]:
        """The size of the backend's arrays; PostgreSQL does not enforce it."""
        exactly = getattr(self.field, "size", None)
        if exactly and hasattr(self.field, "max_size"):
            yield {"minItems": exactly, "maxItems": exactly}

    def _validators(self) -> Iterator[Keywords]:
        for validator in self.field.validators:
            if _said_otherwise(validator):
                continue
            try:
                yield self._validator(validator)
            except (NoKeyword, Untranslatable) as error:
                self.reasons.append(
                    f"{_named(validator)} cannot be expressed in MongoDB, because {error}; "
                    f"only Django enforces it."
                )

    def _validator(self, validator: Any) -> Keywords:
        if _is(validator, _MaxLength):
            return _length(self, _limit(validator), longest=True)
        if _is(validator, validators.MinLengthValidator):
            return _length(self, _limit(validator), longest=False)
        if _is(validator, validators.MaxValueValidator):
            return _bound(self, _limit(validator), "maximum")
        if _is(validator, validators.MinValueValidator):
            return _bound(self, _limit(validator), "minimum")
        if _is(validator, validators.StepValueValidator):
            return _step(self.field, validator)
        found = None
        if self.row.text:
            found = text_keywords(validator, self.field.max_length)
        if found is None and isinstance(self.field, models.FileField):
            found = file_keywords(validator)
        if found is None:
            raise NoKeyword("it is code")
        return found

    def _choices(self) -> Keywords:
        found = [value for value in choice_values(self.field) if self._is_valid(value)]
        stored = [stored_form(self.field, value, backend=self.backend) for value in found]
        empties = self._empties() if may_be_empty(self.field) else []
        kept: list[Any] = []
        for value in [*stored, *empties, *([None] if self.field.null else [])]:
            # Values may be lists, which have no hash.
            if value not in kept:
                kept.append(value)
        if not kept:
            self.reasons.append("choices is empty, which a validator cannot express.")
        return {"enum": kept} if kept else {}

    def _is_valid(self, value: Any) -> bool:
        if value is None or value in self.field.empty_values:
            return False
        try:
            self.field.run_validators(self.field.to_python(value))
        except ValidationError:
            return False
        return True

    def _empties(self) -> list[Any]:
        """The empty values that the field can be saved with, as Django defines them."""
        possible: dict[str, Any] = {"array": [], "binData": b""}
        anything = len(self.types) > 1
        if anything or (self.row.text and self.field.empty_strings_allowed):
            possible["string"] = ""
        if not getattr(self.field, "stores_model_instance", False):
            possible["object"] = {}
        found = [possible[name] for name in self.types if name in possible]
        return [value for value in found if value in self.field.empty_values]


def stored_form(field: AnyField, value: Any, *, backend: bool) -> Any:
    """The BSON of one Python value. Raises ImproperlyConfigured if no backend is available."""
    if backend:
        return field.get_db_prep_save(field.to_python(value), required_backend_connection())
    return encode(field.get_prep_value(field.to_python(value)), field)


def may_be_empty(field: AnyField) -> bool:
    """Whether the model itself can write empty strings, arrays or objects: blank, or the
    default."""
    if field.blank or not field.editable:
        return True
    default = field.default
    if default in (list, dict, tuple, str):
        return True
    given = field.db_default if default is models.NOT_PROVIDED else default
    return given in ("", b"", [], {}, ()) and given is not None


def combined(parts: Iterable[Keywords]) -> dict[str, Any]:
    """One schema that combines all parts."""
    found: dict[str, Any] = {}
    rest: list[Keywords] = []
    for part in parts:
        clash = found.keys() & part.keys()
        if all(_comparable(found, part, key) for key in clash):
            tighter = {key: _TIGHTER[key](found[key], part[key]) for key in clash}
            found |= {**part, **tighter}
        elif any(found.get(key) != part[key] for key in part):
            rest.append(part)
    return {**found, "allOf": [dict(part) for part in rest]} if rest else found


_TIGHTER: dict[str, Any] = {
    **{low: max for low, _ in _LENGTHS.values()},
    **{high: min for _, high in _LENGTHS.values()},
    "minimum": max,
    "maximum": min,
}


def _comparable(one: Keywords, other: Keywords, key: str) -> bool:
    numbers = all(isinstance(side[key], int | float) for side in (one, other))
    return key in _TIGHTER and numbers


def _is(validator: Any, known: type[Any]) -> bool:
    """Whether it does exactly what Django's own does, whatever its message."""
    return isinstance(validator, known) and all(
        getattr(type(validator), name) is getattr(known, name)
        for name in ("__call__", "compare", "clean")
    )


def _said_otherwise(validator: Any) -> bool:
    """Whether it is one of the backend's array lengths or a digit limit, which the field's options
    express as well."""
    exactly = type(validator).__name__ == "LengthValidator"
    if exactly and type(validator).__module__.startswith("django_mongodb_backend."):
        return True
    return isinstance(validator, validators.DecimalValidator)


def _named(validator: Any) -> str:
    name = getattr(validator, "__name__", None) or type(validator).__name__
    return f"validator {name}"


def _limit(validator: Any) -> Any:
    if callable(validator.limit_value):
        raise NoKeyword("its limit is computed each time")
    return validator.limit_value


def _length(rules: Rules, limit: Any, *, longest: bool) -> Keywords:
    if isinstance(rules.field, models.FileField):
        raise NoKeyword("it is about the content of the file")
    keywords = [_LENGTHS[name][longest] for name in rules.types if name in _LENGTHS]
    if not keywords:
        raise NoKeyword(f"no keyword checks the length of {', '.join(rules.types)} values")
    return dict.fromkeys(keywords, limit)


def _bound(rules: Rules, limit: Any, keyword: str) -> Keywords:
    if not NUMBERS.intersection(rules.types):
        raise NoKeyword(
            f"only numbers have a {keyword} there; use a CheckConstraint for other values"
        )
    number = _bson_number(limit, backend=rules.backend)
    outside = number <= _INT64_MIN if keyword == "minimum" else number >= _INT64_MAX
    if isinstance(number, int) and outside:
        return {}
    if isinstance(number, float) and math.isinf(number):
        return {}
    return {keyword: number if isinstance(number, float) else _exact(number)}


def _bson_number(limit: Any, *, backend: bool) -> int | float | Decimal:
    match limit:
        case datetime.timedelta():
            unit = datetime.timedelta(milliseconds=1) if backend else datetime.timedelta.resolution
            return limit // unit
        case int():
            return int(limit)
        case float() | Decimal() if not math.isnan(limit):
            return limit
    raise NoKeyword(f"its limit is {type(limit).__name__}, not a number")


def _exact(number: int | Decimal) -> Any:
    if isinstance(number, Decimal):
        return Decimal128(number)
    if _INT64_MIN <= number <= _INT64_MAX:
        return number if -(2**31) <= number < 2**31 else Int64(number)
    return Decimal128(Decimal(number))


def _step(field: AnyField, validator: Any) -> Keywords:
    limit, offset = _limit(validator), validator.offset or 0
    if not isinstance(field, models.IntegerField) or not isinstance(limit, int):
        raise NoKeyword("steps of fractions depend on how they are rounded")
    if offset % limit:
        raise NoKeyword("MongoDB counts steps from 0 only")
    large = [{"maximum": Int64(-_EXACT)}, {"minimum": Int64(_EXACT)}]
    return {"anyOf": [{"multipleOf": abs(limit)}, *large]}


def _never(empties: list[Any]) -> Keywords:
    names: dict[type, str] = {str: "minLength", list: "minItems", dict: "minProperties"}
    found: dict[str, Any] = {names[type(one)]: 1 for one in empties if type(one) in names}
    return {**found, "not": {"enum": [b""]}} if b"" in empties else found
