"""The rows of the Indexes tab."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from djongo_services.abilities import Abilities
from djongo_services.admin.address import Address, shown_name
from djongo_services.admin.bars import Bar, bar
from djongo_services.admin.collection_pages import CollectionPages, read_collection
from djongo_services.connections import connections
from djongo_services.formatting import count, extended_json, printable, shortened, size
from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.redundancy import redundant
from djongo_services.introspection.rendering.wording import index_keys, index_properties
from djongo_services.schema.declared import declared_indexes
from djongo_services.schema.spec import CollectionSpec

LONGEST = 300
"""The maximum number of characters of a definition or a property; the whole is in the JSON."""
LONGEST_DEFINITION = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """The usage of one member: the number of uses, and since when they are counted."""

    host: str
    operations: str
    is_used: bool
    since: str
    """The time, with its age."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexRow:
    digest: str
    """Identifies the index in URLs; see :func:`digest_of`."""
    name: str
    keys: str
    definition: str
    """The definition in the form of createIndexes, in Extended JSON."""
    type: str
    size: Bar | None
    usage: tuple[Usage, ...]
    """Empty if it is not available."""
    properties: tuple[str, ...]
    declared_by: str | None
    """None if no model declares it."""
    is_automatic: bool
    """Whether it is the server's own, on ``_id``."""
    redundant_with: str | None
    is_hidden: bool
    is_building: bool

    @property
    def may_be_declared(self) -> bool:
        return self.declared_by is None and not (self.is_automatic or self.is_building)

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
    """The rows in the server's order, or by one of :data:`ORDERS`, reversed with ``-``."""
    declared = declared_indexes(collection, spec, server)
    instead = {index.name: other.name for index, other in redundant(collection.indexes, declared)}
    largest = max((index.size or 0 for index in collection.indexes), default=0)
    return [
        IndexRow(
            digest=digest_of(index.name),
            name=shown_name(index.name),
            keys=shortened(index_keys(index), LONGEST),
            definition=definition_text(index),
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


def definition_text(index: Index) -> str:
    known = {name: value for name, value in index.definition.items() if name not in ("v", "ns")}
    return shortened(extended_json(known, indent=2), LONGEST_DEFINITION)


def is_automatic(index: Index) -> bool:
    """Whether it is the server's own, which cannot be hidden or dropped."""
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
            is_used=used.operations > 0,
            since=_("%(moment)s (%(age)s)")
            % {"moment": f"{used.since:%Y-%m-%d %H:%M}", "age": timesince(used.since, depth=1)},
        )
        for used in index.usage or ()
    )


class IndexesTab(CollectionPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("<path:object_id>/change/", self.indexes, "change"),
            *super().page_urls(),
        ]

    def indexes(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        address = self.address(object_id)
        deadline = self.deadline(request, connections[address.alias])
        asked = deadline.ask(read_collection(address.collection, usage=True))
        catalog = asked.value
        order = request.GET.get("o", "")
        context: dict[str, Any] = {"rows": [], "columns": _columns(order)}
        if catalog is not None and catalog.collections:
            found = catalog.collections[0]
            rows = index_rows(found, self.spec(address), catalog.server, order)
            context["rows"] = [
                {"row": row, "actions": self._actions(request, address, row)} for row in rows
            ]
            context["members"] = catalog.unavailable
            context["is_view"] = found.type == "view"
        return self.tab(request, address, "change", catalog, asked.trouble, context)

    def _actions(
        self, request: HttpRequest, address: Address, row: IndexRow
    ) -> list[dict[str, Any]]:
        """The actions that this user may perform on the index now."""
        actions = (
            ("declare", _("Code for Meta.indexes"), row.may_be_declared),
            ("hide", _("Hide"), row.may_be_hidden and self.allows(request, "change")),
            ("unhide", _("Unhide"), row.may_be_unhidden and self.allows(request, "change")),
            ("drop", _("Drop"), row.may_be_dropped and self.allows(request, "delete")),
        )
        return [
            {"name": name, "title": title, "url": self.index_url(address, row.digest, name)}
            for name, title, is_possible in actions
            if is_possible
        ]

    def index_url(self, address: Address, digest: str, action: str) -> str:
        return self.url("index", self.quoted(address), digest, action)


def _columns(order: str) -> dict[str, dict[str, str]]:
    columns = {}
    for name in ORDERS:
        first, other = (name, f"-{name}") if name in ("name", "type") else (f"-{name}", name)
        sorted_ = {name: "ascending", f"-{name}": "descending"}.get(order, "")
        columns[name] = {"url": f"?o={other if order == first else first}", "is": sorted_}
    return columns
