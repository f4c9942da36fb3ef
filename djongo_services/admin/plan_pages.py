"""The Plan tab, the plan of a whole database, and applying what is on them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from bson import ObjectId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.address import Address, shown_name
from djongo_services.admin.applying import attempt
from djongo_services.admin.collection_pages import CollectionPages, read_collection
from djongo_services.admin.declarations import specs_by_name
from djongo_services.admin.pages import no_such
from djongo_services.admin.patience import Mongo, Patience, Question
from djongo_services.admin.plans import (
    COUNTING_SECONDS,
    Made,
    cards,
    confirmed,
    is_grave,
    only,
    planned,
    signed,
    step_card,
)
from djongo_services.connections import Connection, connections
from djongo_services.introspection.rendering.numbers import count
from djongo_services.introspection.rendering.printable import printable
from djongo_services.models import Collection
from djongo_services.schema.applying import apply
from djongo_services.schema.plan import Plan
from djongo_services.schema.rendering import summary
from djongo_services.schema.spec import CollectionSpec


class PlanPages(CollectionPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("plan/", self.whole_plan, "whole_plan"),
            self.page_url("plan/apply/", self.apply_plan, "apply"),
            self.page_url("<path:object_id>/plan/", self.plan, "plan"),
            *super().page_urls(),
        ]

    def plan(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        address = self.address(object_id)
        connection = connections[address.alias]
        patience = self.patience(request, connection)
        asked = patience.ask(read_collection(address.collection))
        made = self._made(patience, connection, address.collection)
        context = {
            "is_declared": self.spec(address) is not None,
            "runs_url": self.database_url("runs", connection.alias),
            "plan_trouble": made.trouble if asked.trouble is None else None,
            **self._plan_context(request, connection, made.value, address.collection),
        }
        return self.tab(request, address, "plan", asked.value, asked.trouble, context)

    def whole_plan(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "view")
        connection = self.connection(request)
        patience = self.patience(request, connection)
        made = self._made(patience, connection, None)
        context = {
            "title": _("Plan"),
            "connection_name": shown_name(connection.alias),
            "dashboard_url": self.dashboard_url(connection.alias),
            "runs_url": self.database_url("runs", connection.alias),
            "is_declared": True,
            "trouble": made.trouble,
            "wait_url": self.database_url("whole_plan", connection.alias, wait="1"),
            **self._plan_context(request, connection, made.value, None),
        }
        return self.render(request, "whole_plan.html", context)

    def apply_plan(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "view", "change")
        connection = self.connection(request)
        name = request.GET.get("collection")
        back = self._back(connection, name)
        if request.method == "POST":
            return self._apply_confirmed(request, connection, back)
        made = self._made(self.patience(request, connection), connection, name)
        if made.value is None:
            return self._plan_confirmation(request, connection, back, None, trouble=made.trouble)
        plan: Plan | None = made.value.plan
        if digest := request.GET.get("change"):
            plan = only(made.value.plan, digest)
        if plan is None or not plan.operations:
            self.message_user(request, _("There is no such difference any more."), messages.INFO)
            return HttpResponseRedirect(back)
        if is_grave(plan.operations):
            self.require(request, "delete")
        return self._plan_confirmation(request, connection, back, plan)

    def _apply_confirmed(
        self, request: HttpRequest, connection: Connection, back: str
    ) -> HttpResponse:
        plan = confirmed(request.POST.get("plan", ""))
        if plan is None or plan.database != connection.database_name or not plan.operations:
            self.message_user(
                request, _("That confirmation is too old; look at the plan again."), messages.ERROR
            )
            return HttpResponseRedirect(back)
        if is_grave(plan.operations):
            self.require(request, "delete")
            if request.POST.get("name", "").strip() != plan.database:
                wrong = _("That is not the name of the database; nothing was done.")
                return self._plan_confirmation(request, connection, back, plan, wrong=wrong)
        return self._carry_out(request, connection, plan, back)

    def _carry_out(
        self, request: HttpRequest, connection: Connection, plan: Plan, back: str
    ) -> HttpResponse:
        def work(database: Mongo, stop: threading.Event) -> ObjectId:
            return apply(database, plan, stop=stop)

        tried = attempt(connection, work, plan=plan)
        if tried.trouble is not None:
            self.message_user(request, tried.trouble, messages.ERROR)
            return HttpResponseRedirect(back)
        self.log_steps(request, connection, plan)
        if tried.goes_on:
            self.message_user(request, _("Begun; it goes on in the background."), messages.INFO)
            return HttpResponseRedirect(self.database_url("runs", connection.alias))
        number = len(plan.operations)
        said = ngettext("%(count)s step was applied.", "%(count)s steps were applied.", number)
        self.message_user(request, said % {"count": count(number)}, messages.SUCCESS)
        return HttpResponseRedirect(back)

    def log_steps(self, request: HttpRequest, connection: Connection, plan: Plan) -> None:
        """One entry a collection, so that its log tells what was done to it."""
        for name in dict.fromkeys(step.collection for step in plan.operations):
            words = [step.words() for step in plan.operations if step.collection == name]
            address = Address(alias=connection.alias, collection=name)
            said = printable("; ".join(words))
            self.log_change(request, Collection(key=address.key), said[:2_000])

    def _made(self, patience: Patience, connection: Connection, name: str | None) -> Question[Made]:
        """The plan of one collection, or of all."""

        def work(database: Mongo) -> Made:
            specs = specs_by_name(connection)
            wanted: Sequence[CollectionSpec] = list(specs.values())
            if name is not None:
                wanted = [specs[name]] if name in specs else []
            # The counting is cut off before the page is, so that there is a plan without it.
            seconds = max(min(COUNTING_SECONDS, patience.left() / 2), patience.left() - 5)
            return planned(database, wanted, seconds=seconds)

        return patience.ask(work)

    def _plan_context(
        self, request: HttpRequest, connection: Connection, made: Made | None, name: str | None
    ) -> dict[str, Any]:
        if made is None:
            return {}
        plan = made.plan
        query = {} if name is None else {"collection": name}
        may = self.allows(request, "change")
        may_destroy = may and self.allows(request, "delete")
        return {
            "plan": True,
            "is_counted": made.is_counted,
            "in_sync": plan.in_sync,
            "summary": summary(plan),
            "changes": [
                {
                    "card": card,
                    "url": self.database_url("apply", connection.alias, **query, change=card.digest)
                    if card.steps and (may_destroy if card.is_grave else may)
                    else None,
                }
                for card in cards(plan.changes)
            ],
            "notes": [printable(f"{note.collection}: {note.words}") for note in plan.notes],
            "problems": [printable(f"{one.subject}: {one.reason}") for one in plan.problems],
            "apply_url": self.database_url("apply", connection.alias, **query)
            if len(plan.changes) > 1
            and plan.operations
            and (may_destroy if is_grave(plan.operations) else may)
            else None,
        }

    def _plan_confirmation(
        self,
        request: HttpRequest,
        connection: Connection,
        back: str,
        plan: Plan | None,
        *,
        trouble: str | None = None,
        wrong: str | None = None,
    ) -> HttpResponse:
        context: dict[str, Any] = {
            "title": _("Apply the plan"),
            "connection_name": shown_name(connection.alias),
            "dashboard_url": self.dashboard_url(connection.alias),
            "back": back,
            "trouble": trouble,
            "wrong": wrong,
        }
        if plan is not None:
            grave = is_grave(plan.operations)
            context |= {
                "steps": [step_card(step) for step in plan.operations],
                "is_grave": grave,
                "typed": plan.database if grave else None,
                "signed": signed(plan),
            }
        return self.render(request, "apply.html", context)

    def _back(self, connection: Connection, name: str | None) -> str:
        if name is None:
            return self.database_url("whole_plan", connection.alias)
        if not name:
            raise no_such(_("collection"))
        return self.collection_url(Address(alias=connection.alias, collection=name), "plan")
