"""System checks: of the settings always, of the servers with ``check --database``.

============================  =====================================================
``djongo_services.E001``      no MongoDB connection is configured
``djongo_services.E002``      the setting DJONGO_SERVICES is wrong
``djongo_services.W003``      a server cannot be used (tag ``database``)
``djongo_services.W004``      a server is too old (tag ``database``)
``djongo_services.W005``      a server is standalone: no transactions (tag ``database``)
``djongo_services.W006``      a database does not match the models (tag ``database``)
``djongo_services.W007``      ATOMIC_REQUESTS on a MongoDB alias does nothing
``djongo_services.W008``      MongoTransactionMiddleware is listed more than once
``djongo_services.W009``      MongoTransactionMiddleware is too far in
``djongo_services.E010``      an index of ``djongo_services.indexes`` is wrong
``djongo_services.W015``      tests would use a database that the settings name
``djongo_services.W016``      tests do not create, restore and drop the test databases
``djongo_services.W020``      a failed request loses files, but not their rows
``djongo_services.E021``      a storage follows an alias that DATABASES does not have
``djongo_services.E022``      a public storage has the files of a private one in it
``djongo_services.W023``      files of FileFields do not follow their rows
``djongo_services.W024``      documents break the models (tag ``database``, where asked for)
``djongo_services.W025``      aliases on the engine and without it share a server
``djongo_services.W026``      a check constraint is not enforced on the engine
``djongo_services.W027``      views cannot be retried within ATOMIC_REQUESTS
``djongo_services.W028``      a connection does not join the transactions of its alias
``djongo_services.E029``      tests would drop a database that the settings name
``djongo_services.E030``      writes that are not acknowledged cannot be in a transaction
``djongo_services.W031``      embedded models would get collections
``djongo_services.W032``      a setting of savepoints has no effect
============================  =====================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils.module_loading import import_string
from pymongo.errors import PyMongoError

from djongo_services.conf import EXAMPLE, SETTING, ConnectionSettings, settings
from djongo_services.connections import Connection, connections
from djongo_services.error_messages import describe_error
from djongo_services.introspection.muting import parse_mutes
from djongo_services.translation import english

OLDEST_SERVER = (4, 4)
"""The oldest server that PyMongo 4.18+ supports."""


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
        return [*wrong, *_check_services(), *_check_tests(configured)]
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
    """Check the servers and, if all of them can be used, their contents.

    This is one check, because Django runs checks in any order and the backend refuses a server only
    at the first query: an earlier check of drift would hide that.
    """
    from djongo_services.drift.checking import check_shapes
    from djongo_services.schema.migrating.drift import check_drift

    found = check_servers(databases=databases)
    if any(message.id == "djongo_services.W003" for message in found):
        return found
    return [*found, *check_drift(databases=databases), *check_shapes(databases)]


def check_servers(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[checks.CheckMessage]:
    """Check the servers behind the named DATABASES aliases, and all servers that are not in
    DATABASES.

    ``check --database`` accepts only aliases of DATABASES, so a server of our own cannot be named.
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
        return []  # check_settings reports it.
    return [message for connection in asked for message in _check_server(connection)]


def _check_tests(configured: Mapping[str, ConnectionSettings]) -> Iterator[checks.CheckMessage]:
    from djongo_services import database_names
    from djongo_services.testing import databases, hooks

    for alias, one in configured.items():
        if one.database is None and databases.uses_real_database(one):
            yield checks.Warning(
                f"Tests would use the database {database_names.name_in_tests(one)!r} of the "
                f"connection {alias!r}, which the settings name; it is neither emptied nor "
                f"restored.",
                hint=f'Set {SETTING}["CONNECTIONS"]["{alias}"]["TEST"]["NAME"] to another name.',
                obj=SETTING,
                id="djongo_services.W015",
            )
    if database_names.is_testing() and (names := hooks.replaced()):
        yield checks.Warning(
            "Tests do not create, restore and drop the test databases of the MongoDB connections.",
            hint=f"These were replaced after django.setup(): {', '.join(names)}. Import what "
            f"replaces them earlier.",
            obj=SETTING,
            id="djongo_services.W016",
        )


def _check_services() -> Iterator[checks.CheckMessage]:
    """Check each service's part of the setting, which it may read long after the start."""
    for service in ("admin", "inspection", "schema", "storage", "transaction"):
        try:
            getattr(settings, service)
        except ImproperlyConfigured as error:
            yield _wrong_setting(str(error))
            continue
        if service == "admin":
            yield from _check_jobs()
        if service == "inspection":
            yield from _check_mutes()
        if service == "schema":
            yield from _check_labels()


def _check_jobs() -> Iterator[checks.CheckMessage]:
    path = settings.admin.jobs
    try:
        if path is not None:
            import_string(path)
    except ImportError as error:
        yield _wrong_setting(f'{SETTING}["ADMIN"]["JOBS"] cannot be imported: {error}.')


def _check_mutes() -> Iterator[checks.CheckMessage]:
    try:
        parse_mutes(settings.inspection.mute)
    except ValueError as error:
        yield _wrong_setting(f'{SETTING}["INSPECTION"]["MUTE"]: {error}')


def _check_labels() -> Iterator[checks.CheckMessage]:
    from djongo_services.schema.target import check_labels

    try:
        check_labels()
    except ImproperlyConfigured as error:
        yield _wrong_setting(str(error))


def _check_connection(connection: Connection) -> list[checks.CheckMessage]:
    """What is wrong with its settings, as far as that is known without the server."""
    try:
        connection.address  # noqa: B018  (raises when the alias or HOST is unusable)
    except ImproperlyConfigured as error:
        return [_wrong_setting(_described(error, connection))]
    return []


@english()  # As all messages of checks are, those of Django among them.
def _described(error: Exception, connection: Connection) -> str:
    return describe_error(error, connection)


def _wrong_setting(sentence: str) -> checks.CheckMessage:
    return checks.Error(sentence, obj=SETTING, id="djongo_services.E002")


def _check_server(connection: Connection) -> list[checks.CheckMessage]:
    if _check_connection(connection):
        return []  # check_settings reports it.
    try:
        abilities = connection.abilities
    except (PyMongoError, DatabaseError, ImproperlyConfigured) as error:
        return [
            checks.Warning(
                _described(error, connection),
                hint="For development, manage.py mongod runs a server.",
                obj=f"connection {connection.alias!r}",
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
                obj=f"connection {connection.alias!r}",
                id="djongo_services.W004",
            )
        )
    if not abilities.transactions:
        found.append(
            checks.Warning(
                f"The MongoDB server of the connection {connection.alias!r} is standalone: "
                f"it has no transactions.",
                hint="Start it as a replica set of one member: mongod --replSet rs0.",
                obj=f"connection {connection.alias!r}",
                id="djongo_services.W005",
            )
        )
    return found
