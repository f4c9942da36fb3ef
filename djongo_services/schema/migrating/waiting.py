"""Unapplied migrations: until they are applied, the database does not have to match the models."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import DatabaseError
from django.db import connections as databases
from django.db.migrations.exceptions import BadMigrationError, NodeNotFoundError
from django.db.migrations.executor import MigrationExecutor

from djongo_services.connections import Connection
from djongo_services.exceptions import DjongoServicesError
from djongo_services.schema.spec import CollectionSpec

_SHOWN = 10


class MigrationsWait(DjongoServicesError):
    """There are unapplied migrations; run migrate first."""


class MigrationsUnreadable(DjongoServicesError):
    """Django cannot determine which migrations are unapplied."""


def refuse_waiting(connection: Connection, specs: Iterable[CollectionSpec]) -> None:
    """Raise MigrationsWait if migrations of the specs' apps are not applied.

    A collection that is created before its migration runs makes ``migrate`` fail, and a validator
    of newer models refuses what the migration still has to change.
    """
    waiting = waiting_migrations(connection, specs)
    if waiting:
        raise MigrationsWait(
            f"{waiting_text(waiting)}; run migrate"
            f"{_option(connection.settings.database)} first, so that it finds the database in "
            f"the expected state."
        )


def waiting_migrations(connection: Connection, specs: Iterable[CollectionSpec]) -> tuple[str, ...]:
    """The unapplied migrations of the specs' apps, in Django's order:
    ``("library.0002_book_pages", ...)``.

    None for a connection with a server of its own, whose collections no migration creates. Raises
    MigrationsUnreadable.
    """
    alias = connection.settings.database
    apps = {label.partition(".")[0] for spec in specs for label in spec.models}
    if alias is None or not apps:
        return ()
    return tuple(f"{app}.{name}" for app, name in unapplied(alias) if app in apps)


def unapplied(alias: str) -> list[tuple[str, str]]:
    """The migrations of all apps that a plain ``migrate`` of the alias would apply."""
    try:
        executor = MigrationExecutor(databases[alias])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (BadMigrationError, NodeNotFoundError, DatabaseError, ValueError) as error:
        raise MigrationsUnreadable(
            f"The migrations of the database {alias!r} cannot be read: {error}"
        ) from error
    return [(migration.app_label, migration.name) for migration, _ in plan]


def waiting_text(waiting: tuple[str, ...]) -> str:
    """``2 migrations are not applied: a.0001_initial, a.0002_more``."""
    named = ", ".join(waiting[:_SHOWN])
    more = f" and {len(waiting) - _SHOWN} more" if len(waiting) > _SHOWN else ""
    are = "migration is" if len(waiting) == 1 else "migrations are"
    return f"{len(waiting)} {are} not applied: {named}{more}"


def _option(alias: str | None) -> str:
    return "" if alias in (None, "default") else f" --database {alias}"
