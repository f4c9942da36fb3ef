"""The history of a schema: its runs, one run, and rolling it back."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from djongo_services.admin.address import Address, shown_name
from djongo_services.admin.applying import Attempt, attempt
from djongo_services.admin.collection_pages import CollectionPages
from djongo_services.admin.deadline import Mongo
from djongo_services.admin.durations import estimated_text
from djongo_services.admin.pages import no_such, page_links, page_number
from djongo_services.admin.plan_cards import MOST_STEPS, Cards, rest_text
from djongo_services.admin.plans import is_grave
from djongo_services.admin.run_states import (
    RunPart,
    ask_to_stop,
    has_inverse,
    latest_runs,
    progress_context,
    read_run,
    run_context,
    step_contexts,
    step_state,
)
from djongo_services.connections import Connection
from djongo_services.formatting import printable
from djongo_services.models import Collection
from djongo_services.schema.applying import apply
from djongo_services.schema.estimating import UNKNOWN, read_estimates
from djongo_services.schema.undoing import LaterRuns, Rollback, UnknownRun, plan_rollback
from djongo_services.schema.wording import summary_text

MOST_RUNS = 50


class RunPages(CollectionPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("runs/", self.runs, "runs"),
            self.page_url("runs/<str:run>/", self.run, "run"),
            self.page_url("runs/<str:run>/progress/", self.run_progress, "run_progress"),
            self.page_url("runs/<str:run>/stop/", require_POST(self.stop_run), "run_stop"),
            self.page_url("runs/<str:run>/rollback/", self.rollback, "rollback"),
            *super().page_urls(),
        ]

    def runs(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "view")
        connection = self.connection(request)
        asked = self.deadline(request, connection).ask(
            lambda database: latest_runs(database, MOST_RUNS)
        )
        rows: list[dict[str, Any]] = [
            {
                "run": run_context(found.run, is_alive=found.is_alive),
                "url": self.database_url("run", connection.alias, str(found.run.id)),
            }
            for found in asked.value or ()
        ]
        context: dict[str, Any] = {
            **self._frame(connection, _("Run history")),
            "trouble": asked.trouble,
            "rows": rows,
            "is_running": any(row["run"]["is_running"] for row in rows),
        }
        return self.render(request, "runs.html", context)

    def run(self, request: HttpRequest, run: str) -> HttpResponse:
        self.require(request, "view")
        connection = self.connection(request)
        alias, key, page = connection.alias, _key(run), page_number(request)
        may = self.allows(request, "change")

        def work(database: Mongo) -> tuple[RunPart, bool] | None:
            part = read_run(database, key, page=page)
            if part is None:
                return None
            return part, may and not part.is_running and has_inverse(database, part)

        asked = self.deadline(request, connection).ask(work)
        context: dict[str, Any] = {
            **self._frame(connection, _("Run %(id)s") % {"id": key}),
            "runs_url": self.database_url("runs", alias),
            "trouble": asked.trouble,
        }
        if asked.value is not None:
            part, can_be_undone = asked.value
            pages = -(-part.run.steps // MOST_STEPS)
            context |= {
                "title": summary_text(part.run.summary),
                "run": run_context(part.run, is_alive=part.is_alive),
                "steps": step_contexts(part.steps, Cards(checks=self.checks_of(alias))),
                "pages": page_links(
                    pages, page, lambda number: self.database_url("run", alias, run, p=str(number))
                ),
                "is_running": part.is_running,
                "progress": progress_context(part),
                "progress_url": self.database_url("run_progress", alias, run, p=str(page)),
                "stop_url": self.database_url("run_stop", alias, run) if may else None,
                "rollback_url": self.database_url("rollback", alias, run)
                if can_be_undone
                else None,
            }
        elif asked.trouble is None:
            raise no_such(_("run"))
        return self.render(request, "run.html", context)

    def run_progress(self, request: HttpRequest, run: str) -> HttpResponse:
        """The state of the run and of the steps on the page, for the page's script."""
        self.require(request, "view")
        key, page = _key(run), page_number(request)
        asked = self.deadline(request, self.connection(request)).ask(
            lambda database: read_run(database, key, page=page)
        )
        if asked.trouble is not None:
            return JsonResponse({"trouble": asked.trouble}, status=503)
        part = asked.value
        if part is None:
            raise no_such(_("run"))
        steps = [{"number": step.number, **step_state(step)} for step in part.steps]
        return JsonResponse({"run": {**progress_context(part), "steps": steps}})

    def stop_run(self, request: HttpRequest, run: str) -> HttpResponse:
        """Ask a run to stop, in whatever process it is: it checks the history."""
        self.require(request, "view", "change")
        connection = self.connection(request)
        key, by = _key(run), request.user.get_username()
        asked = self.deadline(request, connection).ask(
            lambda database: ask_to_stop(database, key, by=by)
        )
        if asked.trouble is not None:
            self.message_user(request, asked.trouble, messages.ERROR)
        elif asked.value is None:
            raise no_such(_("run"))
        elif not asked.value:
            self.message_user(request, _("The run has already ended."), messages.INFO)
        else:
            for name in asked.value:
                address = Address(alias=connection.alias, collection=name)
                said = _("Stopped run %(run)s.") % {"run": key}
                self.log_change(request, Collection(key=address.key), said)
            self.message_user(
                request,
                _("The run will stop soon: the current step ends or is undone."),
            )
        return HttpResponseRedirect(self.database_url("run", connection.alias, run))

    def rollback(self, request: HttpRequest, run: str) -> HttpResponse:
        self.require(request, "view", "change")
        connection = self.connection(request)
        key = _key(run)
        with_later = "with_later" in request.GET
        deadline = self.deadline(request, connection)
        asked = deadline.ask(lambda database: _undoing(database, key, with_later=with_later))
        found = asked.value
        if found is None and asked.trouble is None:
            raise no_such(_("run"))
        rollback, later = found or (None, None)
        undo = rollback.plan.operations if rollback else ()
        if is_grave(undo):
            self.require(request, "delete")
        wrong = None
        if rollback is not None and request.method == "POST":
            if not undo:
                raise no_such(_("step that can be undone"))
            if not is_grave(undo) or request.POST.get("name", "").strip() == str(key):
                return self._roll_back(request, connection, key, rollback)
            wrong = _("That is not the id of the run; nothing was done.")
        estimates = deadline.ask(lambda database: read_estimates(database, undo)).value or UNKNOWN
        cards = Cards(estimates=estimates, checks=self.checks_of(connection.alias))
        context = {
            **self._frame(connection, _("Roll back a run")),
            "back": self.database_url("run", connection.alias, run),
            "trouble": asked.trouble or (printable(str(later)) if later else None),
            "later_url": self.database_url("rollback", connection.alias, run, with_later="1")
            if later
            else None,
            "also": [str(other) for other in rollback.runs[:-1]] if rollback else [],
            "number": len(undo),
            "steps": cards.steps(undo[:MOST_STEPS], rollback.plan.changes if rollback else ()),
            "rest": rest_text(len(undo) - MOST_STEPS),
            "estimated": estimated_text(estimates.of(undo)),
            "final": cards.steps(rollback.final[:MOST_STEPS]) if rollback else [],
            "is_grave": is_grave(undo),
            "typed": str(key) if is_grave(undo) else None,
            "wrong": wrong,
        }
        return self.render(request, "rollback.html", context)

    def _roll_back(
        self, request: HttpRequest, connection: Connection, key: ObjectId, rollback: Rollback
    ) -> HttpResponse:
        def work(database: Mongo, tried: Attempt) -> ObjectId:
            return apply(
                database,
                rollback.plan,
                stop=tried.stop,
                progress=tried.told,
                rolls_back=rollback.runs,
            )

        tried = attempt(connection, work)
        if tried.trouble is not None:
            self.message_user(request, tried.trouble, messages.ERROR)
            return HttpResponseRedirect(self.database_url("run", connection.alias, str(key)))
        undo = rollback.plan.operations
        for name in dict.fromkeys(step.collection for step in undo):
            words = [step.words() for step in undo if step.collection == name]
            address = Address(alias=connection.alias, collection=name)
            said = printable(
                _("Rolled back run %(run)s: %(steps)s.") % {"run": key, "steps": "; ".join(words)}
            )
            self.log_change(request, Collection(key=address.key), said[:2_000])
        if tried.goes_on:
            self.message_user(request, _("Started; it continues in the background."), messages.INFO)
            return HttpResponseRedirect(self.progress_page(connection.alias, tried.run))
        self.message_user(request, _("The run was rolled back."), messages.SUCCESS)
        return HttpResponseRedirect(self.database_url("runs", connection.alias))

    def _frame(self, connection: Connection, title: str) -> dict[str, Any]:
        return {
            "title": title,
            "connection_name": shown_name(connection.alias),
            "dashboard_url": self.dashboard_url(connection.alias),
        }


def _key(text: str) -> ObjectId:
    try:
        return ObjectId(text)
    except InvalidId:
        raise no_such(_("run")) from None


def _undoing(
    database: Mongo, key: ObjectId, *, with_later: bool
) -> tuple[Rollback | None, LaterRuns | None] | None:
    """The plan that undoes the run, or why it cannot be undone alone; None for an unknown run."""
    try:
        return plan_rollback(database, key, with_later=with_later), None
    except LaterRuns as error:
        return None, error
    except UnknownRun:
        return None
