"""Hiding, unhiding and dropping an index: a confirmation page, then a run in the history; and the
code that declares an index.

Each change is a plan with one operation, so a lease keeps two of them apart, the history records
them, and they can be rolled back.
"""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from django.apps import apps
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.address import Address, shown_name
from djongo_services.admin.applying import Attempt, attempt
from djongo_services.admin.collection_pages import CollectionPages, read_collection
from djongo_services.admin.deadline import Mongo
from djongo_services.admin.indexes import definition_text, find_index, is_automatic
from djongo_services.admin.pages import Permission, no_such
from djongo_services.connections import connections
from djongo_services.formatting import count, printable
from djongo_services.introspection.catalog import Catalog, Collection, Index
from djongo_services.introspection.rendering.wording import index_keys
from djongo_services.models import Collection as CollectionModel
from djongo_services.schema.applying import apply
from djongo_services.schema.declared import declared_indexes
from djongo_services.schema.diff.rebuild import as_spec
from djongo_services.schema.index_code import index_code
from djongo_services.schema.operations import DropIndex, Operation, SetHidden
from djongo_services.schema.plan import Change, Plan, Sign, fingerprint

ACTIONS: dict[str, Permission] = {
    "declare": "view",
    "hide": "change",
    "unhide": "change",
    "drop": "delete",
}
"""The permission that each action requires."""


class IndexActions(CollectionPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url(
                "<path:object_id>/index/<str:digest>/<str:action>/", self.index_action, "index"
            ),
            *super().page_urls(),
        ]

    def index_action(
        self, request: HttpRequest, object_id: str, digest: str, action: str
    ) -> HttpResponse:
        if action not in ACTIONS:
            raise no_such(_("action"))
        self.require(request, "view", ACTIONS[action])
        address = self.address(object_id)
        deadline = self.deadline(request, connections[address.alias])
        asked = deadline.ask(read_collection(address.collection, usage=action == "drop"))
        catalog = asked.value
        if catalog is None:
            return self._index_confirmation(request, address, action, None, trouble=asked.trouble)
        collection, index = _found(catalog, digest)
        if is_automatic(index):
            raise PermissionDenied
        if action == "declare":
            return self._code(request, address, collection, index)
        if request.method != "POST":
            return self._index_confirmation(request, address, action, (catalog, collection, index))
        if action == "drop" and not _is_typed(request, index):
            wrong = _("That is not the name of the index; nothing was done.")
            return self._index_confirmation(
                request, address, action, (catalog, collection, index), wrong=wrong
            )
        return self._act(request, address, catalog, action, index)

    def _code(
        self, request: HttpRequest, address: Address, collection: Collection, index: Index
    ) -> HttpResponse:
        """Code for a model, with which the next sync finds the index declared."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        spec = self.spec(address)
        labels = () if spec is None else spec.models
        model = apps.get_model(labels[0]) if labels else None
        on_backend = connections[address.alias].settings.database is not None
        context = {
            "title": _("Declare an index"),
            "address": address,
            "collection_url": self.collection_url(address),
            "dashboard_url": self.dashboard_url(address.alias),
            "name": shown_name(index.name),
            "keys": index_keys(index),
            "model": labels[0] if labels else "",
            "code": index_code(collection, index, model, backend=on_backend),
        }
        return self.render(request, "index_code.html", context)

    def _act(
        self, request: HttpRequest, address: Address, catalog: Catalog, action: str, index: Index
    ) -> HttpResponse:
        plan = _plan(address, catalog, action, index)
        words = plan.operations[0].words()

        def work(database: Mongo, tried: Attempt) -> ObjectId:
            return apply(database, plan, stop=tried.stop, progress=tried.told)

        tried = attempt(connections[address.alias], work, plan=plan)
        back = HttpResponseRedirect(self.collection_url(address))
        if tried.trouble is not None:
            self.message_user(request, tried.trouble, messages.ERROR)
            return back
        self.log_change(request, CollectionModel(key=address.key), printable(words))
        if tried.goes_on:
            said = _("Started: %(what)s. See the run history for its progress.")
            self.message_user(request, said % {"what": printable(words)}, messages.INFO)
        else:
            said = _("Done: %(what)s.")
            self.message_user(request, said % {"what": printable(words)}, messages.SUCCESS)
        return back

    def _index_confirmation(
        self,
        request: HttpRequest,
        address: Address,
        action: str,
        found: tuple[Catalog, Collection, Index] | None,
        *,
        wrong: str | None = None,
        trouble: str | None = None,
    ) -> HttpResponse:
        titles = {
            "declare": _("Declare an index"),
            "hide": _("Hide an index"),
            "unhide": _("Unhide an index"),
            "drop": _("Drop an index"),
        }
        context: dict[str, Any] = {
            "title": titles[action],
            "address": address,
            "action": action,
            "submit": {"hide": _("Hide"), "unhide": _("Unhide"), "drop": _("Drop")}.get(action),
            "collection_url": self.collection_url(address),
            "dashboard_url": self.dashboard_url(address.alias),
            "is_grave": action == "drop",
            "wrong": wrong,
            "trouble": trouble,
        }
        if found is not None:
            catalog, collection, index = found
            context |= {
                "name": shown_name(index.name),
                "keys": index_keys(index),
                "definition": definition_text(index),
                "typed": printable(index.name) if action == "drop" else None,
                "consequences": self._consequences(address, catalog, collection, index, action),
            }
        return self.render(request, "index_action.html", context)

    def _consequences(
        self, address: Address, catalog: Catalog, collection: Collection, index: Index, action: str
    ) -> list[str]:
        said = {
            "hide": [
                _("Queries no longer use it; writes keep it up to date."),
                _("It can be unhidden at any time."),
            ],
            "unhide": [_("Queries may use it again at once.")],
            "drop": [
                _("Queries that use it become slower; rebuilding it scans the collection."),
                _("Hide it first to test the effect."),
            ],
        }[action]
        declared = declared_indexes(collection, self.spec(address), catalog.server)
        again = {
            "hide": _("%(model)s declares it, so the next sync will unhide it."),
            "drop": _("%(model)s declares it, so the next sync will recreate it."),
        }
        if index.name in declared and action in again:
            model = printable(declared[index.name].declared_by) or _("A model")
            said.append(again[action] % {"model": model})
        return said + (_losses(index) if action == "drop" else [])


def _losses(index: Index) -> list[str]:
    """What the index does in addition to speeding up queries, and how much it was used."""
    said = []
    if index.unique:
        said.append(_("It is unique: without it, duplicates are possible."))
    if index.expire_after_seconds is not None:
        said.append(_("It is a TTL index: without it, documents no longer expire."))
    for used in index.usage or ():
        told = {
            "host": printable(used.host),
            "count": count(used.operations),
            "since": f"{used.since:%Y-%m-%d %H:%M} UTC",
        }
        text = ngettext(
            "%(host)s has used it %(count)s time since %(since)s.",
            "%(host)s has used it %(count)s times since %(since)s.",
            used.operations,
        )
        said.append(text % told)
    return said


def _found(catalog: Catalog, digest: str) -> tuple[Collection, Index]:
    for collection in (*catalog.collections, *catalog.system_collections):
        index = find_index(collection, digest)
        if index is not None:
            return collection, index
    raise no_such(_("index"))


def _is_typed(request: HttpRequest, index: Index) -> bool:
    # Browsers do not send leading or trailing spaces, which are invisible.
    typed = request.POST.get("name", "").strip()
    return typed in {index.name.strip(), printable(index.name).strip()}


def _plan(address: Address, catalog: Catalog, action: str, index: Index) -> Plan:
    name = address.collection
    operation: Operation
    sign: Sign = "~"
    if action == "drop":
        collation = catalog[name].options.get("collation")
        operation, sign = DropIndex(collection=name, index=as_spec(index, collation)), "-"
    else:
        operation = SetHidden(collection=name, index=index.name, hidden=action == "hide")
    change = Change(collection=name, sign=sign, words=operation.words(), operations=(operation,))
    return Plan(
        database=catalog.database,
        fingerprint=fingerprint(catalog, [name]),
        collections=(name,),
        changes=(change,),
    )
