"""Values of a collection's fields that may be keys of others, a bounded number of each.

A large collection is sampled for them. A small one is read completely for its profile: its keys,
and some unmistakable values of each field, are taken from these documents, so that the server need
not be queried again: in a database with thousands of small collections, these queries would cost
more than everything else.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import bson
from bson.errors import BSONError
from pymongo.collection import Collection

from djongo_services.bson_decoding import LENIENT
from djongo_services.bson_types import NUMBERS, server_type
from djongo_services.introspection.path import ELEMENT, KEY, Path
from djongo_services.introspection.profiling.extraction import (
    Named,
    Stage,
    extraction,
    levels,
    named_beside_keys,
    reachable,
)
from djongo_services.introspection.profiling.interruption import aggregate
from djongo_services.introspection.profiling.references.keys import (
    TargetKey,
    Token,
    is_unmistakable,
    token,
    value_at,
)
from djongo_services.introspection.report import Field, Profile
from djongo_services.progress import Stop

BATCH = 100
"""Paths per scan."""

ELEMENTS = 100
"""The number of elements of one array that are examined."""

LONGEST = 200
"""The maximum size of a string or binary value in bytes; keys are shorter."""

KEY_TYPES = frozenset({"objectId", "string", "int", "long", "double", "decimal", "binData"})

TELLING_TYPES = frozenset({"objectId", "string", "binData"})
"""Types whose values can be globally unique."""

SAMPLE_SHARE = 0.05
"""As for values: a larger sample costs more than reading everything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """Distinct values at a path."""

    path: Path
    values: tuple[Any, ...]
    complete: bool
    """Whether these are all values."""


@dataclass(slots=True)
class Values:
    values: list[Any] = field(default_factory=list)
    overflow: bool = False

    def add(self, value: Any, limit: int) -> None:
        if len(self.values) < limit:
            self.values.append(value)
        else:
            self.overflow = True


def source_stages(profile: Profile, sample: int) -> list[Stage]:
    """The stages of a sample; none if reading the whole collection is cheaper."""
    if sample >= profile.coverage.documents * SAMPLE_SHARE:
        return []
    return [{"$sample": {"size": sample}}]


def sample_values(
    collection: Collection[Any],
    profile: Profile,
    paths: Sequence[Path],
    *,
    sample: int,
    stop: Stop | None = None,
) -> list[Sampled]:
    """At most ``sample`` values for each path; one scan for every BATCH paths."""
    prefix, beside = source_stages(profile, sample), named_beside_keys(profile)
    found: list[Sampled] = []
    for batch in batches(paths):
        scan = [
            *prefix,
            *extraction(batch, beside=beside, element_limit=ELEMENTS),
            {"$match": {"v": {"$type": sorted(KEY_TYPES)}}},
            {"$match": {"$expr": _is_short("$v")}},
            {"$group": {"_id": {"p": "$p", "v": "$v"}}},
            {"$limit": sample * len(batch)},
        ]
        gathered = [Values() for _ in batch]
        rows = aggregate(collection, scan, stop=stop, tolerant=True)
        for row in rows:
            gathered[row["_id"]["p"]].add(row["_id"]["v"], sample)
        whole = not prefix and len(rows) < sample * len(batch)
        found += [
            Sampled(
                path=path,
                values=tuple(one.values),
                # Arrays were truncated, so only paths without them were seen completely.
                complete=whole and not one.overflow and levels(path) == 0,
            )
            for path, one in zip(batch, gathered, strict=True)
        ]
    return found


def key_like(field: Field) -> bool:
    """Whether a field has values that may be keys of another collection.

    ``_id`` does not: copies of a collection share it without referring to each other. Nor do values
    that contain their collection: see :mod:`.addressed`.
    """
    return (
        reachable(field.path)
        and field.path != ("_id",)
        and not is_parse_column(field.path)
        and not KEY_TYPES.isdisjoint(map(server_type, field.types))
    )


def may_tell(field: Field) -> bool:
    """Whether it may have values that do not occur elsewhere by accident."""
    return key_like(field) and not TELLING_TYPES.isdisjoint(map(server_type, field.types))


def is_parse_column(path: Path) -> bool:
    """Whether it is a column of Parse, which stores the pointer ``owner`` as
    ``_p_owner: "_User$Ed1nuqPvcm"``."""
    return len(path) == 1 and str(path[0]).startswith("_p_")


def _is_short(value: str) -> Any:
    is_string = {"$eq": [{"$type": value}, "string"]}
    is_binary = {"$eq": [{"$type": value}, "binData"]}
    size = {
        "$cond": [
            is_string,
            {"$strLenBytes": value},
            {"$cond": [is_binary, {"$binarySize": value}, 0]},
        ]
    }
    return {"$lte": [size, LONGEST]}


def batches(paths: Sequence[Path]) -> Iterator[list[Path]]:
    ordered = sorted(paths, key=levels)
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]


# What documents in memory show about references.
PROBE: Final = 10
"""The number of values of each path that are looked up under every key of the database."""

LOOKED_AT: Final = 200
"""The number of documents of a collection that are searched for unmistakable values; the others are
searched only for fields that these lack."""

MOST_KEYS: Final = 1_000_000
"""The total number of keys that are kept, at 8 bytes each."""

MOST_BYTES: Final = 32_000_000
"""The total size of documents that are kept for another search."""

_KEY_KINDS: Final = frozenset({"number", *KEY_TYPES} - NUMBERS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Harvested:
    """The values of one collection."""

    collection: str
    keys: Mapping[TargetKey, array[int]]
    """Hashes of the tokens of every value."""
    telling: Mapping[Path, Sequence[Any]]
    documents: Sequence[bytes]


@dataclass(slots=True)
class Harvest:
    """The values of all collections that were read completely; only one thread adds to it."""

    _keys: dict[TargetKey, array[int]] = field(default_factory=dict)
    _telling: dict[str, Mapping[Path, Sequence[Any]]] = field(default_factory=dict)
    _remembered: int = 0
    _documents: dict[str, Sequence[bytes]] = field(default_factory=dict)
    _bytes: int = 0

    def add(self, harvested: Harvested) -> None:
        self._telling[harvested.collection] = harvested.telling
        size = sum(map(len, harvested.documents))
        if self._bytes + size <= MOST_BYTES:
            self._documents[harvested.collection] = harvested.documents
            self._bytes += size
        for key, hashes in harvested.keys.items():
            if self._remembered + len(hashes) <= MOST_KEYS:
                self._keys[key] = hashes
                self._remembered += len(hashes)

    def telling(self, collection: str) -> Mapping[Path, Sequence[Any]] | None:
        """Unmistakable values by path; None if the collection was not read completely."""
        return self._telling.get(collection)

    def sample(self, profile: Profile, paths: Sequence[Path], size: int) -> list[Sampled] | None:
        """The result of :func:`sample_values`; None if the documents are not kept."""
        documents = self._documents.get(profile.collection)
        if documents is None:
            return None
        beside = named_beside_keys(profile)
        found: dict[Path, dict[Token, Any]] = {path: {} for path in paths}
        for raw in documents if paths else ():
            document = bson.decode(raw, codec_options=LENIENT)
            for path, values in found.items():
                for value in values_at(document, path, beside):
                    one = token(value)
                    if one[0] in _KEY_KINDS and _is_short_key(one):
                        values.setdefault(one, value)
        return [
            Sampled(
                path=path,
                values=tuple(values.values())[:size],
                # Arrays were truncated, so only paths without them were seen completely.
                complete=len(values) <= size and levels(path) == 0,
            )
            for path, values in found.items()
        ]

    def hashes(self, key: TargetKey) -> Sequence[int] | None:
        """The hashes of all tokens of a key; None if they are not kept."""
        return self._keys.get(key)

    def among(self, key: TargetKey, tokens: Iterable[Token]) -> set[Token] | None:
        """The ``tokens`` that are keys; None if the keys are not kept."""
        hashes = self._keys.get(key)
        if hashes is None:
            return None
        known = frozenset(hashes)
        return {one for one in tokens if hash(one) in known}


def harvested(
    profile: Profile, keys: Sequence[TargetKey], documents: Sequence[bytes]
) -> Harvested | None:
    """The values of the documents; None if one cannot be decoded, so that the server must be
    queried."""
    hashes: dict[TargetKey, array[int]] = {key: array("q") for key in keys}
    search = _Telling(profile)
    step = max(1, len(documents) // LOOKED_AT)
    try:
        for number, raw in enumerate(documents):
            document = bson.decode(raw, codec_options=LENIENT)
            for key, found in hashes.items():
                found.append(hash(token(value_at(document, key.field))))
            search.look(document, rare=number % step != 0)
    except (BSONError, ValueError, OverflowError):
        return None
    return Harvested(
        collection=profile.collection, keys=hashes, telling=search.found(), documents=documents
    )


class _Telling:
    """Unmistakable values, at most PROBE of each path."""

    def __init__(self, profile: Profile) -> None:
        self._beside = named_beside_keys(profile)
        self._values: dict[Path, dict[Token, Any]] = {
            each.path: {} for each in profile.walk() if may_tell(each)
        }
        self._open = set(self._values)
        self._unseen = set(self._values)

    def look(self, document: Any, *, rare: bool) -> None:
        """Search a document; with ``rare``, only for fields without any value yet."""
        for path in list(self._unseen if rare else self._open):
            for value in values_at(document, path, self._beside):
                self._unseen.discard(path)
                if is_unmistakable(value):
                    self._add(path, value)

    def _add(self, path: Path, value: Any) -> None:
        if len(self._values[path]) < PROBE:
            self._values[path][token(value)] = value
        else:
            self._open.discard(path)

    def found(self) -> dict[Path, tuple[Any, ...]]:
        return {path: tuple(values.values()) for path, values in self._values.items() if values}


def _is_short_key(value: Token) -> bool:
    """Whether it is short, in bytes for texts and binary values; other keys always are."""
    match value:
        case ("string", str() as text):
            return len(text) <= LONGEST and len(text.encode("utf-8", "replace")) <= LONGEST
        case ("binData", (_, bytes() as data)):
            return len(data) <= LONGEST
        case _:
            return True


def values_at(
    value: Any, path: Path, beside: Named, done: Path = (), *, limit: int = ELEMENTS
) -> Iterator[Any]:
    """The values at a path of a decoded document, as :func:`~.extraction.extraction` returns
    them."""
    if not path:
        if value is not None and not isinstance(value, list):
            yield value
        return
    step, rest = path[0], path[1:]
    here = (*done, step)
    if step is ELEMENT:
        for each in value[:limit] if isinstance(value, list) else ():
            yield from values_at(each, rest, beside, here, limit=limit)
    elif not isinstance(value, dict):
        return
    elif step is KEY:
        named = beside.get(done, ())
        entries = [each for name, each in value.items() if name not in named]
        for each in entries[:limit]:
            yield from values_at(each, rest, beside, here, limit=limit)
    elif step in value:
        yield from values_at(value[step], rest, beside, here, limit=limit)
