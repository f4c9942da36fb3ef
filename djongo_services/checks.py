"""System checks: the settings always, the servers when ``check --database`` asks for it.

============================  =====================================================
``djongo_services.E001``      no MongoDB connection is configured
``djongo_services.E002``      the setting DJONGO_SERVICES is wrong
``djongo_services.W003``      a server cannot be used (tag ``database``)
``djongo_services.W004``      a server is too old (tag ``database``)
``djongo_services.W005``      a server is standalone: no transactions (tag ``database``)
``djongo_services.W006``      a database is not what the models say (tag ``database``)
``djongo_services.W007``      ATOMIC_REQUESTS on a MongoDB alias does nothing
``djongo_services.W008``      MongoTransactionMiddleware is listed more than once
``djongo_services.W009``      MongoTransactionMiddleware is too far in
``djongo_services.E010``      an index of ``djongo_services.indexes`` is wrong
============================  =====================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from djongo_services.conf import EXAMPLE, SETTING, settings
from djongo_services.connections import Connection, connections
from djongo_services.management.sentences import describe_error

OLDEST_SERVER = (4, 4)
"""What PyMongo 4.18+ talks to."""


@checks.register(checks.Tags.compatibility)
def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    try:
        configured = settings.connections
    except ImproperlyConfigured as error:
        return [_wrong_setting(str(error))]
    wrong = [found for alias in configured for found in _check_connection(connections[alias])]
    if configured:
        return [*wrong, *_check_services()]
    return [
        checks.Error(
            "No MongoDB connection is configured.",
            hint=f"Write {EXAMPLE} into your settings, or use django_mongodb_backend in DATABASES.",
            obj=SETTING,
            id="djongo_services.E001",
        )
    ]


@checks.register(checks.Tags.database)
def check_databases(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[checks.CheckMessage]:
    """The servers, and what is in them where all can be used.

    One check, because Django runs checks in any order and the backend refuses a server only the
    first time that it is asked: a check of drift that came first would hide that.
    """
    from djongo_services.schema.migrating import check_drift

    found = check_servers(databases=databases)
    if any(message.id == "djongo_services.W003" for message in found):
        return found
    return [*found, *check_drift(databases=databases)]


def check_servers(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[checks.CheckMessage]:
    """Ask the servers behind the named DATABASES aliases, and all that are no such alias.

    ``check --database`` takes only aliases of DATABASES, so a server of our own could not be named.
    """
    if not databases:
        return []
    try:
        asked = [
            connections[alias]
            for alias, configured in settings.connections.items()
            if configured.database is None or configured.database in databases
        ]
    except ImproperlyConfigured:
        return []  # check_settings has said it.
    return [message for connection in asked for message in _check_server(connection)]


def _check_services() -> Iterator[checks.CheckMessage]:
    """Each service reads its own part of the setting, perhaps long after the start."""
    for service in ("schema", "storage", "transaction"):
        try:
            getattr(settings, service)
        except ImproperlyConfigured as error:
            yield _wrong_setting(str(error))


def _check_connection(connection: Connection) -> list[checks.CheckMessage]:
    """What is wrong with its settings, as far as that shows without the server."""
    try:
        connection.address  # noqa: B018  (raises when the alias or HOST is unusable)
    except ImproperlyConfigured as error:
        return [_wrong_setting(describe_error(error, connection))]
    return []


def _wrong_setting(sentence: str) -> checks.CheckMessage:
    return checks.Error(sentence, obj=SETTING, id="djongo_services.E002")


def _check_server(connection: Connection) -> list[checks.CheckMessage]:
    if _check_connection(connection):
        return []  # check_settings has said it.
    try:
        abilities = connection.abilities
    except (PyMongoError, DatabaseError, ImproperlyConfigured) as error:
        return [
            checks.Warning(
                describe_error(error, connection),
                hint="For development, manage.py mongod runs a server.",
                id="djongo_services.W003",
            )
        ]
    found: list[checks.CheckMessage] = []
    if abilities.version_tuple < OLDEST_SERVER:
        found.append(
            checks.Warning(
                f"The MongoDB server of the connection {connection.alias!r} is version "
                f"{abilities.version}; PyMongo needs 4.4 or later.",
                hint="Upgrade the server.",
                id="djongo_services.W004",
            )
        )
    if not abilities.transactions:
        found.append(
            checks.Warning(
                f"The MongoDB server of the connection {connection.alias!r} is standalone: "
                f"it has no transactions.",
                hint="Start it as a replica set of one member: mongod --replSet rs0.",
                id="djongo_services.W005",
            )
        )
    return found
