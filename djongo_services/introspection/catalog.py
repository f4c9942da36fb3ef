"""The collections of a database, with their options, validators and indexes, as plain values.

:func:`djongo_services.introspection.read_catalog` creates these; nothing here talks to a server. A
value that the user may not read is ``None``, and :attr:`Collection.unavailable` contains the
reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from bson.raw_bson import RawBSONDocument

from djongo_services.abilities import Abilities
from djongo_services.index_kinds import KINDS, IndexKind, kind_of

Direction = int | float | str
"""1, -1, or the name of a special index type: ``text``, ``2dsphere``, ``2d``, ``hashed``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unavailable:
    """Something that could not be read."""

    what: str
    """``options``, ``indexes``, ``statistics``, ``usage`` or ``builds``."""
    reason: str
    """The reason, as one sentence."""


MARK = "Kept by djongo_services"
"""The beginning of the description of a schema that this app wrote."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Validator:
    query: Mapping[str, Any]
    """The validator document as stored: a query, usually ``{"$jsonSchema": {...}}``."""
    level: Literal["off", "moderate", "strict"] = "strict"
    action: Literal["error", "warn"] = "error"
    bson: bytes | None = field(default=None, repr=False, compare=False)
    """The query as the server keeps it, byte by byte; None if it was not read from a server. BSON
    distinguishes values that Python's types do not, such as symbols and the order of a DBRef."""

    @property
    def stored(self) -> Mapping[str, Any]:
        """The query to send to a server, so that it stays unchanged."""
        return self.query if self.bson is None else RawBSONDocument(self.bson)

    @property
    def json_schema(self) -> Mapping[str, Any] | None:
        """The top-level ``$jsonSchema``, if there is one."""
        schema: Mapping[str, Any] | None = self.query.get("$jsonSchema")
        return schema


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexUsage:
    """How often one member has used an index since it started (``$indexStats``).

    The counts are in each member's memory: zero on one host says nothing about the others, and TTL
    deletions are not counted.
    """

    host: str
    operations: int
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexBuild:
    """The progress of an index build; None if ``currentOp`` does not report it."""

    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    name: str
    keys: tuple[tuple[str, Direction], ...]
    """The keys in order; the fields of a text index by name (from its weights), each with
    ``"text"``."""
    definition: Mapping[str, Any]
    """The document of ``listIndexes`` as returned, including ``key``, ``name`` and ``v``."""
    multikey: bool | None = None
    """Whether an array was indexed; None if that is unknown."""
    size: int | None = None
    """The size on disk in bytes."""
    usage: tuple[IndexUsage, ...] | None = None
    """One entry for each member that responded; None if it was not read."""
    build: IndexBuild | None = None
    """Set while the index is being built."""

    @property
    def unique(self) -> bool:
        """True for ``_id_`` and a clustered index too, which the server does not mark."""
        return bool(self.definition.get("unique")) or self.is_id or self.clustered

    @property
    def is_id(self) -> bool:
        return tuple(self.definition.get("key", {})) == ("_id",) and self.name == "_id_"

    @property
    def sparse(self) -> bool:
        return bool(self.definition.get("sparse"))

    @property
    def hidden(self) -> bool:
        return bool(self.definition.get("hidden"))

    @property
    def clustered(self) -> bool:
        return bool(self.definition.get("clustered"))

    @property
    def prepare_unique(self) -> bool:
        """Set half-way through a conversion to unique (MongoDB 6.0+): duplicates are refused."""
        return bool(self.definition.get("prepareUnique"))

    @property
    def partial_filter(self) -> Mapping[str, Any] | None:
        value: Mapping[str, Any] | None = self.definition.get("partialFilterExpression")
        return value

    @property
    def expire_after_seconds(self) -> int | float | None:
        value: int | float | None = self.definition.get("expireAfterSeconds")
        return value

    @property
    def collation(self) -> Mapping[str, Any] | None:
        value: Mapping[str, Any] | None = self.definition.get("collation")
        return value

    @property
    def weights(self) -> Mapping[str, int] | None:
        """The weights of a text index: field to weight."""
        value: Mapping[str, int] | None = self.definition.get("weights")
        return value

    @property
    def wildcard_projection(self) -> Mapping[str, Any] | None:
        value: Mapping[str, Any] | None = self.definition.get("wildcardProjection")
        return value

    @property
    def kind(self) -> IndexKind:
        return KINDS["clustered"] if self.clustered else kind_of(self.keys)

    @property
    def type(self) -> str:
        """The name of its kind: ``regular``, ``compound``, ``text``, ``2dsphere``, ``2d``,
        ``hashed``, ``wildcard`` or ``clustered``."""
        return self.kind.name

    @property
    def properties(self) -> tuple[str, ...]:
        """The marks that Compass shows beside an index, in a fixed order."""
        marks = {
            "unique": self.unique,
            "sparse": self.sparse,
            "partial": self.partial_filter is not None,
            "TTL": self.expire_after_seconds is not None,
            "collation": self.collation is not None,
            "hidden": self.hidden,
            "multikey": bool(self.multikey),
            "prepareUnique": self.prepare_unique,
            "building": self.build is not None,
        }
        return tuple(mark for mark, is_set in marks.items() if is_set)


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """The figures of ``$collStats``: bytes, and the number of documents from the server's
    metadata."""

    count: int | None
    """The number of documents; None for a time-series collection, whose buckets alone the server
    counts."""
    size: int
    """The uncompressed size of the documents in bytes."""
    storage_size: int
    index_size: int

    @property
    def average_size(self) -> float | None:
        return self.size / self.count if self.count else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    name: str
    type: Literal["collection", "view", "timeseries"] = "collection"
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options as ``listCollections`` returns them, without the validator's three."""
    uuid: UUID | None = None
    validator: Validator | None = None
    indexes: tuple[Index, ...] = ()
    statistics: Statistics | None = None
    """None for a view, and if the privilege is missing."""
    unavailable: tuple[Unavailable, ...] = ()

    @property
    def capped(self) -> bool:
        return bool(self.options.get("capped"))

    @property
    def clustered(self) -> bool:
        return "clusteredIndex" in self.options

    @property
    def view_on(self) -> str | None:
        """The collection or view that a view reads."""
        source: str | None = self.options.get("viewOn") if self.type == "view" else None
        return source


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    database: str
    server: Abilities
    collections: tuple[Collection, ...]
    """The collections by name, without those of the system."""
    system_collections: tuple[Collection, ...] = ()
    """The collections ``system.*``, including the buckets of time-series collections."""
    unavailable: tuple[Unavailable, ...] = ()
    """What is missing in all collections, because members did not respond."""

    def __getitem__(self, name: str) -> Collection:
        for collection in self.collections + self.system_collections:
            if collection.name == name:
                return collection
        raise KeyError(name)
