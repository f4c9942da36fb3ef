"""Beginning chores, and how far they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bson import ObjectId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from djongo_services.admin.files.address import BucketAddress, logged
from djongo_services.admin.files.chores import Chore, Chores, What
from djongo_services.admin.files.doing import Doing, Work, do, release, reserve
from djongo_services.admin.files.pages import FilePages
from djongo_services.admin.files.rows import moment_text
from djongo_services.connections import connections
from djongo_services.introspection.rendering.numbers import count
from djongo_services.introspection.rendering.printable import printable


class ChorePages(FilePages):
    def page_urls(self) -> list[URLPattern]:
        stop = require_POST(self.stop_chore)
        return [
            self.page_url("<path:object_id>/chore/", self.chore_progress, "chore"),
            self.page_url("<path:object_id>/chore/stop/", stop, "chore_stop"),
            *super().page_urls(),
        ]

    def begin_chore(
        self,
        request: HttpRequest,
        address: BucketAddress,
        what: What,
        words: str,
        make: Callable[[ObjectId, str], Work],
        *,
        log: str | None = None,
        back: str | None = None,
    ) -> HttpResponse:
        """Begin, wait a moment, and go to the page that shows how far it is.

        What has ended by then is said on the page ``back``, if there is one.
        """
        doing, trouble = self._begin(request, address, what, words, make)
        if doing is None:
            self.message_user(request, trouble or "", messages.ERROR)
            return HttpResponseRedirect(back or self.page_of(address, "collector"))
        if log is not None:
            self.log_change(request, logged(address, address.shown), log)
        if back is None or not doing.ended.is_set():
            return HttpResponseRedirect(self.page_of(address, "collector"))
        level = messages.SUCCESS if doing.status == "done" else messages.ERROR
        self.message_user(request, doing.said, level)
        return HttpResponseRedirect(back)

    def chore_progress(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """For the page's script: where the latest is."""
        self.require(request, "view")
        address = self.bucket_address(object_id)
        asked = self.patience(request, connections[address.alias]).ask(
            lambda database: Chores(database, address.bucket).read()
        )
        if asked.value is None:
            return JsonResponse({"trouble": asked.trouble}, status=503)
        return JsonResponse({"run": chore_context(asked.value[0]) if asked.value else None})

    def stop_chore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "change")
        address = self.bucket_address(object_id)
        asked = self.patience(request, connections[address.alias]).ask(
            lambda database: Chores(database, address.bucket).slot.ask_to_stop()
        )
        if asked.trouble is not None:
            self.message_user(request, asked.trouble, messages.ERROR)
        elif asked.value:
            self.log_change(request, logged(address, address.shown), _("Stopped the chore."))
            self.message_user(request, _("It ends soon; what was done stays done."))
        return HttpResponseRedirect(self.page_of(address, "collector"))

    def _begin(
        self,
        request: HttpRequest,
        address: BucketAddress,
        what: What,
        words: str,
        make: Callable[[ObjectId, str], Work],
    ) -> tuple[Doing | None, str | None]:
        """The chore, or what was in the way, as a sentence."""
        if not reserve():
            return None, _(
                "This process does several chores already; try again when one has ended."
            )
        connection, by = connections[address.alias], request.user.get_username()
        asked = self.patience(request, connection).ask(
            lambda database: Chores(database, address.bucket).begin(what, words=words, by=by)
        )
        run: ObjectId | None = asked.value
        if run is None:
            release()
            return None, asked.trouble or _("Something is being done to the bucket already.")
        doing = Doing(connection=connection, bucket=address.bucket, run=run, work=make(run, by))
        do(doing)
        return doing, None


def chore_context(chore: Chore) -> dict[str, Any]:
    """Plain values: the page's script reads them too."""
    figures = ""
    if chore.total:
        figures = _("%(done)s of %(total)s") % {
            "done": count(chore.done),
            "total": count(chore.total),
        }
    elif chore.done:
        figures = count(chore.done)
    return {
        "what": _what(chore.what),
        "words": printable(chore.words),
        "by": printable(chore.by),
        "status": chore.status,
        "status_words": _status(chore),
        "is_running": chore.status == "running",
        "is_stopping": chore.is_stopping,
        "is_bad": chore.status in ("failed", "lost"),
        "started": moment_text(chore.started),
        "phase": _phase(chore.phase),
        "figures": figures,
        "done": min(chore.done, chore.total) if chore.total else None,
        "total": chore.total,
        "said": printable(chore.said),
    }


def _what(what: str) -> str:
    return {
        "dry-run": _("Dry run"),
        "collect": _("Collecting"),
        "purge": _("Emptying the trash"),
        "delete": _("Deleting"),
        "restore": _("Restoring"),
    }.get(what, what)


def _status(chore: Chore) -> str:
    return {
        "running": _("under way"),
        "done": _("done"),
        "stopped": _("stopped"),
        "failed": _("failed"),
        "lost": _("its process has ended"),
    }[chore.status]


def _phase(phase: str) -> str:
    return {
        "": _("beginning"),
        "names": _("looking at names"),
        "files and chunks": _("looking at files and chunks"),
        "trash": _("looking through the trash"),
        "files": _("looking at files"),
    }.get(phase, printable(phase))
