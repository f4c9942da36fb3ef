"""The schema beside Django's migrations: after ``migrate``, and in ``check --database``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import DatabaseError, router
from django.db import connections as databases
from pymongo.errors import PyMongoError

from djongo_services.conf import settings
from djongo_services.connections import Connection, connections
from djongo_services.exceptions import DjongoServicesError
from djongo_services.schema.applying import apply
from djongo_services.schema.operations import Risk
from djongo_services.schema.plan import Plan
from djongo_services.schema.rendering import summary
from djongo_services.schema.signals import schema_synced
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.syncing import make_plan
from djongo_services.schema.target import specs_for

logger = logging.getLogger("djongo_services.schema")


def sync_after_migrate(sender: AppConfig, *, using: str, verbosity: int = 1, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: sync the collections of the migrated app.

    Steps that destroy something are never done here; the log says which command does them. Raises
    CommandError with the reason why the schema could not be synced.
    """
    if not settings.schema.sync_on_migrate:
        return
    try:
        _sync(sender, using)
    except DjongoServicesError as error:
        raise CommandError(f"The schema of {sender.label} was not synced: {error}") from error


def check_drift(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[checks.CheckMessage]:
    """``djongo_services.W006``: a database is not what the models say.

    Only indexes, options and validators are compared, no document is read. Silent while migrations
    wait to be applied, for then the difference is what they will mend.
    """
    found: list[checks.CheckMessage] = []
    for connection in _asked(databases or ()):
        try:
            plan = make_plan(connection.database, specs_for(connection), count=False)
        except (PyMongoError, ImproperlyConfigured, DjongoServicesError):
            continue  # W003 or E002 have said it, or the command will.
        if not plan.in_sync:
            found.append(_drift(connection, plan))
    return found


def _sync(sender: AppConfig, using: str) -> None:
    for connection, specs in _specs_of(sender, using):
        plan = make_plan(connection.database, specs)
        grave = [step for step in plan.operations if step.risk is Risk.DESTROYS]
        if grave:
            logger.warning(
                "The schema of %s on %r was not synced: %s would destroy something; "
                "run syncmongoschema --allow-destructive.",
                sender.label,
                connection.alias,
                grave[0].words(),
            )
        elif plan.operations:
            run = apply(connection.database, plan)
            logger.info("Synced the schema of %s on %r.", sender.label, connection.alias)
            schema_synced.send(Plan, using=connection.alias, plan=plan, run=run)


def _drift(connection: Connection, plan: Plan) -> checks.CheckMessage:
    return checks.Warning(
        f"The MongoDB database of the connection {connection.alias!r} is not what the models say. "
        f"{summary(plan)}",
        hint=f"See manage.py syncmongoschema --database {connection.alias} --plan.",
        id="djongo_services.W006",
    )


def _asked(named: Sequence[str]) -> Iterator[Connection]:
    """The connections behind these DATABASES aliases, and those with a server of their own."""
    if not named:
        return
    try:
        configured = settings.connections
    except ImproperlyConfigured:
        return
    for alias, entry in configured.items():
        if entry.database is None or (entry.database in named and not _waiting(entry.database)):
            yield connections[alias]


def _waiting(alias: str) -> bool:
    """Whether migrations of this alias wait to be applied, or nobody can tell."""
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(databases[alias])
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except (DatabaseError, PyMongoError, ImproperlyConfigured, ValueError):
        return True  # check_servers says what is wrong.


def _specs_of(
    app: AppConfig, using: str
) -> Iterator[tuple[Connection, tuple[CollectionSpec, ...]]]:
    """Of the app's models that ``using`` holds, per connection."""
    for alias, entry in settings.connections.items():
        if entry.database not in (None, using):
            continue
        connection = connections[alias]
        specs = tuple(
            spec
            for spec in specs_for(connection)
            if any(_belongs(label, app, using) for label in spec.models)
        )
        if specs:
            yield connection, specs


def _belongs(label: str, app: AppConfig, using: str) -> bool:
    model = apps.get_model(label)
    return model._meta.app_label == app.label and router.allow_migrate_model(using, model)
