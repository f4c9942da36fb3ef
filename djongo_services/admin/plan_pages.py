"""The Plan tab, the plan of a whole database, and applying them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bson import ObjectId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.address import Address, shown_name
from djongo_services.admin.applying import Attempt, attempt
from djongo_services.admin.collection_pages import CollectionPages, read_collection
from djongo_services.admin.deadline import Deadline, Mongo, PageQuestion
from djongo_services.admin.durations import estimated_text
from djongo_services.admin.pages import no_such, page_links, page_number
from djongo_services.admin.plan_cards import MOST_STEPS, Cards, ChangeCard, rest_text
from djongo_services.admin.plans import (
    Made,
    confirmed,
    is_grave,
    only,
    planned,
    signed,
)
from djongo_services.connections import Connection, connections
from djongo_services.formatting import count, printable
from djongo_services.models import Collection
from djongo_services.schema.applying import apply
from djongo_services.schema.declared import specs_by_name
from djongo_services.schema.estimating import UNKNOWN, Estimates, read_estimates
from djongo_services.schema.migrating.waiting import refuse_waiting, waiting_migrations
from djongo_services.schema.operations import Operation
from djongo_services.schema.plan import Change, Plan
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.wording import plan_text

AT_ONCE = 30
"""The number of collections on one page of a plan."""


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
        deadline = self.deadline(request, connection)
        asked = deadline.ask(read_collection(address.collection))
        made = self._made(deadline, connection, address.collection)
        context = {
            "is_declared": self.spec(address) is not None,
            "runs_url": self.database_url("runs", connection.alias),
            "plan_trouble": made.trouble if asked.trouble is None else None,
            **self._plan_context(request, deadline, made.value, address.collection),
        }
        return self.tab(request, address, "plan", asked.value, asked.trouble, context)

    def whole_plan(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "view")
        connection = self.connection(request)
        deadline = self.deadline(request, connection)
        made = self._made(deadline, connection, None)
        context = {
            "title": _("Plan"),
            "connection_name": shown_name(connection.alias),
            "dashboard_url": self.dashboard_url(connection.alias),
            "runs_url": self.database_url("runs", connection.alias),
            "is_declared": True,
            "trouble": made.trouble,
            "wait_url": self.database_url("whole_plan", connection.alias, wait="1"),
            **self._plan_context(request, deadline, made.value, None),
        }
        return self.render(request, "whole_plan.html", context)

    def apply_plan(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "view", "change")
        connection = self.connection(request)
        name = request.GET.get("collection")
        back = self._back(connection, name)
        if request.method == "POST":
            return self._apply_confirmed(request, connection, back)
        deadline = self.deadline(request, connection)
        made = self._made(deadline, connection, name)
        if made.value is None:
            return self._plan_confirmation(request, deadline, back, None, trouble=made.trouble)
        plan: Plan | None = made.value.plan
        if digest := request.GET.get("change"):
            plan = only(made.value.plan, digest)
        if plan is None or not plan.operations:
            self.message_user(request, _("This difference no longer exists."), messages.INFO)
            return HttpResponseRedirect(back)
        if is_grave(plan.operations):
            self.require(request, "delete")
        return self._plan_confirmation(request, deadline, back, plan)

    def _apply_confirmed(
        self, request: HttpRequest, connection: Connection, back: str
    ) -> HttpResponse:
        plan = confirmed(request.POST.get("plan", ""))
        if plan is None or plan.database != connection.database_name or not plan.operations:
            self.message_user(
                request, _("This confirmation has expired; review the plan again."), messages.ERROR
            )
            return HttpResponseRedirect(back)
        if is_grave(plan.operations):
            self.require(request, "delete")
            if request.POST.get("name", "").strip() != plan.database:
                wrong = _("That is not the name of the database; nothing was done.")
                deadline = self.deadline(request, connection)
                return self._plan_confirmation(request, deadline, back, plan, wrong=wrong)
        return self._carry_out(request, connection, plan, back)

    def _carry_out(
        self, request: HttpRequest, connection: Connection, plan: Plan, back: str
    ) -> HttpResponse:
        def work(database: Mongo, tried: Attempt) -> ObjectId:
            specs = specs_by_name(connection)
            refuse_waiting(connection, [specs[name] for name in plan.collections if name in specs])
            return apply(database, plan, stop=tried.stop, progress=tried.told)

        tried = attempt(connection, work, plan=plan)
        if tried.trouble is not None:
            self.message_user(request, tried.trouble, messages.ERROR)
            return HttpResponseRedirect(back)
        self.log_steps(request, connection, plan)
        if tried.goes_on:
            self.message_user(request, _("Started; it continues in the background."), messages.INFO)
            return HttpResponseRedirect(self.progress_page(connection.alias, tried.run))
        number = len(plan.operations)
        said = ngettext("%(count)s step was applied.", "%(count)s steps were applied.", number)
        self.message_user(request, said % {"count": count(number)}, messages.SUCCESS)
        return HttpResponseRedirect(back)

    def log_steps(self, request: HttpRequest, connection: Connection, plan: Plan) -> None:
        """Add one entry for each collection, so that its log shows what was done to it."""
        for name in dict.fromkeys(step.collection for step in plan.operations):
            words = [step.words() for step in plan.operations if step.collection == name]
            address = Address(alias=connection.alias, collection=name)
            said = printable("; ".join(words))
            self.log_change(request, Collection(key=address.key), said[:2_000])

    def _made(
        self, deadline: Deadline, connection: Connection, name: str | None
    ) -> PageQuestion[Made]:
        """The plan of one collection, or of all."""

        def work(database: Mongo) -> Made:
            specs = specs_by_name(connection)
            wanted: Sequence[CollectionSpec] = list(specs.values())
            if name is not None:
                wanted = [specs[name]] if name in specs else []
            # The counting of violators is cut off before the page is, so that there is a plan
            # without it, whose validators begin as moderate and warn.
            seconds = max(deadline.left() / 2, deadline.left() - 5)
            made = planned(database, wanted, seconds=seconds)
            waiting = waiting_migrations(connection, wanted)
            return replace(made, plan=replace(made.plan, waiting=waiting))

        return deadline.ask(work)

    def _plan_context(
        self, request: HttpRequest, deadline: Deadline, made: Made | None, name: str | None
    ) -> dict[str, Any]:
        if made is None:
            return {}
        plan, alias = made.plan, deadline.connection.alias
        groups = list(plan.by_collection())
        pages = -(-len(groups) // AT_ONCE)
        page = min(page_number(request), max(pages, 1))
        shown = groups[(page - 1) * AT_ONCE : page * AT_ONCE]
        steps = [step for _, changes in shown for change in changes for step in change.operations]
        estimates = self._estimates(deadline, steps)
        query = {} if name is None else {"collection": name}
        may = self.allows(request, "change") and not plan.waiting
        may_destroy = may and self.allows(request, "delete")
        cards = Cards(estimates=estimates, checks=self.checks_of(alias))
        apply_url = self.database_url("apply", alias, **query)

        def url(card: ChangeCard) -> str | None:
            if not card.steps or not (may_destroy if card.is_grave else may):
                return None
            return self.database_url("apply", alias, **query, change=card.digest)

        return {
            "plan": True,
            "is_counted": made.is_counted,
            "in_sync": plan.in_sync,
            "summary": plan_text(plan),
            "estimated": estimated_text(estimates.of(steps)) if pages == 1 else "",
            "groups": [
                self._group(alias, collection, changes, cards, url) for collection, changes in shown
            ],
            "pages": page_links(
                pages, page, lambda number: self.database_url("whole_plan", alias, p=str(number))
            ),
            "waiting": [printable(name) for name in plan.waiting],
            "notes": [printable(f"{note.collection}: {note.words}") for note in plan.notes],
            "problems": [printable(f"{one.subject}: {one.reason}") for one in plan.problems],
            "apply_url": apply_url
            if len(plan.changes) > 1
            and plan.operations
            and (may_destroy if is_grave(plan.operations) else may)
            else None,
        }

    def _group(
        self,
        alias: str,
        collection: str,
        changes: Sequence[Change],
        cards: Cards,
        url: Callable[[ChangeCard], str | None],
    ) -> dict[str, Any]:
        address = Address(alias=alias, collection=collection)
        return {
            "collection": address.shown,
            "url": self.collection_url(address, "plan"),
            "changes": [{"card": card, "url": url(card)} for card in cards.changes(changes)],
        }

    def _estimates(self, deadline: Deadline, steps: Sequence[Operation]) -> Estimates:
        """The estimates; without them the page still works, so they must not make it fail."""
        return deadline.ask(lambda database: read_estimates(database, steps)).value or UNKNOWN

    def _plan_confirmation(
        self,
        request: HttpRequest,
        deadline: Deadline,
        back: str,
        plan: Plan | None,
        *,
        trouble: str | None = None,
        wrong: str | None = None,
    ) -> HttpResponse:
        alias = deadline.connection.alias
        context: dict[str, Any] = {
            "title": _("Apply the plan"),
            "connection_name": shown_name(alias),
            "dashboard_url": self.dashboard_url(alias),
            "back": back,
            "trouble": trouble,
            "wrong": wrong,
        }
        if plan is not None:
            grave = is_grave(plan.operations)
            steps = plan.operations[:MOST_STEPS]
            estimates = self._estimates(deadline, steps)
            cards = Cards(estimates=estimates, checks=self.checks_of(alias))
            is_whole = len(steps) == len(plan.operations)
            context |= {
                "number": len(plan.operations),
                "steps": cards.steps(steps, plan.changes),
                "rest": rest_text(len(plan.operations) - MOST_STEPS),
                "estimated": estimated_text(estimates.of(steps)) if is_whole else "",
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
