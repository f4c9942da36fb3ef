"""The page about transactions: their outcomes, the open ones, and the effective settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bson.binary import Binary
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from pymongo.errors import OperationFailure

from djongo_services.admin.address import shown_name
from djongo_services.admin.deadline import Mongo
from djongo_services.admin.pages import ConnectionPages
from djongo_services.admin.profiles.keeping import moment
from djongo_services.admin.transaction_charts import count_texts, duration, hour, view_rows
from djongo_services.admin.transaction_counters import counters
from djongo_services.admin.transaction_history import EVERY_SECONDS
from djongo_services.admin.transaction_minutes import Count, Minutes
from djongo_services.conf import settings
from djongo_services.connections import Connection
from djongo_services.formatting import printable
from djongo_services.middleware import MongoTransactionMiddleware
from djongo_services.server_errors import UNAUTHORIZED
from djongo_services.transaction.requests.settings import AliasSettings, middleware_settings

OLD_SECONDS = 10.0
"""Older open transactions are highlighted."""


class TransactionAdmin(ConnectionPages):
    def page_urls(self) -> list[URLPattern]:
        return [self.page_url("", self.transactions, "changelist")]

    def transactions(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "view")
        if not self.aliases():
            return self.render(request, "transactions.html", {"title": _("Transactions")})
        connection = self.connection(request)
        deadline = self.deadline(request, connection)
        asked = deadline.ask(open_transactions)
        kept = deadline.ask(lambda database: Minutes(database, connection.alias).read())
        views = counters.by_view(connection.alias)
        total = Count()
        for one in views.values():
            total.add(one)
        context = {
            "title": _("Transactions"),
            "connections": self.switcher(connection),
            "connection_name": shown_name(connection.alias),
            "trouble": asked.trouble,
            # One sentence is enough if the whole server does not respond.
            "hour_trouble": kept.trouble if kept.trouble != asked.trouble else None,
            "is_kept": settings.admin.transaction_history,
            "every": f"{EVERY_SECONDS:g}",
            **(hour(kept.value) if kept.value else {}),
            "since": moment(counters.since),
            "total": count_texts(total),
            "process_views": view_rows(views),
            **(_open(asked.value) if asked.value else {}),
            **_in_force(connection),
        }
        return self.render(request, "transactions.html", context)


def _open(found: OpenTransactions) -> dict[str, Any]:
    return {
        "is_answered": True,
        "is_own_only": found.is_own_only,
        "lifetime": found.lifetime,
        "open": [
            {
                "age": duration(one.age),
                "is_old": one.age >= OLD_SECONDS,
                "active": duration(one.active),
                "one": one,
            }
            for one in found.found
        ],
    }


def _in_force(connection: Connection) -> dict[str, Any]:
    """The effective settings, including defaults; none of them is a secret."""
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


# The open transactions on a server at this moment.
#
# Source: MongoDB manual, "$currentOp (aggregation)". The commands of a transaction are not read,
# because they contain values.
MOST = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTransaction:
    age: float
    """Seconds since it began."""
    active: float
    """Seconds during which its operations ran."""
    is_idle: bool
    """Whether none of its operations is running."""
    session: str
    """The beginning of its logical session's id."""
    client: str
    application: str
    namespace: str
    """The namespace of the running operation; empty while it is idle."""
    users: str
    host: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTransactions:
    found: tuple[OpenTransaction, ...]
    """The transactions, oldest first, at most :data:`MOST`."""
    is_own_only: bool
    """Whether the user may see only their own transactions."""
    lifetime: int | None
    """Seconds after which the server ends a transaction; None if it is unknown."""


def open_transactions(database: Mongo) -> OpenTransactions:
    """Raises PyMongo's errors."""
    own_only = False
    try:
        found = _current(database, everybody=True)
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        own_only = True
        found = _current(database, everybody=False)
    return OpenTransactions(
        found=tuple(_transaction(one) for one in found),
        is_own_only=own_only,
        lifetime=_lifetime(database),
    )


def _current(database: Mongo, *, everybody: bool) -> list[Mapping[str, Any]]:
    wanted = dict.fromkeys(
        (
            "type",
            "host",
            "ns",
            "client",
            "client_s",
            "appName",
            "lsid.id",
            "effectiveUsers",
            "transaction.timeOpenMicros",
            "transaction.timeActiveMicros",
        ),
        1,
    )
    pipeline: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": everybody, "idleSessions": True}},
        {"$match": {"transaction.timeOpenMicros": {"$exists": True}}},
        {"$project": wanted},
        {"$sort": {"transaction.timeOpenMicros": -1}},
        {"$limit": MOST},
    ]
    return list(database.client.admin.aggregate(pipeline))


def _lifetime(database: Mongo) -> int | None:
    name = "transactionLifetimeLimitSeconds"
    try:
        answer = database.client.admin.command({"getParameter": 1, name: 1})
    except OperationFailure:
        return None
    return int(answer[name]) if name in answer else None


def _transaction(found: Mapping[str, Any]) -> OpenTransaction:
    times = found["transaction"]
    session = (found.get("lsid") or {}).get("id")
    if isinstance(session, Binary):
        session = session.as_uuid()
    users = [f"{one.get('user')}@{one.get('db')}" for one in found.get("effectiveUsers") or ()]
    return OpenTransaction(
        age=int(times["timeOpenMicros"]) / 1e6,
        active=int(times.get("timeActiveMicros", 0)) / 1e6,
        is_idle=found.get("type") == "idleSession",
        session=printable(str(session))[:8] if session is not None else _("unknown"),
        client=printable(str(found.get("client") or found.get("client_s") or ""))[:100],
        application=printable(str(found.get("appName") or ""))[:100],
        namespace=printable(str(found.get("ns") or ""))[:200],
        users=printable(", ".join(users))[:200],
        host=printable(str(found.get("host") or ""))[:100],
    )
