"""Encoders and decoders of plain Django fields, each the exact inverse of the other.

Values that BSON cannot represent raise ValueError; only dates and times are truncated to whole
milliseconds, which is the precision of a BSON date.
"""

from __future__ import annotations

import datetime
import json
import uuid
from decimal import Context, Decimal, DecimalException, FloatOperation, Inexact
from typing import Any

from bson import Binary, Decimal128, Int64
from bson.binary import UUID_SUBTYPE
from django.conf import settings
from django.utils import timezone

from djongo_services.schema.mapping.table import AnyField, keyed_by, mapping_of

_LONG = range(-(2**63), 2**63)
_MICROSECOND = datetime.timedelta(microseconds=1)
_DECIMAL128 = Context(prec=34, Emin=-6143, Emax=6144, clamp=1, traps=[Inexact, FloatOperation])


def encode_long(value: Any, field: AnyField) -> Int64:
    return _long(int(value))


def encode_int(value: Any, field: AnyField) -> int:
    """An int if it fits, as PyMongo does."""
    number = int(value)
    return _long(number) if number not in range(-(2**31), 2**31) else number


def decode_integer(value: Any, field: AnyField) -> int:
    number = number_of(value)
    if number != int(number):
        raise ValueError(f"{number} is not a whole number")
    return int(number)


def decode_float(value: Any, field: AnyField) -> float:
    return float(number_of(value))


def encode_decimal(value: Any, field: AnyField) -> Decimal128:
    try:
        return Decimal128(_DECIMAL128.create_decimal(value))
    except DecimalException as error:
        raise ValueError(f"{value} has more than the 34 digits of a Decimal128") from error


def decode_decimal(value: Any, field: AnyField) -> Decimal:
    number = number_of(value)
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def encode_binary(value: Any, field: AnyField) -> bytes:
    return bytes(value)


def encode_date(value: datetime.date, field: AnyField) -> datetime.datetime:
    return datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC)


def decode_date(value: datetime.datetime, field: AnyField) -> datetime.date:
    return _utc(value).date()


def encode_datetime(value: datetime.datetime, field: AnyField) -> datetime.datetime:
    """The moment in UTC; with ``USE_TZ = False`` the naive time as if it were UTC, as the backend
    does."""
    aware = _utc(value)
    return aware.replace(microsecond=aware.microsecond // 1000 * 1000)


def decode_datetime(value: datetime.datetime, field: AnyField) -> datetime.datetime:
    aware = _utc(value)
    return aware if settings.USE_TZ else timezone.make_naive(aware, datetime.UTC)


def encode_time(value: datetime.time, field: AnyField) -> str:
    """ISO 8601, which sorts correctly and keeps microseconds."""
    if value.tzinfo is not None:
        raise ValueError("a time of day has no time zone")
    return value.isoformat()


def decode_time(value: str, field: AnyField) -> datetime.time:
    return datetime.time.fromisoformat(value)


def encode_duration(value: datetime.timedelta, field: AnyField) -> Int64:
    """Microseconds, as on Django's own databases without a type for durations."""
    return _long(value // _MICROSECOND)


def decode_duration(value: Any, field: AnyField) -> datetime.timedelta:
    return datetime.timedelta(microseconds=decode_integer(value, field))


def encode_uuid(value: uuid.UUID, field: AnyField) -> Binary:
    return Binary.from_uuid(value)


def decode_uuid(value: Any, field: AnyField) -> uuid.UUID:
    match value:
        case uuid.UUID():
            return value
        case Binary() if value.subtype == UUID_SUBTYPE:
            return value.as_uuid()
        case str():
            return uuid.UUID(value)
    raise TypeError(f"{type(value).__name__} is not a UUID of subtype 4")


def encode_json(value: Any, field: Any) -> Any:
    """Through JSON text, so that the values are those that the field returns."""
    found = json.loads(json.dumps(value, cls=field.encoder))
    _check_integers(found)
    return found


def decode_json(value: Any, field: Any) -> Any:
    return json.loads(json.dumps(value), cls=field.decoder)


def encode_array(value: Any, field: Any) -> list[Any]:
    return [encode(item, field.base_field) for item in value]


def decode_array(value: Any, field: Any) -> list[Any]:
    return [decode(item, field.base_field) for item in value]


def refuse(value: Any, field: AnyField) -> Any:
    raise ValueError("only django-mongodb-backend stores embedded models")


def encode(value: Any, field: AnyField) -> Any:
    """Any field's value, as ``get_prep_value`` returns it, by its row of the table."""
    row = mapping_of(field)
    if value is None or row is None:
        return value
    return row.encode(value, keyed_by(field))


def decode(value: Any, field: AnyField) -> Any:
    row = mapping_of(field)
    if value is None or row is None:
        return value
    return row.decode(value, keyed_by(field))


def number_of(value: Any) -> int | float | Decimal:
    """Any BSON number as Python's. Raises TypeError for other values."""
    match value:
        case Decimal128():
            return value.to_decimal()
        case bool():
            pass
        case int():
            return int(value)
        case float() | Decimal():
            return value
    raise TypeError(f"{type(value).__name__} is not a number")


def _long(value: int) -> Int64:
    if value not in _LONG:
        raise ValueError(f"{value} is beyond the 64 bits of a long")
    return Int64(value)


def _check_integers(value: Any) -> None:
    match value:
        case dict():
            for item in value.values():
                _check_integers(item)
        case list():
            for item in value:
                _check_integers(item)
        case int():
            _long(value)


def _utc(value: datetime.datetime) -> datetime.datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=datetime.UTC)
    return value.astimezone(datetime.UTC)
