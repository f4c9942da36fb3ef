"""The Totals tab: the charts of a bucket, and a new count."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from djongo_services.admin.applying import Attempt, attempt
from djongo_services.admin.deadline import Mongo
from djongo_services.admin.files.address import BucketAddress
from djongo_services.admin.files.buckets import BucketSizes, bucket_sizes, files_of
from djongo_services.admin.files.charts import month_chart, type_parts, type_rows
from djongo_services.admin.files.overview_page import bucket_facts
from djongo_services.admin.files.pages import FilePages
from djongo_services.admin.files.rows import moment_text
from djongo_services.admin.files.totals import (
    SMALL,
    Known,
    Totals,
    begin_count,
    count_and_keep,
    count_totals,
    known_totals,
)
from djongo_services.connections import connections
from djongo_services.formatting import printable


class TotalsPage(FilePages):
    def page_urls(self) -> list[URLPattern]:
        count = require_POST(self.count)
        return [
            self.page_url("<path:object_id>/totals/", self.totals, "totals"),
            self.page_url("<path:object_id>/count/", count, "count"),
            *super().page_urls(),
        ]

    def totals(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        address = self.bucket_address(object_id)
        deadline = self.deadline(request, connections[address.alias])
        asked = deadline.ask(lambda database: _read(database, address.bucket))
        context: dict[str, Any] = {"tab": "totals", "trouble": asked.trouble}
        if asked.value is not None:
            context |= self._totals_context(address, *asked.value)
        return self.bucket_page(request, address, "totals.html", context)

    def count(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Begin to count, and wait a moment for the result."""
        self.require(request, "view", "change")
        address = self.bucket_address(object_id)
        connection = connections[address.alias]
        back = HttpResponseRedirect(self.page_of(address, "totals"))
        by = request.user.get_username()
        asked = self.deadline(request, connection).ask(
            lambda database: begin_count(database, address.bucket, by=by)
        )
        if asked.trouble is not None:
            self.message_user(request, asked.trouble, messages.ERROR)
            return back
        if not asked.value:
            self.message_user(request, _("A count is already running."), messages.INFO)
            return back

        def work(database: Mongo, tried: Attempt) -> ObjectId:
            count_and_keep(database, address.bucket)
            return ObjectId()

        tried = attempt(connection, work)
        if tried.trouble is not None:
            self.message_user(request, tried.trouble, messages.ERROR)
        return back

    def _totals_context(
        self, address: BucketAddress, sizes: BucketSizes, known: Known, fresh: Totals | None
    ) -> dict[str, Any]:
        totals = fresh or known.totals
        run = known.run
        return {
            "facts": bucket_facts(sizes, totals),
            "is_counted": totals is not None,
            "is_fresh": fresh is not None,
            "counted": moment_text(totals.counted) if totals and totals.counted else None,
            "parts": type_parts(totals) if totals else [],
            "types": type_rows(totals) if totals else [],
            "chart": month_chart(totals) if totals else None,
            "count_url": self.page_of(address, "count"),
            "is_counting": run is not None and run.status == "running",
            "counting_since": moment_text(run.started) if run else None,
            "count_trouble": _trouble(known),
        }


def _read(database: Mongo, bucket: str) -> tuple[BucketSizes, Known, Totals | None]:
    (sizes,) = bucket_sizes(database, [bucket])
    known = known_totals(database, [bucket]).get(bucket, Known())
    fresh = None
    if sizes.files is not None and sizes.files.documents <= SMALL:
        fresh = count_totals(files_of(database, bucket))
    return sizes, known, fresh


def _trouble(known: Known) -> str | None:
    match known.run:
        case None:
            return None
        case run if run.status == "failed":
            return _("The last count failed: %(why)s") % {"why": printable(run.error or "?")}
        case run if run.status == "lost":
            return _("The last count was interrupted: its process has ended.")
    return None
