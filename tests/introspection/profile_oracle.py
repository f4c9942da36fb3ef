"""The expected profile, found by counting every value of every document in plain Python.

It shares nothing with the package but the names of types and paths: documents are decoded by
PyMongo, and maps are not recognised, so it is for documents whose keys are names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.datetime_ms import DatetimeMS

from djongo_services.bson_types import binary_type
from djongo_services.introspection.path import ELEMENT, Path
from djongo_services.introspection.report import Profile

Counted = dict[Path, tuple[int, dict[str, int]]]
"""Path to the number of parents and the number of values by type."""

_TYPES: list[tuple[type[Any], str]] = [
    (bool, "bool"),
    (Int64, "long"),
    (int, "int"),
    (float, "double"),
    (str, "string"),
    (ObjectId, "objectId"),
    (datetime, "date"),
    (DatetimeMS, "date"),
    (Decimal128, "decimal"),
    (Timestamp, "timestamp"),
    (Regex, "regex"),
    (MinKey, "minKey"),
    (MaxKey, "maxKey"),
    (type(None), "null"),
    (DBRef, "dbRef"),
    (Mapping, "object"),
    (list, "array"),
    (bytes, "binData"),
]


def type_name(value: Any) -> str:
    if isinstance(value, Code):
        return "javascript" if value.scope is None else "javascriptWithScope"
    if isinstance(value, Binary):
        return binary_type(value.subtype)
    return next(name for kind, name in _TYPES if isinstance(value, kind))


class Count:
    def __init__(self) -> None:
        self.types: dict[Path, Counter[str]] = defaultdict(Counter)
        self.objects: Counter[Path] = Counter()
        self.lengths: dict[Path, list[int]] = defaultdict(list)

    def document(self, document: Mapping[str, Any], path: Path = ()) -> None:
        self.objects[path] += 1
        for name, value in document.items():
            self.value(value, (*path, name))

    def value(self, value: Any, path: Path) -> None:
        self.types[path][type_name(value)] += 1
        if isinstance(value, Mapping):
            self.document(value, path)
        elif isinstance(value, list):
            self.lengths[path].append(len(value))
            for element in value:
                self.value(element, (*path, ELEMENT))

    def counted(self) -> Counted:
        return {
            path: (self._parents(path), dict(types)) for path, types in self.types.items() if types
        }

    def _parents(self, path: Path) -> int:
        if path[-1] is ELEMENT:
            return sum(self.lengths[path[:-1]])
        return self.objects[path[:-1]]


def count(documents: Iterable[Mapping[str, Any]]) -> Count:
    found = Count()
    for document in documents:
        found.document(document)
    return found


def of_profile(profile: Profile) -> Counted:
    """The same figures as a profile has them."""
    return {
        field.path: (field.parents, {name: each.count for name, each in field.types.items()})
        for field in profile.walk()
    }
