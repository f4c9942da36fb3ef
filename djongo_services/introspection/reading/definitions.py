"""From a document of ``listIndexes`` to an :class:`Index`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from djongo_services.introspection.catalog import Direction, Index, IndexBuild

Keys = tuple[tuple[str, Direction], ...]


def read_definition(document: Mapping[str, Any]) -> Index:
    """An index that is being built comes wrapped: ``{"spec": {...}, "buildUUID": ...}``."""
    building = "spec" in document
    definition: Mapping[str, Any] = document["spec"] if building else document
    return Index(
        name=definition["name"],
        keys=index_keys(definition),
        definition=definition,
        build=IndexBuild() if building else None,
    )


def index_keys(definition: Mapping[str, Any]) -> Keys:
    """The key pattern with its numbers normalised and its text fields by name.

    The server keeps all text fields of an index in one place of the key, as ``_fts`` and
    ``_ftsx``; their names are the keys of ``weights``, in alphabetical order.
    """
    keys: list[tuple[str, Direction]] = []
    for name, direction in definition["key"].items():
        if direction == "text" and name == "_fts":
            keys += [(field, "text") for field in definition.get("weights", {})]
        elif name != "_ftsx" or "weights" not in definition:
            keys.append((name, _direction(direction)))
    return tuple(keys)


def _direction(value: object) -> Direction:
    """As the server reads it: below zero is descending, a string names a special index.

    Indexes made before MongoDB 3.4 may hold anything else (``true``, ``""``, a document); all of
    it is ascending.
    """
    match value:
        case str() if value:
            return value
        case bool():
            return 1
        case int():
            return int(value)
        case float() if math.isfinite(value):
            return int(value) if value.is_integer() else float(value)
    return 1
