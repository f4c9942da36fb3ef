"""ObjectIds for the primary keys that Django adds automatically.

MongoDB has no sequences. A model without a primary key of its own gets the type in its app's
``default_auto_field`` or the setting: an integer in Django's own apps, in most others, and in what
``startproject`` writes. On the engine it gets an ObjectId instead, in the models and in the
migrations that are loaded, so that Django's migrations of its own apps run unchanged.

What a project defines itself stays: a primary key that a model declares, a ``default_auto_field``
that is not an integer field, ``MIGRATION_MODULES``. Apps that the routers keep off the database
"default" stay unchanged.
"""

from __future__ import annotations

import copy
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, models, router
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import (
    AddField,
    AlterField,
    CreateModel,
    SeparateDatabaseAndState,
)
from django.db.migrations.operations.base import Operation
from django.db.models.options import Options

from djongo_services.patching import Method, patch

_INTEGERS = (models.AutoField, models.BigAutoField, models.SmallAutoField)
"""Without their subclasses, which projects define for their own purposes."""

_IN_EVERY_DATABASE = "django_migrations"
"""One model for all databases; its key is never read."""


def install() -> None:
    """Install the change before the first model gets its key; repeating it does nothing."""
    patch(Options, "_get_default_pk_class", _choosing)
    patch(MigrationLoader, "load_disk", _loading)


def are_object_ids(app_label: str) -> bool:
    """Whether the automatic keys of an app are ObjectIds: its tables may be in the database
    "default", and that is on the engine."""
    try:
        wrapper = connections[DEFAULT_DB_ALIAS]
    except ImproperlyConfigured:
        return False  # Django reports that when it is used.
    return bool(getattr(wrapper, "has_object_ids", False)) and router.allow_migrate(
        DEFAULT_DB_ALIAS, app_label
    )


def _choosing(original: Method) -> Method:
    def _get_default_pk_class(options: Any) -> type[models.AutoField[Any, Any]]:
        chosen: type[models.AutoField[Any, Any]] = original(options)
        if chosen not in _INTEGERS or options.db_table == _IN_EVERY_DATABASE:
            return chosen
        return _automatic_key() if are_object_ids(options.app_label) else chosen

    return _get_default_pk_class


def _loading(original: Method) -> Method:
    def load_disk(loader: MigrationLoader) -> None:
        original(loader)
        for (app_label, _), migration in loader.disk_migrations.items():
            if are_object_ids(app_label):
                vars(migration)["operations"] = [*map(_with_object_ids, migration.operations)]

    return load_disk


def _with_object_ids(operation: Operation) -> Operation:
    """The operation itself, or a copy, because its class is shared with other loaders."""
    match operation:
        case CreateModel():
            fields = [(name, _as_object_id(field)) for name, field in operation.fields]
            return _changed(operation, fields=fields)
        case AddField() | AlterField():
            return _changed(operation, field=_as_object_id(operation.field))
        case SeparateDatabaseAndState():
            return _changed(
                operation,
                database_operations=[*map(_with_object_ids, operation.database_operations)],
                state_operations=[*map(_with_object_ids, operation.state_operations)],
            )
    return operation


def _changed(operation: Operation, **attributes: Any) -> Operation:
    changed = copy.copy(operation)
    vars(changed).update(attributes)
    return changed


def _as_object_id(field: Any) -> Any:
    if type(field) not in _INTEGERS or not field.auto_created:
        return field
    _, _, arguments, options = field.deconstruct()
    return _automatic_key()(*arguments, **options)


def _automatic_key() -> type[models.AutoField[Any, Any]]:
    from djongo_services.backend.automatic_key import AutomaticKey

    return AutomaticKey
