"""Finding which values are keys: in memory for collections that were read completely, otherwise by
query."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bson import Binary, Code, ObjectId
from bson.binary import OLD_UUID_SUBTYPE
from pymongo.database import Database

from djongo_services.introspection.path import Path
from djongo_services.introspection.profiling.references.candidates import Candidates
from djongo_services.introspection.profiling.references.keys import (
    TargetKey,
    Token,
    existing,
    token,
)
from djongo_services.introspection.profiling.references.samples import Harvest
from djongo_services.progress import Stop


@dataclass(frozen=True, slots=True)
class Hits:
    """Tokens of values that are keys, unchanged or in another form."""

    direct: frozenset[Token] = frozenset()
    converted: frozenset[Token] = frozenset()

    @property
    def all(self) -> frozenset[Token]:
        return self.direct | self.converted


@dataclass(frozen=True, slots=True)
class Lookups:
    database: Database[Any]
    candidates: Candidates
    harvest: Harvest
    stop: Stop | None

    def hits(self, key: TargetKey, values: Iterable[Any]) -> Hits:
        """Look up the values, with one query for every 1,000 of them and their other forms, or
        none.

        Raises ProfilingInterrupted and PyMongo's errors.
        """
        asked: dict[Token, Any] = {}
        meant: dict[Token, Token] = {}
        for value in values:
            own = token(value)
            if self.candidates.fits(key, own):
                asked[own] = value
            for other in other_readings(value):
                reading = token(other)
                if self.candidates.fits(key, reading):
                    asked.setdefault(reading, other)
                    meant[reading] = own
        found = self._known(key, asked)
        converted = {own for reading, own in meant.items() if reading in found}
        direct = {one for one in found if one not in meant}
        return Hits(frozenset(direct), frozenset(converted - direct))

    def _known(self, key: TargetKey, asked: dict[Token, Any]) -> set[Token]:
        if not asked:
            return set()
        known = self.harvest.among(key, asked)
        if known is not None:
            return known
        return existing(self.database, key, asked.values(), stop=self.stop)


# The forms in which a key is stored: an ObjectId or UUID itself, or as text.
#
# Libraries that convert documents to JSON keep the text of an ObjectId; others keep UUIDs as text
# with or without hyphens, or as binary values of the old subtype.
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}")
_UUID = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def other_readings(value: Any) -> Iterator[Any]:
    """The other values that ``value`` may mean."""
    match value:
        case ObjectId():
            yield str(value)
        case UUID():
            yield from _texts(value)
        case Binary(subtype=subtype) if subtype == OLD_UUID_SUBTYPE and len(value) == 16:
            yield from _texts(UUID(bytes=bytes(value)))
        case Code():
            return
        case str() if _OBJECT_ID.fullmatch(value):
            yield ObjectId(value)
        case str() if _UUID.fullmatch(value):
            meant = UUID(value)
            yield meant
            yield Binary(meant.bytes, OLD_UUID_SUBTYPE)
            yield from (text for text in _texts(meant) if text != value)


def _texts(value: UUID) -> tuple[str, str]:
    return str(value), value.hex


Place = tuple[str, Path]
"""Collection and path."""


class Probes:
    """The places of each value, so that a key that is found leads back to the paths.

    The cost of all look-ups is proportional to the number of values plus keys, not to their
    product.
    """

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._values: dict[Token, Any] = {}
        self._places: dict[Token, list[Place]] = {}
        self._by_hash: dict[int, list[tuple[Token, Token]]] = {}
        """The hash of a token to the token itself, and to that of the value that it represents."""

    @property
    def values(self) -> Iterable[Any]:
        return self._values.values()

    def add(self, collection: str, telling: Mapping[Path, Sequence[Any]]) -> None:
        for path, values in telling.items():
            for value in values:
                own = token(value)
                if own not in self._values:
                    self._remember(own, value)
                self._places.setdefault(own, []).append((collection, path))

    def look_up_what_is_known(self) -> None:
        """Look up values under the keys that are in memory."""
        harvest, candidates = self._lookups.harvest, self._lookups.candidates
        for key in candidates.keys:
            for known in harvest.hashes(key) or ():
                for one, own in self._by_hash.get(known, ()):
                    if candidates.fits(key, one):
                        self._found(key, own)

    def found(self, key: TargetKey, hits: Hits) -> None:
        for own in hits.all:
            self._found(key, own)

    def _remember(self, own: Token, value: Any) -> None:
        self._values[own] = value
        for one in (own, *(token(other) for other in other_readings(value))):
            self._by_hash.setdefault(hash(one), []).append((one, own))

    def _found(self, key: TargetKey, own: Token) -> None:
        for collection, path in self._places[own]:
            self._lookups.candidates.add(collection, path, key)
