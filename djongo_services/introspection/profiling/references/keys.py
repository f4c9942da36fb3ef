"""The keys that values may refer to, and comparing values as an index does.

PyMongo decodes some types into classes without a hash (Decimal128, Regex, documents, arrays), and
into others that are equal although BSON distinguishes them (1 and True, Code and its text); a
:data:`Token` compares and hashes as MongoDB compares the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from pymongo.database import Database

from djongo_services.introspection import catalog
from djongo_services.introspection.profiling.interruption import SIMPLE, interruptible
from djongo_services.progress import Stop

BATCH = 1000
"""Values in one query; each is one descent in the target's index."""

_NOT_IN = frozenset({"regex", "object", "array"})

_RANDOM = re.compile(r"(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9]{10,}")
"""Ids as Parse, Meteor and similar systems create them: at least ten letters of both cases and
digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetKey:
    """A field whose values are unique in a collection, and indexed."""

    collection: str
    field: str = "_id"


def keys_of(collection: catalog.Collection) -> list[TargetKey]:
    """``_id`` and every field with a unique index of its own in which any value can be looked up.

    There are none for views (whose ``_id`` need not be unique) and for time series. Partial,
    hidden, unfinished, special and multikey indexes, and those with a collation, are not used: a
    query would not use them either, or an element of an array is the key.
    """
    if collection.type != "collection":
        return []
    found = [TargetKey(collection=collection.name)]
    for index in collection.indexes:
        name, direction = index.keys[0] if index.keys else ("_id", 1)
        plain = len(index.keys) == 1 and not isinstance(direction, str) and name != "_id"
        usable = index.partial_filter is None and index.collation is None and not index.multikey
        ready = not index.hidden and index.build is None and index.type == "regular"
        if plain and index.unique and usable and ready:
            found.append(TargetKey(collection=collection.name, field=name))
    return found


def existing(
    database: Database[Any], key: TargetKey, values: Iterable[Any], *, stop: Stop | None = None
) -> set[Token]:
    """The ``values`` that are keys; one query for every BATCH of them.

    The query uses the collection's own collation, and so its index on ``_id``, in which no two
    documents are equal even under that collation; which strings are really equal is decided here.

    Raises ProfilingInterrupted and PyMongo's errors.
    """
    target = database[key.collection]
    asked = {token(value): value for value in values}
    options = {} if key.field == "_id" else {"collation": SIMPLE}
    found: set[Token] = set()
    for batch in _batches(list(asked.values())):
        with interruptible(target, stop) as session:
            documents = target.find(
                _any_of(key.field, batch),
                {key.field: 1, "_id": key.field == "_id"},
                session=session,
                **options,
            )
            found.update(token(value_at(document, key.field)) for document in documents)
    return found & asked.keys()


def is_unmistakable(value: Any) -> bool:
    """Whether equal values in two places are unlikely to be an accident.

    Object ids, UUIDs and random words (``Ed1nuqPvcm``) are unmistakable; small numbers and short
    words are everywhere.
    """
    match value:
        case ObjectId() | UUID():
            return True
        case Code():
            return False
        case bytes():
            return len(value) >= 12
        case str():
            return _RANDOM.fullmatch(value) is not None or (
                len(value) >= 24 and " " not in value and any(char.isdigit() for char in value)
            )
        case _:
            return False


def value_at(document: Any, field: str) -> Any:
    """The value at a dotted path of embedded documents; None if there is none."""
    for name in field.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _any_of(field: str, values: Sequence[Any]) -> dict[str, Any]:
    """A query for documents whose field is one of the values, whatever they are.

    ``$in`` treats a regular expression as a pattern, and refuses documents whose fields look like
    operators; ``$eq`` takes every value literally.
    """
    plain = [value for value in values if kind(value) not in _NOT_IN]
    others = [value for value in values if kind(value) in _NOT_IN]
    if not others:
        return {field: {"$in": plain}}
    return {"$or": [{field: {"$in": plain}}, *({field: {"$eq": value}} for value in others)]}


def _batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]


# BSON values as Python values that compare and hash as MongoDB compares them.
Token: TypeAlias = tuple[str, Any]
"""The type as ``$type`` names it, with ``number`` for all numbers, and the compared value."""


def token(value: Any) -> Token:
    """A token that is equal for two values of any BSON types exactly if MongoDB's index treats them
    as one key.

    Strings are compared by their bytes, without a collation.
    """
    for base in type(value).__mro__:
        found = _TOKENS.get(base)
        if found is not None:
            name, payload = found
            return (name, payload(value))
    return (type(value).__name__, repr(value))


def kind(value: Any) -> str:
    """The first half of the token."""
    return token(value)[0]


def _number(value: int | float | Decimal128) -> int | Decimal | str:
    """An exact number, because an index compares exactly, unlike ``$eq`` in an aggregation, which
    rounds."""
    if isinstance(value, int):
        return int(value)
    exact = value.to_decimal() if isinstance(value, Decimal128) else Decimal(value)
    if not exact.is_finite():
        return "nan" if exact.is_nan() else str(exact)
    return exact


def _code(value: Code) -> tuple[str, Token | None]:
    return str(value), None if value.scope is None else token(value.scope)


def _object(value: Mapping[str, Any]) -> tuple[tuple[str, Token], ...]:
    return tuple((name, token(each)) for name, each in value.items())


def _nothing(value: Any) -> None:
    del value


_TOKENS: Final[dict[type, tuple[str, Callable[[Any], Any]]]] = {
    type(None): ("null", _nothing),
    bool: ("bool", bool),
    int: ("number", _number),
    float: ("number", _number),
    Decimal128: ("number", _number),
    Code: ("javascript", _code),
    str: ("string", str),
    ObjectId: ("objectId", lambda value: value.binary),
    UUID: ("binData", lambda value: (4, value.bytes)),
    Binary: ("binData", lambda value: (value.subtype, bytes(value))),
    bytes: ("binData", lambda value: (0, value)),
    datetime: ("date", lambda value: int(DatetimeMS(value))),
    DatetimeMS: ("date", int),
    Timestamp: ("timestamp", lambda value: (value.time, value.inc)),
    Regex: ("regex", lambda value: (value.pattern, value.flags)),
    DBRef: ("object", lambda value: _object(value.as_doc())),
    dict: ("object", _object),
    list: ("array", lambda value: tuple(map(token, value))),
    MinKey: ("minKey", _nothing),
    MaxKey: ("maxKey", _nothing),
}
"""By class; the most specific one among a value's classes is found first."""
