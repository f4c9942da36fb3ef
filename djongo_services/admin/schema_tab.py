"""The Schema tab: the last profile, a new one, and how far that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bson import ObjectId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from djongo_services.admin.address import Address
from djongo_services.admin.collection_pages import CollectionPages, read_collection
from djongo_services.admin.exporting import FORMATS, export
from djongo_services.admin.fields import field_rows
from djongo_services.admin.pages import no_such
from djongo_services.admin.patience import Mongo, Question
from djongo_services.admin.profiles.documents import unpacked
from djongo_services.admin.profiles.keeping import Kept, Profiles, Run, moment
from djongo_services.admin.profiles.running import Order, release, reserve, run_in_background
from djongo_services.connections import connections
from djongo_services.introspection.catalog import Catalog
from djongo_services.introspection.path import render_path
from djongo_services.introspection.rendering.numbers import count
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.wording import (
    coverage_text,
    reference_text,
    warning_text,
)
from djongo_services.introspection.report import CollectionReport, Depth, Report
from djongo_services.models import Collection

SECONDS = 1.2
"""How long the page waits for a profile it has begun; samples take less."""
DEPTHS: tuple[Depth, ...] = ("sample", "complete", "exact")

State = tuple[Run | None, Kept | None]


class SchemaTab(CollectionPages):
    def page_urls(self) -> list[URLPattern]:
        start = require_POST(self.start_profile)
        stop = require_POST(self.stop_profile)
        return [
            self.page_url("<path:object_id>/schema/", self.schema, "schema"),
            self.page_url("<path:object_id>/schema/start/", start, "schema_start"),
            self.page_url("<path:object_id>/schema/stop/", stop, "schema_stop"),
            self.page_url("<path:object_id>/schema/progress/", self.progress, "schema_progress"),
            self.page_url(
                "<path:object_id>/schema/export/<str:format>/", self.export, "schema_export"
            ),
            *super().page_urls(),
        ]

    def schema(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        address = self.address(object_id)
        patience = self.patience(request, connections[address.alias])
        asked = patience.ask(read_collection(address.collection))
        state = patience.ask(lambda database: Profiles(database, address.collection).read())
        catalog = asked.value
        run, kept = state.value or (None, None)
        context: dict[str, Any] = {
            "run": run and _run_context(run),
            "start_url": self.collection_url(address, "schema_start"),
            "stop_url": self.collection_url(address, "schema_stop"),
            "progress_url": self.collection_url(address, "schema_progress"),
            "depths": _depths(),
            "state_trouble": state.trouble if asked.trouble is None else None,
        }
        if catalog is not None and catalog.collections and kept is not None:
            context |= self._profile(address, catalog, kept)
        return self.tab(request, address, "schema", catalog, asked.trouble, context)

    def start_profile(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "change")
        address = self.address(object_id)
        depth = request.POST.get("depth")
        if depth not in DEPTHS:
            raise no_such(_("depth"))
        trouble = self._start(request, address, depth)
        if trouble is not None:
            self.message_user(request, trouble, messages.ERROR)
        return HttpResponseRedirect(self.collection_url(address, "schema"))

    def stop_profile(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "change")
        address = self.address(object_id)
        asked = self._ask_profiles(request, address, lambda profiles: profiles.slot.ask_to_stop())
        if asked.trouble is not None:
            self.message_user(request, asked.trouble, messages.ERROR)
        elif asked.value:
            self.log_change(request, Collection(key=address.key), "stopped the profile")
            self.message_user(request, _("The profile ends soon, with what it has found."))
        return HttpResponseRedirect(self.collection_url(address, "schema"))

    def progress(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """For the page's script: where the run is."""
        self.require(request, "view")
        address = self.address(object_id)
        asked: Question[State] = self._ask_profiles(
            request, address, lambda profiles: profiles.read(whole=False)
        )
        if asked.value is None:
            return JsonResponse({"trouble": asked.trouble}, status=503)
        run, _kept = asked.value
        return JsonResponse({"run": run and _run_context(run)})

    def export(self, request: HttpRequest, object_id: str, format: str) -> HttpResponse:
        self.require(request, "view")
        address = self.address(object_id)
        if format not in FORMATS:
            raise no_such(_("format"))
        connection = connections[address.alias]
        patience = self.patience(request, connection)
        asked = patience.ask(read_collection(address.collection, usage=True))
        state = patience.ask(lambda database: Profiles(database, address.collection).read())
        if asked.value is None or state.value is None:
            trouble = asked.trouble or state.trouble or ""
            return HttpResponse(trouble, status=503, content_type="text/plain; charset=utf-8")
        report = _report(asked.value, state.value[1])
        if report is None:
            raise no_such(_("profile"))
        return export(report, format, backend=connection.settings.database is not None)

    def _start(self, request: HttpRequest, address: Address, depth: Depth) -> str | None:
        """Begin a profile, and wait a moment for it; what was in the way, as a sentence."""
        if not reserve():
            return _("This process takes several profiles already; try again when one has ended.")
        by = request.user.get_username()
        asked = self._ask_profiles(
            request, address, lambda profiles: profiles.begin(depth=depth, by=by)
        )
        run: ObjectId | None = asked.value
        if run is None:
            release()
            return asked.trouble or _("A profile of this collection is being taken already.")
        order = Order(
            connection=connections[address.alias],
            collection=address.collection,
            depth=depth,
            by=by,
            run=run,
        )
        run_in_background(order)
        self.log_change(request, Collection(key=address.key), f"began a profile: {depth}")
        order.ended.wait(SECONDS)
        return None

    def _ask_profiles(
        self, request: HttpRequest, address: Address, work: Callable[[Profiles], Any]
    ) -> Question[Any]:
        patience = self.patience(request, connections[address.alias])

        def asked(database: Mongo) -> Any:
            return work(Profiles(database, address.collection))

        return patience.ask(asked)

    def _profile(self, address: Address, catalog: Catalog, kept: Kept) -> dict[str, Any]:
        report = unpacked(kept.data, catalog.collections[0])
        assert report.profile is not None
        rows, rest = field_rows(report)
        return {
            "coverage": coverage_text(report.profile.coverage),
            "is_estimate": bool(report.profile.coverage.margin),
            "partial": printable(report.profile.coverage.stopped or ""),
            "profiled": moment(kept.finished),
            "profiled_by": printable(kept.by),
            "rows": rows,
            "rest": count(rest) if rest else None,
            "warnings": [warning_text(warning) for warning in report.warnings],
            "references": _references(report),
            "exports": [
                {"name": name, "url": self.url("schema_export", self.quoted(address), name)}
                for name in FORMATS
            ],
        }


def _report(catalog: Catalog, kept: Kept | None) -> Report | None:
    if kept is None or not catalog.collections:
        return None
    return Report(
        server=catalog.server,
        database=catalog.database,
        collections=(unpacked(kept.data, catalog.collections[0]),),
    )


def _references(report: CollectionReport) -> list[dict[str, str]]:
    return [
        {"path": printable(render_path(one.path)), "text": reference_text(one)}
        for one in report.references
    ]


def _depths() -> list[dict[str, str]]:
    return [
        {
            "name": "sample",
            "title": _("Sample"),
            "text": _("1,000 random documents; shares are estimates. A moment."),
        },
        {
            "name": "complete",
            "title": _("Complete"),
            "text": _("The server proves that no document has another field or type. One scan."),
        },
        {
            "name": "exact",
            "title": _("Exact"),
            "text": _("Complete, and every document is counted. Several scans."),
        },
    ]


def _run_context(run: Run) -> dict[str, Any]:
    """Plain values: the page's script reads them too."""
    phases = {
        "": _("beginning"),
        "catalog": _("reading the catalog"),
        "sample": _("sampling"),
        "proof": _("proving"),
        "counts": _("counting"),
        "values": _("looking at values"),
        "references": _("looking for references"),
        "warnings": _("looking for what is odd"),
    }
    of = _("%(done)s of %(total)s documents")
    figures = {"done": count(run.done), "total": count(run.total)} if run.total else None
    return {
        "depth": run.depth,
        "status": run.status,
        "is_running": run.status == "running",
        "is_stopping": run.is_stopping,
        "phase": phases.get(run.phase, printable(run.phase)),
        "done": min(run.done, run.total) if run.total else None,
        "total": run.total,
        "figures": of % figures if figures else "",
        "by": printable(run.by),
        "started": moment(run.started),
        "error": printable(run.error or ""),
    }
