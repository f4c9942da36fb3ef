"""The page about transactions: how they went, which are open, and what is in force."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from djongo_services.admin.address import shown_name
from djongo_services.admin.connection_pages import ConnectionPages
from djongo_services.admin.open_transactions import OpenTransactions, open_transactions
from djongo_services.admin.profiles.keeping import moment
from djongo_services.conf import settings
from djongo_services.connections import Connection
from djongo_services.introspection.rendering.numbers import count
from djongo_services.introspection.rendering.printable import printable
from djongo_services.middleware import MongoTransactionMiddleware
from djongo_services.transaction.counting import OTHERS, OUTSIDE, Count, counters
from djongo_services.transaction.requests.settings import AliasSettings, middleware_settings

MOST_VIEWS = 50
OLD_SECONDS = 10.0
"""From this age on, an open transaction is pointed out."""


class TransactionAdmin(ConnectionPages):
    def page_urls(self) -> list[URLPattern]:
        return [self.page_url("", self.transactions, "changelist")]

    def transactions(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "view")
        if not self.aliases():
            return self.render(request, "transactions.html", {"title": _("Transactions")})
        connection = self.connection(request)
        asked = self.patience(request, connection).ask(open_transactions)
        views = counters.by_view(connection.alias)
        total = sum(views.values(), Count())
        context = {
            "title": _("Transactions"),
            "connections": self.switcher(connection),
            "connection_name": shown_name(connection.alias),
            "trouble": asked.trouble,
            "since": moment(counters.since),
            "total": _count(_("all"), total),
            "views": _views(views),
            **(_open(asked.value) if asked.value else {}),
            **_in_force(connection),
        }
        return self.render(request, "transactions.html", context)


def _views(views: Any) -> list[dict[str, Any]]:
    """The slowest first."""
    slowest = sorted(views.items(), key=lambda item: item[1].slowest, reverse=True)
    names = {OUTSIDE: _("outside of requests"), OTHERS: _("all other views")}
    return [_count(names.get(name, name), one) for name, one in slowest[:MOST_VIEWS]]


def _count(name: str, one: Count) -> dict[str, str]:
    return {
        "name": printable(name),
        "committed": count(one.committed),
        "rolled_back": count(one.rolled_back),
        "unknown": count(one.unknown) if one.unknown else "",
        "retried": count(one.retried),
        "average": _duration(one.average) if one.finished else "",
        "slowest": _duration(one.slowest) if one.finished else "",
    }


def _open(found: OpenTransactions) -> dict[str, Any]:
    return {
        "is_answered": True,
        "is_own_only": found.is_own_only,
        "lifetime": found.lifetime,
        "open": [
            {
                "age": _duration(one.age),
                "is_old": one.age >= OLD_SECONDS,
                "active": _duration(one.active),
                "one": one,
            }
            for one in found.found
        ],
    }


def _in_force(connection: Connection) -> dict[str, Any]:
    """The settings as they are read, defaults included; none of them is a secret."""
    try:
        own = {name.upper(): _value(value) for name, value in asdict(settings.transaction).items()}
        requests = middleware_settings()
    except ImproperlyConfigured as error:
        return {"settings_trouble": printable(str(error))}
    alias = requests.aliases.get(connection.alias)
    return {
        "settings": own,
        "has_middleware": _has_middleware(),
        "middleware": {
            "ROLLBACK_ON": getattr(requests.rollback_on, "__qualname__", "?"),
            "RENDERING": _value(requests.rendering),
            "ATTEMPTS": _value(requests.attempts),
            "BODY_LIMIT": _value(requests.body_limit),
            "READ_YOUR_WRITES": _value(requests.read_your_writes),
            "READ_YOUR_WRITES_MAX_AGE": _value(requests.read_your_writes_max_age),
            **(_of_alias(alias) if alias else {}),
        },
        "is_used": alias is not None,
    }


def _of_alias(alias: AliasSettings) -> dict[str, str]:
    options = {name.upper(): getattr(alias.options, name) for name in alias.options.given()}
    return {
        "TRANSACTION": _value(alias.transaction),
        "SAFE_METHODS": _value(alias.safe_methods),
        **{name: _value(value) for name, value in options.items()},
    }


def _has_middleware() -> bool:
    from django.conf import settings as django_settings

    path = f"{MongoTransactionMiddleware.__module__}.{MongoTransactionMiddleware.__qualname__}"
    return path in django_settings.MIDDLEWARE


def _value(value: Any) -> str:
    return printable(str(value))


def _duration(seconds: float) -> str:
    if seconds >= 60:
        return f"{seconds / 60:,.1f} min"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
