"""The transactions that are open on a server at this moment.

Source: MongoDB manual, "$currentOp (aggregation)". What a transaction has sent is not read: it
holds values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson.binary import Binary
from django.utils.translation import gettext as _
from pymongo.errors import OperationFailure

from djongo_services.admin.patience import Mongo
from djongo_services.introspection.rendering.printable import printable

MOST = 100
_UNAUTHORIZED = 13


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTransaction:
    age: float
    """Seconds since it began."""
    active: float
    """Of these, how long operations of it ran."""
    is_idle: bool
    """Whether no operation of it runs now."""
    session: str
    """The beginning of its logical session's id."""
    client: str
    application: str
    namespace: str
    """Of the operation that runs; empty while it is idle."""
    users: str
    host: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTransactions:
    found: tuple[OpenTransaction, ...]
    """The oldest first, at most :data:`MOST`."""
    is_own_only: bool
    """Whether the user's privileges show no others' than their own."""
    lifetime: int | None
    """Seconds after which the server ends a transaction; None where it does not say."""


def open_transactions(database: Mongo) -> OpenTransactions:
    """Raises PyMongo's errors."""
    own_only = False
    try:
        found = _current(database, everybody=True)
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
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
