"""The dashboard of a connection, where the admin has its list of objects."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from djongo_services.admin.address import shown_name
from djongo_services.admin.collection_pages import CollectionPages
from djongo_services.admin.dashboard import (
    ORDERS,
    Found,
    collection_rows,
    find_collections,
    server_facts,
    totals,
)
from djongo_services.admin.members import member_rows
from djongo_services.connections import Connection
from djongo_services.introspection.rendering.numbers import count
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.wording import server_text
from djongo_services.management.sentences import address_of
from djongo_services.schema.rendering import summary


class DashboardPage(CollectionPages):
    def page_urls(self) -> list[URLPattern]:
        return [self.page_url("", self.dashboard, "changelist"), *super().page_urls()]

    def dashboard(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "view")
        aliases = self.aliases()
        if not aliases:
            return self.render(request, "dashboard.html", {"title": _("Collections")})
        connection = self.connection(request)
        order = request.GET.get("o", "name")
        order = order if order.removeprefix("-") in ORDERS else "name"
        matching = request.GET.get("q", "").strip()
        page = _whole(request.GET.get("p", ""))
        patience = self.patience(request, connection)
        summed = patience.ask(totals)
        asked = patience.ask(
            lambda database: find_collections(
                database, connection, matching=matching, page=page, order=order
            )
        )
        members = patience.ask(lambda database: member_rows(database.client))
        found = asked.value
        kept = {"connection": connection.alias, "q": matching, "o": order}
        return self.render(
            request,
            "dashboard.html",
            {
                "title": _("Collections"),
                "connections": self.switcher(connection),
                "connection_name": shown_name(connection.alias),
                "where": address_of(connection),
                "trouble": asked.trouble,
                "wait_url": _with(kept, p=str(page), wait="1"),
                "totals": summed.value,
                "members": members.value or [],
                "query": matching,
                "plan_url": self.database_url("whole_plan", connection.alias),
                "runs_url": self.database_url("runs", connection.alias),
                "order": order,
                "columns": _columns(kept),
                **(self._found(found, connection, order) if found else {}),
                "pages": _pages(found, kept) if found else [],
            },
        )

    def _found(self, found: Found, connection: Connection, order: str) -> dict[str, Any]:
        rows = collection_rows(found, connection.alias, order)
        plan = found.plan
        return {
            "server": server_text(found.catalog.server),
            "abilities": server_facts(found.catalog),
            "read_only": found.catalog.server.read_only,
            "unavailable": [
                f"{printable(one.what)}: {printable(one.reason)}"
                for one in found.catalog.unavailable
            ],
            "rows": [{"row": row, "url": self.collection_url(row.address)} for row in rows],
            "number": count(len(found.names)),
            "drift": summary(plan) if plan is not None and found.pages == 1 else None,
            "in_sync": plan is not None and plan.in_sync,
            "drift_trouble": found.trouble,
        }


def _columns(kept: dict[str, str]) -> dict[str, dict[str, str]]:
    """By name, where its heading leads and how the column is sorted now."""
    columns = {}
    for name in ORDERS:
        # What is large comes first when a size is asked for.
        first = name if name == "name" else f"-{name}"
        other = f"-{name}" if name == "name" else name
        current = kept["o"]
        sorted_ = {name: "ascending", f"-{name}": "descending"}.get(current, "")
        columns[name] = {"url": _with(kept, o=other if current == first else first), "is": sorted_}
    return columns


def _pages(found: Found, kept: dict[str, str]) -> list[dict[str, Any]]:
    if found.pages == 1:
        return []
    return [
        {"number": number, "url": _with(kept, p=str(number)), "is_current": number == found.page}
        for number in range(1, found.pages + 1)
        if number in (1, found.pages) or abs(number - found.page) <= 3
    ]


def _with(kept: dict[str, str], **changed: str) -> str:
    """A link on this page; what is empty is left out."""
    return "?" + urlencode({name: value for name, value in {**kept, **changed}.items() if value})


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1
