"""The catalog in the shapes of Django's ``DatabaseIntrospection``.

Source of the shapes: ``BaseDatabaseIntrospection.get_constraints`` and ``FieldInfo`` of Django 5.2;
where MongoDB has more kinds of index than SQL, django-mongodb-backend's answers are kept for those
that it knows (``GEO`` for 2dsphere).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Index as DjangoIndex

from djongo_services.introspection.catalog import Collection, Direction, Index, Validator

VALIDATOR = "validator"
"""The name of the check that stands for a collection's validator, which has none of its own."""

_NOT_OPTIONS = frozenset({"v", "key", "name", "ns"})
_CLAUSES = frozenset({"$and", "$or", "$nor"})


def get_constraints(collection: Collection) -> dict[str, dict[str, Any]]:
    """By name, every index and the validator::

        {"columns": ["a", "b"], "orders": ["ASC", "DESC"], "primary_key": False, "unique": False,
         "foreign_key": None, "check": False, "index": True, "type": "idx",
         "options": {"sparse": True}, "definition": {"v": 2, "key": {"a": 1, "b": -1}, ...}}

    ``orders`` goes with ``columns`` one to one and holds ``ASC``, ``DESC``, ``GEO`` (2dsphere),
    ``2D``, ``HASHED`` or ``TEXT``. ``type`` is Django's ``idx`` for ordinary indexes, else
    ``text``, ``2dsphere``, ``2d``, ``hashed``, ``wildcard`` or ``clustered``. A wildcard index
    covers no column of its own: ``definition`` has its key. A validator is a ``check`` whose
    columns are the fields that it names; it is called :data:`VALIDATOR`, with underscores added
    while an index has that name.
    """
    constraints = {index.name: _index(index) for index in collection.indexes}
    if collection.validator is not None:
        name = VALIDATOR
        while name in constraints:
            name += "_"
        constraints[name] = _check(collection.validator)
    return constraints


def _index(index: Index) -> dict[str, Any]:
    columns = [(name, direction) for name, direction in index.keys if not _is_wildcard(name)]
    ordinary = index.type in ("regular", "compound")
    return {
        "columns": [name for name, _ in columns],
        "orders": [_order(direction) for _, direction in columns],
        "primary_key": index.is_id or index.clustered,
        "unique": index.unique,
        "foreign_key": None,
        "check": False,
        "index": True,
        "type": DjangoIndex.suffix if ordinary else index.type,
        "options": {
            name: value for name, value in index.definition.items() if name not in _NOT_OPTIONS
        },
        "definition": index.definition,
    }


def _is_wildcard(name: str) -> bool:
    return name == "$**" or name.endswith(".$**")


def _order(direction: Direction) -> str:
    match direction:
        case "2dsphere":
            return "GEO"
        case str():
            return direction.upper()
    return "DESC" if direction < 0 else "ASC"


def _check(validator: Validator) -> dict[str, Any]:
    return {
        "columns": list(dict.fromkeys(_query_fields(validator.query))),
        "orders": [],
        "primary_key": False,
        "unique": False,
        "foreign_key": None,
        "check": True,
        "index": False,
        "type": None,
        "options": {"validationLevel": validator.level, "validationAction": validator.action},
        "definition": validator.query,
    }


def _query_fields(query: Mapping[str, Any]) -> Iterator[str]:
    """The paths that a query looks at, in the order in which it names them."""
    for key, value in query.items():
        if key in _CLAUSES:
            for clause in value:
                yield from _query_fields(clause)
        elif key == "$jsonSchema":
            yield from value.get("properties", {})
            yield from value.get("required", ())
        elif key == "$expr":
            yield from _expression_fields(value)
        elif not key.startswith("$"):
            yield key


def _expression_fields(expression: Any) -> Iterator[str]:
    match expression:
        case str() if expression.startswith("$") and not expression.startswith("$$"):
            yield expression[1:]
        case {"$literal": _}:
            return
        case Mapping():
            for value in expression.values():
                yield from _expression_fields(value)
        case list():
            for value in expression:
                yield from _expression_fields(value)
