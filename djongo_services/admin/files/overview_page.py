"""The buckets of a connection, which replace the admin's list of objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from djongo_services.admin.address import shown_name
from djongo_services.admin.deadline import Mongo
from djongo_services.admin.files.address import BucketAddress
from djongo_services.admin.files.buckets import (
    PER_PAGE,
    BucketSizes,
    bucket_names,
    bucket_sizes,
    files_of,
)
from djongo_services.admin.files.charts import month_chart, type_parts
from djongo_services.admin.files.homes import Home, homes
from djongo_services.admin.files.pages import FilePages, takes_no_writes
from djongo_services.admin.files.rows import files_text, moment_text, trash_text, uploads_text
from djongo_services.admin.files.totals import SMALL, Known, Totals, count_totals, known_totals
from djongo_services.formatting import size


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """The data for one page of buckets."""

    names: tuple[str, ...]
    """The names of all buckets."""
    sizes: tuple[BucketSizes, ...]
    """The sizes of the buckets on the page."""
    known: dict[str, Known]
    counted: dict[str, Totals]
    """The totals of small buckets, just counted."""
    page: int
    pages: int


class OverviewPage(FilePages):
    def page_urls(self) -> list[URLPattern]:
        return [self.page_url("", self.overview, "changelist"), *super().page_urls()]

    def overview(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "view")
        if not self.aliases():
            return self.render(request, "files/overview.html", {"title": _("Files")})
        connection = self.connection(request)
        at_home = homes(connection.alias)
        page = _whole(request.GET.get("p", ""))
        deadline = self.deadline(request, connection)
        asked = deadline.ask(lambda database: read_overview(database, [*at_home], page))
        found = asked.value
        cards = self._cards(connection.alias, found, at_home) if found else []
        return self.render(
            request,
            "files/overview.html",
            {
                "title": _("Files"),
                "connections": self.switcher(connection),
                "connection_name": shown_name(connection.alias),
                "trouble": asked.trouble,
                "read_only": asked.trouble is None and takes_no_writes(connection.alias),
                "wait_url": None if "wait" in request.GET else "?" + _query(connection.alias, "1"),
                "cards": cards,
                "pages": _pages(found, connection.alias) if found else [],
                "may_add": self.allows(request, "add"),
                "upload_url": self.url("add") + "?" + _query(connection.alias, ""),
            },
        )

    def _cards(
        self, alias: str, found: Overview, at_home: dict[str, list[Home]]
    ) -> list[dict[str, Any]]:
        cards = []
        for sizes in found.sizes:
            address = BucketAddress(alias=alias, bucket=sizes.name)
            known = found.known.get(sizes.name, Known())
            totals = found.counted.get(sizes.name) or known.totals
            cards.append(
                {
                    "name": address.shown,
                    "url": self.page_of(address),
                    "totals_url": self.page_of(address, "totals"),
                    "is_there": sizes.files is not None,
                    "facts": bucket_facts(sizes, totals),
                    "homes": [home.label for home in at_home.get(sizes.name, [])],
                    "counted": moment_text(totals.counted) if totals and totals.counted else None,
                    "is_counted": totals is not None,
                    "parts": type_parts(totals) if totals else [],
                    "chart": month_chart(totals) if totals else None,
                }
            )
        return cards


def read_overview(database: Mongo, at_home: list[str], page: int) -> Overview:
    """The data of a page, with at most ``4 + PER_PAGE`` commands."""
    names = sorted({*bucket_names(database), *at_home})
    pages = max(1, -(-len(names) // PER_PAGE))
    page = min(page, pages)
    shown = names[(page - 1) * PER_PAGE : page * PER_PAGE]
    sizes = bucket_sizes(database, shown)
    known = known_totals(database, shown)
    counted: dict[str, Totals] = {}
    left = SMALL
    for each in sizes:
        if each.files is not None and each.files.documents <= left:
            left -= each.files.documents
            counted[each.name] = count_totals(files_of(database, each.name))
    return Overview(
        names=tuple(names),
        sizes=tuple(sizes),
        known=known,
        counted=counted,
        page=page,
        pages=pages,
    )


def bucket_facts(sizes: BucketSizes, totals: Totals | None) -> list[str]:
    """Phrases about what is known without counting."""
    if not sizes.is_known:
        return [_("size unknown: the database user may not read it")]
    if sizes.files is None:
        return [_("no files stored yet")]
    number = totals.files if totals and not totals.counted else sizes.files.documents
    said = [files_text(number)]
    if totals and not totals.counted:
        said.append(size(totals.bytes))
    elif sizes.chunks is not None:
        said.append(_("%(size)s in chunks") % {"size": size(sizes.chunks.bytes)})
    said.append(_("%(size)s on disk") % {"size": size(sizes.on_disk)})
    if sizes.trash is not None and sizes.trash.documents:
        said.append(trash_text(sizes.trash.documents))
    if sizes.uploads is not None and sizes.uploads.documents:
        said.append(uploads_text(sizes.uploads.documents))
    return said


def _pages(found: Overview, alias: str) -> list[dict[str, Any]]:
    if found.pages == 1:
        return []
    return [
        {"number": n, "url": "?" + _query(alias, "", p=str(n)), "is_current": n == found.page}
        for n in range(1, found.pages + 1)
        if n in (1, found.pages) or abs(n - found.page) <= 3
    ]


def _query(alias: str, wait: str, **more: str) -> str:
    given = {"connection": alias, "wait": wait, **more}
    return urlencode({name: value for name, value in given.items() if value})


def _whole(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 9 else 1
