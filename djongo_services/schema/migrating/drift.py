"""``djongo_services.W006``: a database does not match the models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from pymongo.errors import PyMongoError

from djongo_services.conf import settings
from djongo_services.connections import Connection, connections
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import printable
from djongo_services.schema.migrating.settling import relaxed_collections
from djongo_services.schema.migrating.waiting import waiting_migrations
from djongo_services.schema.plan import Plan
from djongo_services.schema.syncing import make_plan
from djongo_services.schema.target import specs_for
from djongo_services.schema.wording import plan_text
from djongo_services.translation import english


def check_drift(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[checks.CheckMessage]:
    """Compare indexes, options and validators only; no document is read.

    While migrations are unapplied, they explain the difference, and all that is reported is a
    validator that a run of ``migrate`` relaxed and did not restore.
    """
    found: list[checks.CheckMessage] = []
    for connection in asked_connections(databases or ()):
        try:
            found += _check(connection)
        except (PyMongoError, ImproperlyConfigured, DjongoServicesError):
            continue  # W003 or E002 report it, or the command will.
    return found


def _check(connection: Connection) -> Iterator[checks.CheckMessage]:
    specs = specs_for(connection)
    relaxed = relaxed_collections(connection.database)
    if relaxed:
        yield _relaxed(connection, sorted(relaxed))
    elif not waiting_migrations(connection, specs):
        plan = make_plan(connection.database, specs, count=False)
        if not plan.in_sync:
            yield _drift(connection, plan)


@english()  # As all messages of checks are, those of Django among them.
def _drift(connection: Connection, plan: Plan) -> checks.CheckMessage:
    return checks.Warning(
        f"The MongoDB database of the connection {connection.alias!r} does not match the models. "
        f"{plan_text(plan)}",
        hint=f"See manage.py syncmongoschema --database {connection.alias} --plan.",
        obj=f"connection {connection.alias!r}",
        id="djongo_services.W006",
    )


def _relaxed(connection: Connection, names: Sequence[str]) -> checks.CheckMessage:
    return checks.Warning(
        f"The MongoDB database of the connection {connection.alias!r} does not check documents of "
        f"{', '.join(map(printable, names))}: migrate relaxed the validators and has not ended.",
        hint="Unless migrate is running now, run it again.",
        obj=f"connection {connection.alias!r}",
        id="djongo_services.W006",
    )


def asked_connections(named: Sequence[str]) -> Iterator[Connection]:
    """The connections behind these DATABASES aliases, and those with a server of their own."""
    if not named:
        return
    try:
        configured = settings.connections
    except ImproperlyConfigured:
        return
    for alias, entry in configured.items():
        if entry.database is None or entry.database in named:
            yield connections[alias]
