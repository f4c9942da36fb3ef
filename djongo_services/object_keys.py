"""Primary keys of any BSON type, whose text names one document of a collection.

Django puts ``str(pk)`` into URLs, checkboxes, select boxes and the admin's log, and looks up an
object by that text. If ``_id`` is the number 1 in one document and the string "1" in another, that
text must differ. So a key that is not a string has a text that begins with its type: ``$num:1``,
``$oid:65f0...``, ``$date:2024-01-31T10:00:00.123``. A string is its own text. The other texts use
only characters that survive in URLs without quoting, because Django's admin quotes some URLs twice.

:func:`as_key` converts a value to an equal one of a subclass with that text. It can be passed to
PyMongo like the value itself, except for the types that have no subclasses.
"""

from __future__ import annotations

import math
import re
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import bson
from bson import Binary, Decimal128, Int64, ObjectId

from djongo_services.bson_decoding import NOT_EXTENDED_JSON

_TAGGED = re.compile(r"\$([a-zA-Z]+):(.*)", re.ASCII)
# For the server 1, 1.0 and 1 as int64 are one key, so they have one text; beyond this, not every
# integer is a double.
_EXACT = 2**53


def key_text(value: Any) -> str:
    """The text of a key; for a string, the string itself.

    >>> key_text(1), key_text("1"), key_text(Decimal128("1"))
    ('$num:1', '1', '$numberDecimal:1')
    """
    value = plain(value)
    match value:
        case str():
            return value
        case float() if value.is_integer() and abs(value) < _EXACT:
            return f"$num:{int(value)}"
        case bool():
            return f"$bool:{value}".lower()
        case int():
            return f"$num:{int(value)}"
        case float():
            return f"$num:{_without_exponent(value)}"
        case ObjectId():
            return f"$oid:{value}"
        case Decimal128():
            return f"$numberDecimal:{value}"
        case uuid.UUID():
            return f"$uuid:{value}"
        case datetime():
            return f"$date:{value.isoformat()}"
        case _:
            # "_" has a meaning in the admin's URLs, and "~" none in Base64.
            encoded = urlsafe_b64encode(bson.encode({"": value})).decode()
            return "$bson:" + encoded.replace("_", "~")


def exact_text(value: Any) -> str:
    """The text of a key for files, which also distinguishes the types of numbers."""
    value = plain(value)
    match value:
        case Int64():
            return f"$numberLong:{int(value)}"
        case float():
            return f"$numberDouble:{value}"
        case _:
            return key_text(value)


def from_text(text: str) -> Any:
    """The key with this text; strings that are not the text of another key are keys themselves.

    >>> from_text("$num:1"), from_text("1"), from_text("$num:one")
    (1, '1', '$num:one')
    """
    matched = _TAGGED.fullmatch(text)
    if matched is None or matched[1] not in _PARSERS:
        return text
    try:
        value = _PARSERS[matched[1]](matched[2])
        # A string that only resembles one is a string.
        is_text = text in (key_text(value), exact_text(value))
    except NOT_EXTENDED_JSON:
        return text
    return as_key(value) if is_text else text


def as_key(value: Any) -> Any:
    """An equal and hashable value whose ``str()`` is its :func:`key_text`."""
    if isinstance(value, Key) or type(value) is str:
        return value
    make = _KEYS.get(type(value))
    if make is not None:
        return make(value)
    return value if isinstance(value, str) else OpaqueKey(value)


def plain(value: Any) -> Any:
    """The value that was passed to :func:`as_key`; other values unchanged."""
    return value.plain() if isinstance(value, Key) else value


class Key:
    """The base of all keys that are not strings."""

    __slots__ = ()

    def plain(self) -> Any:
        """The value in PyMongo's type; each type of key implements it."""
        raise NotImplementedError

    def __str__(self) -> str:
        return key_text(self)

    # Django sorts the objects that it deletes by their keys.
    def __lt__(self, other: Any) -> bool:
        return _is_before(self, other)

    def __gt__(self, other: Any) -> bool:
        return _is_before(other, self)

    def __le__(self, other: Any) -> bool:
        return not _is_before(other, self)

    def __ge__(self, other: Any) -> bool:
        return not _is_before(self, other)


class IntKey(Key, int):
    def plain(self) -> int:
        return int(self)


class Int64Key(Key, Int64):
    def plain(self) -> Int64:
        return Int64(self)


class FloatKey(Key, float):
    def plain(self) -> float:
        return float.__pos__(self)

    def __eq__(self, other: object) -> bool:
        # For the server a NaN is a key like any other; in Python it is not equal to itself.
        if math.isnan(self) and isinstance(other, float):
            return math.isnan(other)
        return float.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return 0 if math.isnan(self) else float.__hash__(self)


class ObjectIdKey(Key, ObjectId):
    def plain(self) -> ObjectId:
        return ObjectId(self.binary)


class Decimal128Key(Key, Decimal128):
    def plain(self) -> Decimal128:
        return Decimal128.from_bid(self.bid)

    def __hash__(self) -> int:  # type: ignore[override]  # PyMongo's cannot be hashed
        return hash(self.bid)


class BytesKey(Key, bytes):
    def plain(self) -> bytes:
        return bytes(self)


class BinaryKey(Key, Binary):
    def plain(self) -> Binary:
        return Binary(bytes(self), self.subtype)


class UUIDKey(Key, uuid.UUID):
    def plain(self) -> uuid.UUID:
        return uuid.UUID(int=self.int)


class DatetimeKey(Key, datetime):
    def plain(self) -> datetime:
        return datetime.combine(self.date(), self.timetz())


class DocumentKey(Key, dict[str, Any]):
    def plain(self) -> dict[str, Any]:
        return dict(self)

    def __eq__(self, other: object) -> bool:
        # Documents with different orders of their fields are two keys, although they are equal in
        # Python.
        if isinstance(other, DocumentKey):
            return key_text(self) == key_text(other)
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self))


class OpaqueKey(Key):
    """A key of a type without subclasses: null, a boolean, a timestamp, a DBRef, ...

    It equals its value, except None, which means in Django that an object has no key, and the
    number that a boolean equals in Python.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def plain(self) -> Any:
        return self.value

    def __repr__(self) -> str:
        return repr(self.value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, OpaqueKey):
            other = other.value
        elif self.value is None:
            return False
        return type(other) is type(self.value) and bool(other == self.value)

    def __hash__(self) -> int:
        return hash(self.value) if isinstance(self.value, bool) else hash(key_text(self))


_KEYS: dict[type, Callable[[Any], Any]] = {
    int: IntKey,
    Int64: Int64Key,
    float: FloatKey,
    ObjectId: lambda value: ObjectIdKey(value.binary),
    Decimal128: lambda value: Decimal128Key.from_bid(value.bid),
    bytes: BytesKey,
    Binary: lambda value: BinaryKey(value, value.subtype),
    uuid.UUID: lambda value: UUIDKey(int=value.int),
    datetime: lambda value: DatetimeKey.combine(value.date(), value.timetz()),
    dict: DocumentKey,
}


def _is_before(one: Any, other: Any) -> bool:
    """An order of all keys: by type, and within one by value or otherwise by text."""
    one, other = plain(one), plain(other)
    if _order(one) != _order(other):
        return _order(one) < _order(other)
    try:
        return bool(one < other)
    except TypeError:
        return key_text(one) < key_text(other)


def _order(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if is_number and not math.isnan(value) else type(value).__name__


def _without_exponent(value: float) -> str:
    # Django parses as a number what it formats and finds an "e" in.
    return f"{Decimal(repr(value)):f}" if math.isfinite(value) else repr(value)


def _number(text: str) -> float:
    is_integer = text.lstrip("-").isdigit() and -(2**63) <= int(text) < 2**63
    return int(text) if is_integer else float(text)


def _from_bson(text: str) -> Any:
    return bson.decode(urlsafe_b64decode(text.replace("~", "_")))[""]


_PARSERS: dict[str, Callable[[str], Any]] = {
    "num": _number,
    "numberLong": Int64,
    "numberDouble": float,
    "numberDecimal": Decimal128,
    "oid": ObjectId,
    "bool": {"true": True, "false": False}.__getitem__,
    "uuid": uuid.UUID,
    "date": datetime.fromisoformat,
    "bson": _from_bson,
}
