"""Python values of lookups as the BSON values that stand in documents.

django-mongodb-backend 5.2 and 6.x write a time as a BSON date on 0001-01-01, a duration in
milliseconds and a UUID as 32 hexadecimal digits; ``to_document`` of
:mod:`djongo_services.schema.mapping` writes ISO 8601, microseconds and a binary of subtype 4.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from bson import Binary, Decimal128, ObjectId
from django.utils.functional import Promise

from djongo_services.schema.constraints.refusal import NotExpressible

_LONG = range(-(2**63), 2**63)
_MILLISECOND = dt.timedelta(milliseconds=1)
_MICROSECOND = dt.timedelta(microseconds=1)


def bson_value(value: Any, *, backend: bool) -> Any:
    """``value`` as it is stored; raises NotExpressible for a type that BSON does not have.

    Instances of subclasses (choices, ``SafeString``) become their plain types, dates lose what is
    smaller than a millisecond, as they do in the server.
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
