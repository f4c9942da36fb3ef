"""The Indexes tab."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from djongo_services.admin.address import Address
from djongo_services.admin.collection_pages import CollectionPages, read_collection
from djongo_services.admin.indexes import ORDERS, IndexRow, index_rows
from djongo_services.connections import connections


class IndexesTab(CollectionPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("<path:object_id>/change/", self.indexes, "change"),
            *super().page_urls(),
        ]

    def indexes(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        address = self.address(object_id)
        patience = self.patience(request, connections[address.alias])
        asked = patience.ask(read_collection(address.collection, usage=True))
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
        """What this user may do to the index now."""
        actions = (
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
