"""The catalog in the format of Django's ``DatabaseIntrospection``.

Source of the format: ``BaseDatabaseIntrospection.get_constraints`` and ``FieldInfo`` of Django 5.2.
MongoDB has more kinds of index than SQL; for those that django-mongodb-backend supports, its values
are used (``GEO`` for 2dsphere).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Index as DjangoIndex

from djongo_services.index_kinds import kind_named, wildcard_base
from djongo_services.introspection.catalog import Collection, Direction, Index, Validator

VALIDATOR = "validator"
"""The name of the check for a collection's validator, which has no name of its own."""

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
    covers no column of its own: ``definition`` has its key.

    A validator is a ``check`` whose columns are the fields that it names; it is called
    :data:`VALIDATOR`, with underscores added while an index has that name. Its clauses that have a
    name (:func:`named_clauses`) are checks of their own.
    """
    constraints = {index.name: _index(index) for index in collection.indexes}
    validator = collection.validator
    if validator is not None:
        rest, clauses = named_clauses(validator.query)
        for name, clause in clauses.items():
            constraints.setdefault(name, check(clause, validator))
        if rest:
            name = VALIDATOR
            while name in constraints:
                name += "_"
            constraints[name] = check(rest, validator)
    return constraints


def foreign_key(column: str, target: tuple[str, str]) -> dict[str, Any]:
    """A reference to ``target``, a collection and a column, which models have declared."""
    return {
        "columns": [column],
        "orders": [],
        "primary_key": False,
        "unique": False,
        "foreign_key": target,
        "check": False,
        "index": False,
        "type": None,
        "options": {},
        "definition": None,
    }


def check(query: Mapping[str, Any], validator: Validator) -> dict[str, Any]:
    """A rule of a validator as a constraint."""
    return {
        "columns": list(dict.fromkeys(_query_fields(query))),
        "orders": [],
        "primary_key": False,
        "unique": False,
        "foreign_key": None,
        "check": True,
        "index": False,
        "type": None,
        "options": {"validationLevel": validator.level, "validationAction": validator.action},
        "definition": query,
    }


def named_clauses(
    query: Mapping[str, Any],
) -> tuple[Mapping[str, Any], dict[str, Mapping[str, Any]]]:
    """The clauses of the query's ``$and`` that have a ``$comment``, by that and without it, and the
    rest of the query."""
    named: dict[str, Mapping[str, Any]] = {}
    rest = []
    for clause in query.get("$and", ()):
        name = clause.get("$comment")
        if isinstance(name, str) and name not in named:
            named[name] = _without_name(name, clause)
        else:
            rest.append(clause)
    if not named:
        return query, {}
    others = {key: value for key, value in query.items() if key != "$and"}
    if rest:
        others["$and"] = rest
    return others, named


def _without_name(name: str, clause: Mapping[str, Any]) -> Mapping[str, Any]:
    """The query of a check constraint, which the schema editor wraps so that the server includes
    the name when it refuses a document (``schema.constraints.named_clause``)."""
    query = {key: value for key, value in clause.items() if key != "$comment"}
    match query:
        case {"$or": [{"$jsonSchema": {"title": title}}, inner]} if title == name:
            return dict(inner)
    return query


def _index(index: Index) -> dict[str, Any]:
    columns = [key for key in index.keys if wildcard_base(key[0]) is None]
    return {
        "columns": [name for name, _ in columns],
        "orders": [_order(direction) for _, direction in columns],
        "primary_key": index.is_id or index.clustered,
        "unique": index.unique,
        "foreign_key": None,
        "check": False,
        "index": True,
        "type": DjangoIndex.suffix if index.kind.is_ordinary else index.type,
        "options": {
            name: value for name, value in index.definition.items() if name not in _NOT_OPTIONS
        },
        "definition": index.definition,
    }


def _order(direction: Direction) -> str:
    if isinstance(direction, str):
        return kind_named(direction).order or direction.upper()
    return "DESC" if direction < 0 else "ASC"


def _query_fields(query: Mapping[str, Any]) -> Iterator[str]:
    """The paths in a query, in the order in which it names them."""
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
