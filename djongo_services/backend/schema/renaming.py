"""Using a column's new name in definitions that contain the old one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from djongo_services.index_kinds import PATH_OPTIONS

Document = dict[str, Any]

_DATA = frozenset({"$literal", "$comment", "$jsonSchema"})
"""Operators whose arguments are not paths."""


def renamed_path(path: str, old: str, new: str) -> str:
    """The renamed path: ``a`` and ``a.b`` follow ``a``; ``ab`` does not."""
    if path == old:
        return new
    return new + path[len(old) :] if path.startswith(f"{old}.") else path


def renamed_query(query: Any, old: str, new: str) -> Any:
    """A query, or part of one, including its expressions."""
    match query:
        case Mapping():
            return {
                renamed_path(name, old, new): _renamed_value(name, value, old, new)
                for name, value in query.items()
            }
        case list():
            return [renamed_query(one, old, new) for one in query]
    return query


def renamed_index(definition: Mapping[str, Any], old: str, new: str) -> Document:
    """An index as ``listIndexes`` describes it."""
    found = dict(definition)
    found["key"] = {renamed_path(name, old, new): way for name, way in definition["key"].items()}
    for option in PATH_OPTIONS:
        if option in found:
            found[option] = renamed_query(found[option], old, new)
    return found


def _renamed_value(name: str, value: Any, old: str, new: str) -> Any:
    if name in _DATA:
        return value
    if name == "$expr":
        return _renamed_expression(value, old, new)
    if name.startswith("$"):
        return renamed_query(value, old, new)
    # The condition of a path: operators, or a value that is compared with.
    return value


def _renamed_expression(value: Any, old: str, new: str) -> Any:
    match value:
        case str() if value.startswith("$") and not value.startswith("$$"):
            return f"${renamed_path(value[1:], old, new)}"
        case str() if value.startswith("$$ROOT."):
            return f"$$ROOT.{renamed_path(value[7:], old, new)}"
        case str() if value.startswith("$$CURRENT."):
            return f"$$CURRENT.{renamed_path(value[10:], old, new)}"
        case Mapping():
            return {
                name: one if name == "$literal" else _renamed_expression(one, old, new)
                for name, one in value.items()
            }
        case list():
            return [_renamed_expression(one, old, new) for one in value]
    return value
