"""Paths into documents that hold names of files, also in embedded documents and arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from djongo_services.storage.collector.references.columns import first_line
from djongo_services.storage.collector.references.naming import Naming
from djongo_services.storage.collector.references.sources import Unreadable


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentSource:
    """One path in the documents of a collection."""

    collection: Collection[Any]
    path: str
    """Dotted; elements of arrays are implied."""
    model: str
    alias: str
    naming: Naming

    @property
    def label(self) -> str:
        return f"{self.model}.{self.path} on {self.alias!r}"

    def probe(self) -> None:
        try:
            self._primary().find_one({self.path: ""}, {"_id": 1})
        except PyMongoError as error:
            raise Unreadable(first_line(error)) from error

    def referenced(self, names: Sequence[str]) -> set[str]:
        held = self.naming.held(names)
        if not held:
            return set()
        found: set[str] = set()
        query, steps = {self.path: {"$in": list(held)}}, self.path.split(".")
        try:
            with self._primary().find(query, {"_id": 0, self.path: 1}) as cursor:
                for document in cursor:
                    found.update(held[each] for each in _texts(document, steps) if each in held)
        except PyMongoError as error:
            raise Unreadable(first_line(error)) from error
        return found

    def _primary(self) -> Collection[Any]:
        return self.collection.with_options(read_preference=ReadPreference.PRIMARY)


def _texts(value: Any, steps: Sequence[str]) -> Iterable[str]:
    """The strings at a path, through arrays at any step."""
    for at, step in enumerate(steps):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list):
            return [text for item in value for text in _texts(item, steps[at:])]
        else:
            return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, ())]
    return ()
