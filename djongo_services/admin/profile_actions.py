"""Starting, following, stopping and exporting the profile of a collection."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bson import ObjectId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from djongo_services.admin.address import Address
from djongo_services.admin.collection_pages import CollectionPages, read_collection
from djongo_services.admin.deadline import Mongo, PageQuestion
from djongo_services.admin.jobs.background import a_moment
from djongo_services.admin.jobs.handing import hand_over, has_queue
from djongo_services.admin.jobs.slot import WAITING
from djongo_services.admin.pages import no_such
from djongo_services.admin.profiles.documents import unpacked
from djongo_services.admin.profiles.keeping import (
    Kept,
    Order,
    ProfileRun,
    Profiles,
    moment,
    room,
    run_in_background,
)
from djongo_services.connections import connections
from djongo_services.formatting import count, printable
from djongo_services.introspection.catalog import Catalog
from djongo_services.introspection.formats import FORMATS, RenderOptions
from djongo_services.introspection.report import Depth, Report
from djongo_services.models import Collection

DEPTHS: tuple[Depth, ...] = ("sample", "complete", "exact")

State = tuple[ProfileRun | None, Kept | None]


class ProfileActions(CollectionPages):
    def page_urls(self) -> list[URLPattern]:
        start = require_POST(self.start_profile)
        stop = require_POST(self.stop_profile)
        return [
            self.page_url("<path:object_id>/schema/start/", start, "schema_start"),
            self.page_url("<path:object_id>/schema/stop/", stop, "schema_stop"),
            self.page_url("<path:object_id>/schema/progress/", self.progress, "schema_progress"),
            self.page_url(
                "<path:object_id>/schema/export/<str:format>/", self.export, "schema_export"
            ),
            *super().page_urls(),
        ]

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
            self.log_change(request, Collection(key=address.key), _("Stopped the profile."))
            self.message_user(request, _("The profile will stop soon and keep what it has found."))
        return HttpResponseRedirect(self.collection_url(address, "schema"))

    def progress(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The state of the run, for the page's script."""
        self.require(request, "view")
        address = self.address(object_id)
        asked: PageQuestion[State] = self._ask_profiles(
            request, address, lambda profiles: profiles.read(whole=False)
        )
        if asked.value is None:
            return JsonResponse({"trouble": asked.trouble}, status=503)
        run, _kept = asked.value
        return JsonResponse({"run": run and run_context(run)})

    def export(self, request: HttpRequest, object_id: str, format: str) -> HttpResponse:
        self.require(request, "view")
        address = self.address(object_id)
        if format not in FORMATS:
            raise no_such(_("format"))
        connection = connections[address.alias]
        deadline = self.deadline(request, connection)
        asked = deadline.ask(read_collection(address.collection, usage=True))
        state = deadline.ask(lambda database: Profiles(database, address.collection).read())
        if asked.value is None or state.value is None:
            trouble = asked.trouble or state.trouble or ""
            return HttpResponse(trouble, status=503, content_type="text/plain; charset=utf-8")
        report = _report(asked.value, state.value[1])
        if report is None:
            raise no_such(_("profile"))
        return export(report, format, backend=connection.settings.database is not None)

    def _start(self, request: HttpRequest, address: Address, depth: Depth) -> str | None:
        """Begin a profile, and wait a moment for it; returns an error as a sentence, or None."""
        waits = has_queue()
        if not waits and not room.reserve():
            return _(
                "This process is already running several profiles; try again when one has finished."
            )
        by = request.user.get_username()
        asked = self._ask_profiles(
            request, address, lambda profiles: profiles.begin(depth=depth, by=by, waits=waits)
        )
        run: ObjectId | None = asked.value
        if run is None:
            if not waits:
                room.release()
            return asked.trouble or _("A profile of this collection is already running.")
        order = Order(
            connection=connections[address.alias],
            collection=address.collection,
            depth=depth,
            by=by,
            run=run,
        )
        if not waits:
            run_in_background(order)
        elif trouble := self._hand_over(order):
            return trouble
        self.log_change(
            request,
            Collection(key=address.key),
            _("Started a profile: %(depth)s.") % {"depth": depth},
        )
        if not waits:
            order.ended.wait(a_moment())
        return None

    def _hand_over(self, order: Order) -> str | None:
        def give_up(text: str) -> None:
            profiles = Profiles(order.connection.database, order.collection)
            profiles.end(order.run, "failed", error=text, result=None)

        alias, name = order.connection.alias, order.collection
        return hand_over("profile", alias, name, order.run, give_up=give_up)

    def _ask_profiles(
        self, request: HttpRequest, address: Address, work: Callable[[Profiles], Any]
    ) -> PageQuestion[Any]:
        deadline = self.deadline(request, connections[address.alias])

        def asked(database: Mongo) -> Any:
            return work(Profiles(database, address.collection))

        return deadline.ask(asked)


def _report(catalog: Catalog, kept: Kept | None) -> Report | None:
    if kept is None or not catalog.collections:
        return None
    return Report(
        server=catalog.server,
        database=catalog.database,
        collections=(unpacked(kept.data, catalog.collections[0]),),
    )


def run_context(run: ProfileRun) -> dict[str, Any]:
    """Plain values, because the page's script reads them too."""
    phases = {
        "": _("starting"),
        WAITING: _("waiting in the queue"),
        "catalog": _("reading the catalog"),
        "sample": _("sampling"),
        "proof": _("proving"),
        "counts": _("counting"),
        "values": _("reading values"),
        "references": _("finding references"),
        "warnings": _("checking for warnings"),
    }
    of = ngettext(
        "%(done)s of %(total)s document", "%(done)s of %(total)s documents", run.total or 0
    )
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


def export(report: Report, format: str, *, backend: bool) -> HttpResponse:
    """``report`` is of one collection; ``backend``: whether models get fields of
    django-mongodb-backend. It is always an attachment, so that no browser shows it as a page of the
    site."""
    chosen = FORMATS[format]
    text = chosen.render(
        report, RenderOptions(style="backend" if backend else "plain", single=True)
    )
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", report.collections[0].collection.name)[:80].strip("-")
    response = HttpResponse(
        text.encode("utf-8", "backslashreplace"),
        content_type=f"{chosen.content_type}; charset=utf-8",
    )
    response["Content-Disposition"] = (
        f'attachment; filename="{name or "collection"}.{chosen.ending}"'
    )
    response["X-Content-Type-Options"] = "nosniff"
    return response
