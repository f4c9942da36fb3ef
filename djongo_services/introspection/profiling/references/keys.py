"""The keys that values may refer to, and looking values up under them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bson import ObjectId
from pymongo.database import Database

from djongo_services.introspection import catalog
from djongo_services.introspection.profiling.interruption import interruptible
from djongo_services.introspection.progress import Stop

BATCH = 1000
"""Values in one query; each is one descent in the target's index."""

Token: TypeAlias = tuple[str, Any]
"""A value that compares as MongoDB's index does: numbers of all types alike, booleans apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A field whose values are unique in a collection, and indexed."""

    collection: str
    field: str = "_id"


def keys_of(collection: catalog.Collection) -> list[Key]:
    """``_id`` and every field with a unique index of its own that any value can be looked up in.

    None for views (whose ``_id`` nothing makes unique) and for time series. Partial, hidden,
    building, special and multikey indexes, and those with a collation, are not used: a query
    would not use them either, or an element of an array is the key.
    """
    if collection.type != "collection":
        return []
    found = [Key(collection=collection.name)]
    for index in collection.indexes:
        name, direction = index.keys[0] if index.keys else ("_id", 1)
        plain = len(index.keys) == 1 and not isinstance(direction, str) and name != "_id"
        usable = index.partial_filter is None and index.collation is None and not index.multikey
        ready = not index.hidden and index.build is None and index.type == "regular"
        if plain and index.unique and usable and ready:
            found.append(Key(collection=collection.name, field=name))
    return found


def token(value: Any) -> Token:
    match value:
        case bool():
            return ("bool", value)
        case int() | float():
            return ("number", value)
        case _:
            return (type(value).__name__, value)


def existing(
    database: Database[Any], key: Key, values: Iterable[Any], *, stop: Stop | None = None
) -> set[Token]:
    """Those of ``values`` that are keys; one query for every BATCH of them.

    Raises Interrupted and PyMongo's errors.
    """
    target = database[key.collection]
    found: set[Token] = set()
    for batch in _batches(list(values)):
        with interruptible(target, stop) as session:
            documents = target.find(
                {key.field: {"$in": batch}},
                {key.field: 1, "_id": key.field == "_id"},
                session=session,
            )
            found.update(token(_at(document, key.field)) for document in documents)
    return found


def is_unmistakable(value: Any) -> bool:
    """Whether a value that occurs in two places does so on purpose, not by accident.

    Object ids and UUIDs are; small numbers and short words are everywhere.
    """
    match value:
        case ObjectId():
            return True
        case bytes():
            return len(value) >= 12
        case str():
            return len(value) >= 24 and " " not in value and any(char.isdigit() for char in value)
        case _:
            return type(value).__name__ == "UUID"


def _at(document: Any, field: str) -> Any:
    for name in field.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
