"""Operations of migrations on embedded models, which the backend's router hides from the editor.

``MongoRouter`` says that an embedded model is not migrated, so that ``dumpdata`` leaves it out and
``migrate`` creates no table for it. But a change of its fields changes the documents that contain
it.
"""

from __future__ import annotations

from typing import Any

from django.db import connections, router
from django.db.migrations.operations.base import Operation

from djongo_services.embedded_models import is_embedded
from djongo_services.patching import Method, patch


def let_embedded_models_through() -> None:
    """Patch the operations; repeating it does nothing."""
    patch(Operation, "allow_migrate_model", _allowing)


def _allowing(original: Method) -> Method:
    def allow_migrate_model(operation: Operation, alias: str, model: Any) -> bool:
        if not (is_embedded(model) and _maintains_validators(alias)):
            return bool(original(operation, alias, model))
        migrated = router.allow_migrate(alias, model._meta.app_label)
        return bool(migrated and model._meta.can_migrate(connections[alias]))

    return allow_migrate_model


def _maintains_validators(alias: str) -> bool:
    editor = connections[alias].SchemaEditorClass
    return bool(getattr(editor, "maintains_validators", False))
