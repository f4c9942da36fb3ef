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
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext

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
        text = _(
            "%(waiting)s; run %(command)s first, so that it finds the database in the expected "
            "state."
        )
        command = f"migrate{_option(connection.settings.database)}"
        raise MigrationsWait(text % {"waiting": waiting_text(waiting), "command": command})


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
        text = _("The migrations of the database %(alias)r cannot be read: %(error)s")
        raise MigrationsUnreadable(text % {"alias": alias, "error": error}) from error
    return [(migration.app_label, migration.name) for migration, backwards in plan]


def waiting_text(waiting: tuple[str, ...]) -> str:
    """``2 migrations are not applied: a.0001_initial, a.0002_more``."""
    named, more = ", ".join(waiting[:_SHOWN]), len(waiting) - _SHOWN
    if more > 0:
        text = ngettext("%(names)s and %(count)s more", "%(names)s and %(count)s more", more)
        named = text % {"names": named, "count": more}
    text = ngettext(
        "%(count)s migration is not applied: %(names)s",
        "%(count)s migrations are not applied: %(names)s",
        len(waiting),
    )
    return text % {"count": len(waiting), "names": named}


def _option(alias: str | None) -> str:
    return "" if alias in (None, "default") else f" --database {alias}"
