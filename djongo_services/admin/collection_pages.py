"""The common parts of the pages about collections: address, reading, tabs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from bson import ObjectId
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from djongo_services.admin.address import Address, parse_key, shown_name
from djongo_services.admin.deadline import Mongo
from djongo_services.admin.pages import ConnectionPages, no_such
from djongo_services.connections import connections
from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Catalog
from djongo_services.introspection.rendering.wording import facts, kind_text
from djongo_services.introspection.report import CollectionReport
from djongo_services.models import Collection
from djongo_services.schema.declared import specs_by_name
from djongo_services.schema.spec import CollectionSpec

TABS = ("change", "documents", "schema", "validator", "plan")
"""Names of the URLs; the first one is the admin's own URL of a collection."""


class CollectionPages(ConnectionPages):
    """The base of the classes that make up the admin of collections."""

    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("<path:object_id>/history/", self.history_view, "history"),
            self.page_url("<path:object_id>/", self.to_collection, "to_change"),
        ]

    def to_collection(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(self.collection_url(self.address(object_id)))

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """The object of the history; whether it exists in the database is not checked."""
        address = parse_key(object_id, self.aliases())
        return None if address is None else Collection(key=address.key)

    def address(self, object_id: str) -> Address:
        """The address of a collection. Raises Http404 unless it names a connection and a
        collection."""
        address = parse_key(unquote(object_id), self.aliases())
        if address is None:
            raise no_such(_("connection"))
        return address

    def collection_url(self, address: Address, tab: str = "change", **query: str) -> str:
        """The path of a page about the collection."""
        url = self.url(tab, self.quoted(address))
        return f"{url}?{urlencode(query)}" if query else url

    def quoted(self, address: Address) -> str:
        """The collection as an argument of a URL."""
        quoted: str = quote(address.key)
        return quoted

    def dashboard_url(self, alias: str) -> str:
        return self.database_url("changelist", alias)

    def progress_page(self, alias: str, run: ObjectId | None) -> str:
        """The path of the page of a run in progress; of the list of runs if it has not begun
        yet."""
        if run is None:
            return self.database_url("runs", alias)
        return self.database_url("run", alias, str(run))

    def tab(
        self,
        request: HttpRequest,
        address: Address,
        name: str,
        catalog: Catalog | None,
        trouble: str | None,
        context: Mapping[str, Any],
        *,
        template: str | None = None,
    ) -> TemplateResponse:
        """A tab of the collection's page; ``catalog`` is of this collection. ``template`` is for
        another page below the tab."""
        found = None
        if catalog is not None:
            found = next(iter((*catalog.collections, *catalog.system_collections)), None)
            if found is None and self.spec(address) is None:
                raise no_such(_("collection"))
        return self.render(
            request,
            template or f"{name if name != 'change' else 'indexes'}.html",
            {
                "title": address.shown,
                "address": address,
                "tab": name,
                "tabs": self._tabs(request, address, name),
                "connection_name": shown_name(address.alias),
                "dashboard_url": self.dashboard_url(address.alias),
                "history_url": self.collection_url(address, "history"),
                "kind": kind_text(found) if found else None,
                # The last phrase would say that documents were not read, which is not needed here.
                "facts": facts(CollectionReport(collection=found))[:-1] if found else [],
                "unavailable": found.unavailable if found else (),
                "is_missing": catalog is not None and found is None,
                "read_only": catalog is not None and catalog.server.read_only,
                "trouble": trouble,
                "wait_url": None if "wait" in request.GET else f"{request.path}?wait=1",
                **context,
            },
        )

    def spec(self, address: Address) -> CollectionSpec | None:
        """The models' spec of the collection; None also if they contradict each other."""
        try:
            return specs_by_name(connections[address.alias]).get(address.collection)
        except (ImproperlyConfigured, DjongoServicesError):
            return None

    def checks_of(self, alias: str) -> Callable[[str], Mapping[str, Mapping[str, Any]]]:
        """A function that returns, by name, the constraints of a collection's models that its
        validator contains."""

        def checks(collection: str) -> Mapping[str, Mapping[str, Any]]:
            spec = self.spec(Address(alias=alias, collection=collection))
            return {} if spec is None else spec.checks

        return checks

    def may(self, request: HttpRequest, permission: str) -> bool:
        """Whether the user has one of the permissions for documents."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.{permission}"))

    def may_see_documents(self, request: HttpRequest) -> bool:
        return self.allows(request, "view") and self.may(request, "view_documents")

    def require_documents(self, request: HttpRequest) -> None:
        """Raises PermissionDenied unless the user may see the content of documents."""
        if not self.may_see_documents(request):
            raise PermissionDenied

    def _tabs(self, request: HttpRequest, address: Address, current: str) -> list[dict[str, Any]]:
        titles = {
            "change": _("Indexes"),
            "documents": _("Documents"),
            "schema": _("Schema"),
            "validator": _("Validator"),
            "plan": _("Plan"),
        }
        return [
            {
                "title": titles[name],
                "url": self.collection_url(address, name),
                "is_current": name == current,
            }
            for name in TABS
            if name != "documents" or self.may_see_documents(request)
        ]


def read_collection(name: str, *, usage: bool = False) -> Any:
    """The catalog of this collection, as work for :meth:`Deadline.ask`."""

    def work(database: Mongo) -> Catalog:
        return read_catalog(database, names=[name], usage=usage, multikey=usage)

    return work
