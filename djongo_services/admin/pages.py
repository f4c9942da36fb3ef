"""A ModelAdmin for a model without a table: the pages are ours, everything else is the admin's.

Sidebar, permissions, breadcrumbs, history, custom AdminSites and themes work as for any model. The
pages run outside of the request's transaction, because their queries are refused inside of one.
Most pages belong to a connection, have a time limit, and link to the other connections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from djongo_services.admin.address import shown_name
from djongo_services.admin.deadline import LONG_SECONDS, Deadline
from djongo_services.conf import settings
from djongo_services.connections import Connection, connections
from djongo_services.middleware import non_atomic

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin

Permission = Literal["add", "view", "change", "delete"]
View = Callable[..., HttpResponseBase]


class PagesAdmin(_ModelAdmin):
    """A base whose subclasses name their pages with :meth:`page_urls`."""

    def page_urls(self) -> list[URLPattern]:
        """An abstract method, which the metaclass of ModelAdmin would not enforce."""
        raise NotImplementedError(f"{type(self).__name__} names no pages")

    def get_urls(self) -> list[Any]:
        return self.page_urls()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def page_url(self, route: str, view: View, name: str, *, cacheable: bool = False) -> URLPattern:
        """A URL with a name in the admin's style: ``djongo_services_collection_<name>``.

        ``cacheable``: the view itself sets its caching headers.
        """

        def wrapped(*args: Any, **kwargs: Any) -> HttpResponseBase:
            return self.admin_site.admin_view(view, cacheable)(*args, **kwargs)

        wrapped.model_admin = self  # type: ignore[attr-defined]  # as ModelAdmin.get_urls does
        outside: View = non_atomic(update_wrapper(wrapped, view))
        return path(route, outside, name=self._url_name(name))

    def url(self, name: str, *args: str) -> str:
        """The path of a page on this admin site."""
        return reverse(f"admin:{self._url_name(name)}", args=args, current_app=self.admin_site.name)

    def allows(self, request: HttpRequest, permission: Permission) -> bool:
        match permission:
            case "add":
                return self.has_add_permission(request)
            case "view":
                return self.has_view_or_change_permission(request)
            case "change":
                return self.has_change_permission(request)
            case "delete":
                return self.has_delete_permission(request)

    def require(self, request: HttpRequest, *permissions: Permission) -> None:
        """Raises PermissionDenied unless the user has all of them."""
        if not all(self.allows(request, permission) for permission in permissions):
            raise PermissionDenied

    def render(
        self, request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200
    ) -> TemplateResponse:
        """A page in the admin's frame; ``template`` is a file of ``admin/djongo_services``."""
        request.current_app = self.admin_site.name
        whole = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "may_change": self.allows(request, "change"),
            "may_delete": self.allows(request, "delete"),
            **context,
        }
        return TemplateResponse(request, f"admin/djongo_services/{template}", whole, status=status)

    def _url_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"


def no_such(what: str) -> Http404:
    return Http404(_("There is no %(what)s.") % {"what": what})


def page_number(request: HttpRequest) -> int:
    """The page number from ``?p=``, from 1; an invalid number means the first page."""
    text = request.GET.get("p", "")
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def page_links(pages: int, current: int, url: Callable[[int], str]) -> list[dict[str, Any]]:
    """Links to the first and last page of a list and to pages near the current one; none if there
    is only one page."""
    if pages <= 1:
        return []
    return [
        {"number": number, "url": url(number), "is_current": number == current}
        for number in range(1, pages + 1)
        if number in (1, pages) or abs(number - current) <= 3
    ]


class ConnectionPages(PagesAdmin):
    def aliases(self) -> list[str]:
        """The aliases of the connections; none if the setting is wrong, which ``manage.py check``
        reports."""
        try:
            return list(settings.connections)
        except ImproperlyConfigured:
            return []

    def connection(self, request: HttpRequest) -> Connection:
        """The connection that ``?connection=`` names, otherwise the first; raises Http404."""
        aliases = self.aliases()
        alias = request.GET.get("connection", aliases[0] if aliases else "")
        if alias not in aliases:
            raise no_such(_("connection"))
        return connections[alias]

    def deadline(self, request: HttpRequest, connection: Connection) -> Deadline:
        return Deadline(connection, LONG_SECONDS if "wait" in request.GET else None)

    def database_url(self, page: str, alias: str, *arguments: str, **query: str) -> str:
        """The path of a page about a connection's database."""
        return f"{self.url(page, *arguments)}?{urlencode({'connection': alias, **query})}"

    def switcher(self, current: Connection) -> list[dict[str, Any]]:
        """The connections, for the tabs above a page that belongs to one of them."""
        return [
            {
                "name": shown_name(alias),
                "url": self.database_url("changelist", alias),
                "is_current": alias == current.alias,
            }
            for alias in self.aliases()
        ]
