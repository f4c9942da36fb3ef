"""Values of a collection's fields that may be keys of others, a bounded number of each.

A large collection is sampled for them. A small one is read whole for its profile: its keys, and
some telling values of each field, are taken from these documents, so that nothing has to be asked
of the server again: in a database of thousands of small collections, the questions would cost more
than all else.
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
"""Elements of one array that are looked at."""

LONGEST = 200
"""Bytes of a string or binary value; keys are shorter."""

KEY_TYPES = frozenset({"objectId", "string", "int", "long", "double", "decimal", "binData"})

TELLING_TYPES = frozenset({"objectId", "string", "binData"})
"""Types of which a value can be one of its kind in the whole world."""

SAMPLE_SHARE = 0.05
"""As for values: a larger sample costs more than reading everything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """Distinct values at a path."""

    path: Path
    values: tuple[Any, ...]
    complete: bool
    """Whether these are all there are."""


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
    """Nothing where reading the whole collection is cheaper than the sample."""
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
                # Arrays were cut, so that only paths without them were seen whole.
                complete=whole and not one.overflow and levels(path) == 0,
            )
            for path, one in zip(batch, gathered, strict=True)
        ]
    return found


def key_like(field: Field) -> bool:
    """Whether a field has values that may be keys of something else.

    ``_id`` is not: copies of a collection share it without referring to each other. Nor is what
    names its collection itself: :mod:`.addressed`.
    """
    return (
        reachable(field.path)
        and field.path != ("_id",)
        and not is_parse_column(field.path)
        and not KEY_TYPES.isdisjoint(map(server_type, field.types))
    )


def may_tell(field: Field) -> bool:
    """Whether it may have values that occur elsewhere on purpose only."""
    return key_like(field) and not TELLING_TYPES.isdisjoint(map(server_type, field.types))


def is_parse_column(path: Path) -> bool:
    """Parse keeps the pointer ``owner`` as ``_p_owner: "_User$Ed1nuqPvcm"``."""
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


# What documents that are in memory anyway tell of references.
PROBE: Final = 10
"""Values of each path that are looked up under every key of the database."""

LOOKED_AT: Final = 200
"""Documents of a collection that are searched for telling values; in the others only fields are
looked for that these do not have."""

MOST_KEYS: Final = 1_000_000
"""Keys that are remembered in all, at 8 bytes each."""

MOST_BYTES: Final = 32_000_000
"""The size of documents that are kept in all, to be looked into once more."""

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
    """The values of all collections that were read whole; only one thread adds to it."""

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
        """Unmistakable values by path; None where the collection was not read whole."""
        return self._telling.get(collection)

    def sample(self, profile: Profile, paths: Sequence[Path], size: int) -> list[Sampled] | None:
        """What :func:`sample_values` reads; None where the documents are not kept."""
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
                # Arrays were cut, so that only paths without them were seen whole.
                complete=len(values) <= size and levels(path) == 0,
            )
            for path, values in found.items()
        ]

    def hashes(self, key: TargetKey) -> Sequence[int] | None:
        """The hashes of all tokens of a key; None where they are not remembered."""
        return self._keys.get(key)

    def among(self, key: TargetKey, tokens: Iterable[Token]) -> set[Token] | None:
        """Those of ``tokens`` that are keys; None where the keys are not remembered."""
        hashes = self._keys.get(key)
        if hashes is None:
            return None
        known = frozenset(hashes)
        return {one for one in tokens if hash(one) in known}


def harvested(
    profile: Profile, keys: Sequence[TargetKey], documents: Sequence[bytes]
) -> Harvested | None:
    """None where a document cannot be decoded: the server has to be asked."""
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
        """``rare``: only for fields of which nothing was seen yet."""
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
    """Texts by their bytes, binary values likewise; other keys are."""
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
    """The values at a path of a decoded document, as :func:`~.extraction.extraction` has them."""
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
