"""``SCHEMA["SYNC_ON_MIGRATE"]``: apply the models' schema after each ``migrate``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import router
from pymongo.errors import PyMongoError

from djongo_services.conf import settings
from djongo_services.connections import Connection, connections
from djongo_services.error_messages import describe_error
from djongo_services.exceptions import DjongoServicesError
from djongo_services.schema.applying import apply
from djongo_services.schema.migrating.waiting import waiting_migrations, waiting_text
from djongo_services.schema.operations import Risk
from djongo_services.schema.plan import Plan
from djongo_services.schema.signals import schema_synced
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.syncing import make_plan
from djongo_services.schema.target import specs_for
from djongo_services.translation import english
from djongo_services.translation import gettext as _

logger = logging.getLogger("djongo_services.schema")


def sync_after_migrate(using: str) -> None:
    """Sync the collections of the models that the DATABASES alias holds.

    Destructive steps, collections with unapplied migrations and validators that djongo_services did
    not write are left alone, and the log names them. Raises CommandError with the reason if the
    schema could not be synced.
    """
    if not settings.schema.sync_on_migrate:
        return
    for connection, specs in _specs_of(using):
        try:
            _sync(connection, specs)
        except PyMongoError as error:
            raise _not_synced(connection, describe_error(error, connection)) from error
        except (DjongoServicesError, ImproperlyConfigured) as error:
            raise _not_synced(connection, str(error)) from error


def _not_synced(connection: Connection, reason: str) -> CommandError:
    text = _("The schema of the connection %(alias)r was not synced: %(reason)s")
    return CommandError(text % {"alias": connection.alias, "reason": reason})


def _sync(connection: Connection, specs: tuple[CollectionSpec, ...]) -> None:
    specs = _without_waiting(connection, specs)
    plan = make_plan(connection.database, specs)
    _report(connection, plan)
    safe = tuple(change for change in plan.changes if change.risk is not Risk.DESTROYS)
    plan = replace(plan, changes=safe)
    if plan.operations:
        run = apply(connection.database, plan)
        logger.info("Synced the schema of the connection %r.", connection.alias)
        schema_synced.send(Plan, using=connection.alias, plan=plan, run=run)


def _report(connection: Connection, plan: Plan) -> None:
    for change in plan.changes:
        if change.risk is Risk.DESTROYS:
            logger.warning(
                "%s: not synced, because it destroys something: %s; run syncmongoschema "
                "--database %s --allow-destructive.",
                change.collection,
                change.words,
                connection.alias,
            )
    for note in plan.notes:
        if note.words.startswith("validator: "):
            logger.warning("%s: %s", note.collection, note.words)


def _without_waiting(
    connection: Connection, specs: tuple[CollectionSpec, ...]
) -> tuple[CollectionSpec, ...]:
    """The specs whose models exist in the database already, as after ``migrate app``."""
    waiting = waiting_migrations(connection, specs)
    if not waiting:
        return specs
    with english():
        logger.warning("Not synced until they are applied: %s.", waiting_text(waiting))
    behind = {name.partition(".")[0] for name in waiting}
    return tuple(
        spec
        for spec in specs
        if not any(label.partition(".")[0] in behind for label in spec.models)
    )


def _specs_of(using: str) -> Iterator[tuple[Connection, tuple[CollectionSpec, ...]]]:
    """For each connection, the specs with a model that ``using`` contains."""
    for alias, entry in settings.connections.items():
        if entry.database not in (None, using):
            continue
        connection = connections[alias]
        specs = tuple(
            spec
            for spec in specs_for(connection)
            if any(router.allow_migrate_model(using, apps.get_model(one)) for one in spec.models)
        )
        if specs:
            yield connection, specs
