"""The history of what was done to a schema: its runs, one run, and rolling it back."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _

from djongo_services.admin.address import Address, shown_name
from djongo_services.admin.applying import attempt
from djongo_services.admin.collection_pages import CollectionPages
from djongo_services.admin.pages import no_such
from djongo_services.admin.patience import Mongo
from djongo_services.admin.plans import is_grave, step_card
from djongo_services.admin.profiles.keeping import moment
from djongo_services.connections import Connection
from djongo_services.introspection.catalog import IndexBuild
from djongo_services.introspection.reading.builds import read_builds
from djongo_services.introspection.rendering.numbers import count, percent
from djongo_services.introspection.rendering.printable import printable
from djongo_services.lease import COLLECTION as LEASES
from djongo_services.models import Collection
from djongo_services.schema.applying import History, Run, Step, inverses, roll_back
from djongo_services.schema.operations import BuildIndexes, Operation

MOST_RUNS = 50
MOST_STEPS = 500
"""Of a run, on its page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A run, as far as a page tells of it."""

    run: Run
    steps: tuple[Step, ...]
    """All of them."""
    is_alive: bool
    """Whether somebody holds the lease, so that a run that says it is running does."""
    builds: dict[tuple[str, str], IndexBuild]


class RunPages(CollectionPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("runs/", self.runs, "runs"),
            self.page_url("runs/<str:run>/", self.run, "run"),
            self.page_url("runs/<str:run>/rollback/", self.rollback, "rollback"),
            *super().page_urls(),
        ]

    def runs(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "view")
        connection = self.connection(request)
        patience = self.patience(request, connection)
        asked = patience.ask(lambda database: History(database).runs(MOST_RUNS))
        alive = patience.ask(_is_alive)
        rows: list[dict[str, Any]] = [
            {
                "run": _run_context(run, is_alive=bool(alive.value)),
                "url": self.database_url("run", connection.alias, str(run.id)),
            }
            for run in asked.value or ()
        ]
        context: dict[str, Any] = {
            **self._frame(connection, _("Runs")),
            "trouble": asked.trouble,
            "rows": rows,
            "is_running": any(row["run"]["is_running"] for row in rows),
        }
        return self.render(request, "runs.html", context)

    def run(self, request: HttpRequest, run: str) -> HttpResponse:
        self.require(request, "view")
        connection = self.connection(request)
        key = _key(run)
        asked = self.patience(request, connection).ask(lambda database: _told(database, key))
        told = asked.value
        context: dict[str, Any] = {
            **self._frame(connection, _("Run %(id)s") % {"id": key}),
            "runs_url": self.database_url("runs", connection.alias),
            "trouble": asked.trouble,
        }
        if told is not None:
            undo, _final = inverses(told.steps)
            running = told.is_alive and told.run.status == "running"
            context |= {
                "run": _run_context(told.run, is_alive=told.is_alive),
                "steps": [_step_context(step, told) for step in told.steps[:MOST_STEPS]],
                "rest": count(len(told.steps) - MOST_STEPS)
                if len(told.steps) > MOST_STEPS
                else None,
                "is_running": running,
                "rollback_url": self.database_url("rollback", connection.alias, run)
                if undo and not running and self._may_undo(request, undo)
                else None,
            }
        elif asked.trouble is None:
            raise no_such(_("run"))
        return self.render(request, "run.html", context)

    def rollback(self, request: HttpRequest, run: str) -> HttpResponse:
        self.require(request, "view", "change")
        connection = self.connection(request)
        key = _key(run)
        asked = self.patience(request, connection).ask(lambda database: _told(database, key))
        told = asked.value
        if told is None and asked.trouble is None:
            raise no_such(_("run"))
        undo, final = inverses(told.steps) if told else ([], [])
        if is_grave(undo):
            self.require(request, "delete")
        wrong = None
        if told is not None and request.method == "POST":
            if not undo:
                raise no_such(_("step that can be undone"))
            if not is_grave(undo) or request.POST.get("name", "").strip() == str(key):
                return self._roll_back(request, connection, key, undo)
            wrong = _("That is not the run; nothing was done.")
        context = {
            **self._frame(connection, _("Roll back a run")),
            "back": self.database_url("run", connection.alias, run),
            "trouble": asked.trouble,
            "steps": [step_card(step) for step in undo],
            "final": [step_card(step) for step in final],
            "is_grave": is_grave(undo),
            "typed": str(key) if is_grave(undo) else None,
            "wrong": wrong,
        }
        return self.render(request, "rollback.html", context)

    def _roll_back(
        self, request: HttpRequest, connection: Connection, key: ObjectId, undo: list[Operation]
    ) -> HttpResponse:
        def work(database: Mongo, stop: threading.Event) -> ObjectId:
            return roll_back(database, key, stop=stop)

        tried = attempt(connection, work)
        if tried.trouble is not None:
            self.message_user(request, tried.trouble, messages.ERROR)
            return HttpResponseRedirect(self.database_url("run", connection.alias, str(key)))
        for name in dict.fromkeys(step.collection for step in undo):
            words = [step.words() for step in undo if step.collection == name]
            address = Address(alias=connection.alias, collection=name)
            said = printable(f"rolled back run {key}: {'; '.join(words)}")
            self.log_change(request, Collection(key=address.key), said[:2_000])
        if tried.goes_on:
            self.message_user(request, _("Begun; it goes on in the background."), messages.INFO)
        else:
            self.message_user(request, _("The run was rolled back."), messages.SUCCESS)
        return HttpResponseRedirect(self.database_url("runs", connection.alias))

    def _may_undo(self, request: HttpRequest, undo: list[Operation]) -> bool:
        may = self.allows(request, "change")
        return may and (self.allows(request, "delete") or not is_grave(undo))

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


def _told(database: Mongo, key: ObjectId) -> Told | None:
    history = History(database)
    run = history.run(key)
    if run is None:
        return None
    steps = tuple(history.steps(key))
    building = [
        step.operation.collection
        for step in steps
        if step.status == "running" and isinstance(step.operation, BuildIndexes)
    ]
    builds = read_builds(database, building) if building else {}
    return Told(
        run=run,
        steps=steps,
        is_alive=_is_alive(database),
        builds=builds if isinstance(builds, dict) else {},
    )


def _is_alive(database: Mongo) -> bool:
    found = {"_id": "schema", "$expr": {"$gt": ["$expires", "$$NOW"]}}
    return database[LEASES].count_documents(found, limit=1) > 0


def _run_context(run: Run, *, is_alive: bool) -> dict[str, Any]:
    is_running = run.status == "running" and is_alive
    texts = {
        "running": _("running") if is_alive else _("its process has ended"),
        "done": _("done"),
        "failed": _("failed"),
        "interrupted": _("interrupted"),
    }
    return {
        "id": str(run.id),
        "started": moment(run.started),
        "finished": moment(run.finished) if run.finished else "",
        "status": texts[run.status],
        "state": "same" if run.status == "done" else "free" if is_running else "differs",
        "is_running": is_running,
        "steps": _("%(done)s of %(all)s") % {"done": count(run.done), "all": count(run.steps)},
        "done": run.done,
        "all": run.steps,
        "by": printable(run.by),
        "rolls_back": str(run.rolls_back) if run.rolls_back else None,
        "error": printable(run.error or "")[:2_000],
    }


def _step_context(step: Step, told: Told) -> dict[str, Any]:
    texts = {
        "pending": _("not begun"),
        "running": _("running"),
        "done": _("done"),
        "failed": _("failed"),
    }
    states = {"done": "same", "failed": "differs"}
    return {
        "card": step_card(step.operation),
        "status": texts[step.status],
        "state": states.get(step.status, "free"),
        "error": printable(step.error or "")[:2_000],
        "build": _build(step, told),
    }


def _build(step: Step, told: Told) -> dict[str, Any] | None:
    """How far the indexes of a running step are; they share one scan."""
    if not isinstance(step.operation, BuildIndexes) or step.status != "running":
        return None
    for index in step.operation.indexes:
        build = told.builds.get((step.operation.collection, index.name))
        if build is not None and build.total:
            done = min(build.done or 0, build.total)
            return {"done": done, "total": build.total, "share": percent(done / build.total)}
    return None
