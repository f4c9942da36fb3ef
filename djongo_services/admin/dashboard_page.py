"""The dashboard of a connection, which replaces the admin's list of objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from pymongo import MongoClient

from djongo_services.admin.address import shown_name
from djongo_services.admin.collection_pages import CollectionPages
from djongo_services.admin.dashboard import (
    ORDERS,
    STATES,
    CollectionRow,
    DashboardPageData,
    collection_rows,
    find_collections,
    server_facts,
)
from djongo_services.admin.dashboard_groups import group_name
from djongo_services.admin.database_totals import ask_totals, found_totals, is_late
from djongo_services.admin.pages import page_links, page_number
from djongo_services.admin.profiles.keeping import moment
from djongo_services.admin.run_states import FoundRun, latest_runs, run_context
from djongo_services.connections import Connection
from djongo_services.error_messages import address_of
from djongo_services.formatting import count, printable
from djongo_services.introspection.rendering.wording import server_text
from djongo_services.schema.wording import plan_text


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
        state = request.GET.get("state", "")
        state = state if state in STATES else ""
        page = page_number(request)
        deadline = self.deadline(request, connection)
        summed = ask_totals(deadline)
        asked = deadline.ask(
            lambda database: find_collections(
                database,
                connection,
                matching=matching,
                page=page,
                order=order,
                state=state,
                may_take_long="wait" in request.GET,
            )
        )
        members = deadline.ask(lambda database: member_rows(database.client))
        runs = deadline.ask(lambda database: latest_runs(database, 1))
        found = asked.value
        totals = found_totals(summed, connection, collections=found.every if found else 0)
        kept = {"connection": connection.alias, "q": matching, "state": state, "o": order}
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
                "totals": totals.texts() if totals else None,
                "totals_moment": moment(totals.when) if totals and totals.is_kept else None,
                "are_totals_late": totals is None and is_late(summed),
                "members": members.value or [],
                "query": matching,
                "states": _states(kept),
                "state": state,
                "plan_url": self.database_url("whole_plan", connection.alias),
                "runs_url": self.database_url("runs", connection.alias),
                "last_run": self._last_run(connection, runs.value),
                "order": order,
                "columns": _columns({**kept, "o": found.order if found else order}),
                **(self._found(found, connection) if found else {}),
                "pages": page_links(
                    found.pages,
                    found.page,
                    lambda number: _with(kept, p=str(number), wait=request.GET.get("wait", "")),
                )
                if found
                else [],
            },
        )

    def _last_run(
        self, connection: Connection, runs: Sequence[FoundRun] | None
    ) -> dict[str, Any] | None:
        for found in runs or ():
            url = self.database_url("run", connection.alias, str(found.run.id))
            return {**run_context(found.run, is_alive=found.is_alive), "url": url}
        return None

    def _found(self, found: DashboardPageData, connection: Connection) -> dict[str, Any]:
        rows = collection_rows(found, connection.alias)
        plan = found.plan
        abilities = server_facts(found.catalog)
        return {
            "server": server_text(found.catalog.server),
            "abilities": abilities,
            "ability_count": _("%(has)s of %(all)s server features")
            % {"has": sum(one["has"] for one in abilities), "all": len(abilities)},
            "read_only": found.catalog.server.read_only,
            "unavailable": [
                f"{printable(one.what)}: {printable(one.reason)}"
                for one in found.catalog.unavailable
            ],
            "groups": self._groups(rows, found, is_by_name=found.order.endswith("name")),
            "too_many": found.too_many,
            "number": count(len(found.names)),
            "drift": plan_text(plan) if plan is not None and found.is_whole else None,
            "in_sync": plan is not None and plan.in_sync,
            "drift_trouble": found.trouble,
        }

    def _groups(
        self, rows: Sequence[CollectionRow], found: DashboardPageData, *, is_by_name: bool
    ) -> list[dict[str, Any]]:
        """The rows; sorted by size they are not grouped, so that the largest of all comes first."""
        sizes = Counter(found.groups[name] for name in found.names)
        return [
            {
                "name": group_name(group) if group else "",
                "number": count(sizes[group]) if group else "",
                "rows": [
                    {
                        "row": row,
                        "url": self.collection_url(row.address),
                        "schema_url": self.collection_url(row.address, "schema"),
                    }
                    for row in members
                ],
            }
            for group, members in groupby(rows, lambda row: row.group if is_by_name else None)
        ]


def _columns(kept: dict[str, str]) -> dict[str, dict[str, str]]:
    """For each column by name, the link of its heading and its current sort order."""
    columns = {}
    for name in ORDERS:
        # Sorting by size shows the largest ones first.
        first = name if name == "name" else f"-{name}"
        other = f"-{name}" if name == "name" else name
        current = kept["o"]
        sorted_ = {name: "ascending", f"-{name}": "descending"}.get(current, "")
        columns[name] = {"url": _with(kept, o=other if current == first else first), "is": sorted_}
    return columns


def _states(kept: dict[str, str]) -> list[dict[str, Any]]:
    """The filters, each with its link."""
    names = {
        "": _("All"),
        "differs": _("Different from the models"),
        "same": _("In sync"),
        "free": _("Without a model"),
    }
    return [
        {"name": name, "url": _with(kept, state=state), "is_current": state == kept["state"]}
        for state, name in names.items()
    ]


def _with(kept: dict[str, str], **changed: str) -> str:
    """A link on this page, without empty parameters."""
    return "?" + urlencode({name: value for name, value in {**kept, **changed}.items() if value})


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberRow:
    address: str
    role: str
    is_well: bool
    round_trip: str
    """The time in milliseconds that the driver's monitor measured."""


def member_rows(client: MongoClient[dict[str, Any]]) -> list[MemberRow]:
    roles = {
        "RSPrimary": _("primary"),
        "RSSecondary": _("secondary"),
        "RSArbiter": _("arbiter"),
        "Standalone": _("standalone"),
        "Mongos": _("mongos"),
        "LoadBalancer": _("load balancer"),
    }
    rows = []
    for address, server in sorted(client.topology_description.server_descriptions().items()):
        host, port = address
        time = server.round_trip_time
        rows.append(
            MemberRow(
                address=printable(f"{host}:{port}"),
                role=roles.get(server.server_type_name, _("does not answer")),
                is_well=server.server_type_name in roles,
                round_trip="" if time is None else f"{time * 1000:.1f} ms",
            )
        )
    return rows
