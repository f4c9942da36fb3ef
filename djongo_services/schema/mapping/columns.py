"""The limits of a field's column in a SQL database, as ``$jsonSchema`` keywords.

Django leaves ``blank``, ``choices`` and validators to ``full_clean()``; the column enforces the
type, the length, the digits and, for positive integers, the sign. If SQLite checks less,
PostgreSQL's behaviour decides. Decimal places are left out, because SQL rounds to them and ``F()``
arithmetic stores more of them; so are the bounds of 64-bit integers, beyond which it stores
doubles. Other integers have the range of the BSON type that they are stored as, which is the range
that the backend's forms accept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from bson import Decimal128
from django.db import models

from djongo_services.modelfields import Decimal128Field
from djongo_services.schema.mapping.table import AnyField

Keywords = Mapping[str, Any]

_VARCHAR = ("CharField", "FileField", "FilePathField", "GenericIPAddressField", "SlugField")
"""In ``TextField``, ``max_length`` applies to forms only."""
_POSITIVE = ("PositiveBigIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField")
_SMALL = ("PositiveSmallIntegerField", "SmallIntegerField")


def column_keywords(field: AnyField) -> Iterator[Keywords]:
    """The limits of the field's column, besides its type."""
    if type(field).db_type is not models.Field.db_type:
        return  # A column of its own, which only its class knows.
    kind = field.get_internal_type()
    if kind in _VARCHAR and field.max_length is not None:
        yield {"maxLength": field.max_length}
    if kind in _SMALL:
        yield {"minimum": -(2**31), "maximum": 2**31 - 1}
    if kind in _POSITIVE:
        yield {"minimum": 0}
    if isinstance(field, models.DecimalField) and not isinstance(field, Decimal128Field):
        yield from _digits(field)


def _digits(field: Any) -> Iterator[Keywords]:
    """At most this many digits before the point: a power of ten on either side."""
    if field.max_digits is None or field.decimal_places is None:
        return
    power = Decimal128(Decimal(1).scaleb(max(field.max_digits - field.decimal_places, 0)))
    below = Decimal128(-power.to_decimal())
    yield {
        "minimum": below,
        "exclusiveMinimum": True,
        "maximum": power,
        "exclusiveMaximum": True,
    }
