"""Which keys a field may refer to, by its name, its types or a probe of its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId

from djongo_services.bson_types import NUMBERS, server_type
from djongo_services.introspection.path import Path, query_path
from djongo_services.introspection.profiling.references.keys import Key
from djongo_services.introspection.profiling.references.names import Evidence, evidence
from djongo_services.introspection.report import Profile

_GENERIC = frozenset({"_id", "id", "name", "title", "type", "key", "code", "position", "order"})
"""Names that many collections give to a field of their own."""


class Candidates:
    """For each path the keys worth a look, with what its name says for them."""

    def __init__(self, keys: Sequence[Key], profiles: Mapping[str, Profile]) -> None:
        self.keys = keys
        self._types = {
            key: frozenset(_kind(server_type(name)) for name in types)
            for key in keys
            if (types := _types(key, profiles)) is not None
        }
        self._probed: dict[tuple[str, Path], set[Key]] = {}

    def add(self, collection: str, path: Path, key: Key) -> None:
        """A probe found values of the path under ``key``."""
        self._probed.setdefault((collection, path), set()).add(key)

    def of(self, collection: str, path: Path) -> dict[Key, Evidence]:
        probed = self._probed.get((collection, path), set())
        found: dict[Key, Evidence] = {}
        for key in self.keys:
            if key.collection == collection and query_path(path) == key.field:
                continue
            said = _said(collection, path, key)
            if said is not Evidence.NONE or key in probed:
                found[key] = said
        return found

    def fits(self, key: Key, value: Any) -> bool:
        """Whether the key has values of this type, as far as its collection was profiled."""
        types = self._types.get(key)
        return types is None or _kind_of(value) in types


def _said(collection: str, path: Path, key: Key) -> Evidence:
    said = evidence(path, collection, key.collection)
    if said is Evidence.NONE and key.collection != collection and key.field not in _GENERIC:
        names = [step for step in path if isinstance(step, str)]
        if names and names[-1] == key.field:
            return Evidence.NAMED
    return said


def _types(key: Key, profiles: Mapping[str, Profile]) -> frozenset[str] | None:
    profile = profiles.get(key.collection)
    if profile is None:
        return None
    # A sample may have missed a type, but not one that many documents have.
    found = [field for field in profile.walk() if query_path(field.path) == key.field]
    return frozenset(name for field in found for name in field.types)


def _kind(server_name: str) -> str:
    return "number" if server_name in NUMBERS else server_name


def _kind_of(value: Any) -> str:
    match value:
        case ObjectId():
            return "objectId"
        case str():
            return "string"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case _:
            return "binData"
