"""What pages about a connection have in common: which one, for how long, and the way to others."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.translation import gettext as _

from djongo_services.admin.address import shown_name
from djongo_services.admin.pages import PagesAdmin, no_such
from djongo_services.admin.patience import LONG_SECONDS, SECONDS, Patience
from djongo_services.conf import settings
from djongo_services.connections import Connection, connections


class ConnectionPages(PagesAdmin):
    def aliases(self) -> list[str]:
        """None where the setting is wrong; ``manage.py check`` says how."""
        try:
            return list(settings.connections)
        except ImproperlyConfigured:
            return []

    def connection(self, request: HttpRequest) -> Connection:
        """The one that ``?connection=`` names, else the first; raises Http404."""
        aliases = self.aliases()
        alias = request.GET.get("connection", aliases[0] if aliases else "")
        if alias not in aliases:
            raise no_such(_("connection"))
        return connections[alias]

    def patience(self, request: HttpRequest, connection: Connection) -> Patience:
        return Patience(connection, LONG_SECONDS if "wait" in request.GET else SECONDS)

    def database_url(self, page: str, alias: str, *arguments: str, **query: str) -> str:
        """The path of a page about a connection's database."""
        return f"{self.url(page, *arguments)}?{urlencode({'connection': alias, **query})}"

    def switcher(self, current: Connection) -> list[dict[str, Any]]:
        """The connections, for the tabs above a page that is about one of them."""
        return [
            {
                "name": shown_name(alias),
                "url": self.database_url("changelist", alias),
                "is_current": alias == current.alias,
            }
            for alias in self.aliases()
        ]
