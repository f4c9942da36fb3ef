"""The rows of the Indexes tab."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from djongo_services.abilities import Abilities
from djongo_services.admin.address import shown_name
from djongo_services.admin.bars import Bar, bar
from djongo_services.admin.declarations import declared_indexes
from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.redundancy import redundant
from djongo_services.introspection.rendering.numbers import count, size
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.values import shortened
from djongo_services.introspection.rendering.wording import index_keys, index_properties
from djongo_services.schema.spec import CollectionSpec

LONGEST = 300
"""Characters of a definition or a property; the whole is in the JSON below the row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Of one member: since when it counts, and how often it has used the index."""

    host: str
    operations: str
    since: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexRow:
    digest: str
    """Names the index in URLs; :func:`digest_of`."""
    name: str
    keys: str
    type: str
    size: Bar | None
    usage: tuple[Usage, ...]
    """Empty where it is not available."""
    properties: tuple[str, ...]
    declared_by: str | None
    """None where no model declares it."""
    is_automatic: bool
    """Whether it is the server's own, on ``_id``."""
    redundant_with: str | None
    is_hidden: bool
    is_building: bool

    @property
    def may_be_hidden(self) -> bool:
        return not (self.is_automatic or self.is_hidden or self.is_building)

    @property
    def may_be_unhidden(self) -> bool:
        return self.is_hidden and not self.is_automatic

    @property
    def may_be_dropped(self) -> bool:
        return not self.is_automatic


def index_rows(
    collection: Collection, spec: CollectionSpec | None, server: Abilities, order: str = ""
) -> list[IndexRow]:
    """In the server's order, or by one of :data:`ORDERS`; ``-`` before it reverses."""
    declared = declared_indexes(collection, spec, server)
    instead = {index.name: other.name for index, other in redundant(collection.indexes)}
    largest = max((index.size or 0 for index in collection.indexes), default=0)
    return [
        IndexRow(
            digest=digest_of(index.name),
            name=shown_name(index.name),
            keys=shortened(index_keys(index), LONGEST),
            type=index.type,
            size=None if index.size is None else bar(size(index.size), index.size, largest),
            usage=_usage(index),
            properties=tuple(shortened(text, LONGEST) for text in index_properties(index)),
            declared_by=declared[index.name].declared_by or _("a model")
            if index.name in declared
            else None,
            is_automatic=is_automatic(index),
            redundant_with=shown_name(instead[index.name]) if index.name in instead else None,
            is_hidden=index.hidden,
            is_building=index.build is not None,
        )
        for index in _in_order(collection.indexes, order)
    ]


def is_automatic(index: Index) -> bool:
    """The server's own; nobody can hide or drop it."""
    return index.is_id or index.clustered


def digest_of(name: str) -> str:
    """A short name for a name of any length and content."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def find_index(collection: Collection, digest: str) -> Index | None:
    return next((one for one in collection.indexes if digest_of(one.name) == digest), None)


_ORDERS: Mapping[str, Callable[[Index], Any]] = {
    "name": lambda index: index.name.lower(),
    "type": lambda index: (index.type, index.name.lower()),
    "size": lambda index: index.size or 0,
    "usage": lambda index: sum(used.operations for used in index.usage or ()),
}
ORDERS = tuple(_ORDERS)


def _in_order(indexes: Sequence[Index], order: str) -> Sequence[Index]:
    key = _ORDERS.get(order.removeprefix("-"))
    return indexes if key is None else sorted(indexes, key=key, reverse=order.startswith("-"))


def _usage(index: Index) -> tuple[Usage, ...]:
    return tuple(
        Usage(
            host=printable(used.host),
            operations=count(used.operations),
            since=f"{used.since:%Y-%m-%d %H:%M}",
        )
        for used in index.usage or ()
    )
