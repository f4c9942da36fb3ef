"""The collections that a plan of ``migrate`` changes: their rules, or their documents."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from django.apps.registry import Apps
from django.db import connections as databases
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import (
    AlterField,
    AlterOrderWithRespectTo,
    RenameModel,
    SeparateDatabaseAndState,
)
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.fields import FieldOperation
from django.db.migrations.operations.models import IndexOperation, ModelOperation
from django.db.migrations.state import ProjectState
from django.db.models import Model

from djongo_services.connections import Connection
from djongo_services.embedded_models import is_embedded
from djongo_services.schema.diff.validators import same_query
from djongo_services.schema.options import take_options
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.target import collection_spec, models_of
from djongo_services.schema.target.models import migrated_models

MigrationPlan: TypeAlias = Sequence[tuple[Migration, bool]]
"""The argument of ``pre_migrate``: each migration, and whether it is unapplied."""
Key: TypeAlias = tuple[str, str]
"""App label and lower-case model name."""


def changed_collections(
    connection: Connection, registry: Apps, plan: MigrationPlan, names: Names[str]
) -> set[str]:
    """The named collections whose rules differ after the plan, or that it may write to.

    ``registry`` has the models as they are before it. Operations that Django's own state does not
    describe (``RunPython``, ``RunSQL``, classes of other packages) count for their own app and for
    the apps that their migration depends on; Django's documentation requires such a dependency for
    each app whose models they use.
    """
    walk = _MigrationWalk(connection, plan)
    before = specs_of_state(connection, registry, names)
    after = {spec.models: spec for spec in specs_of_state(connection, walk.other.apps).values()}
    through = _through_models(registry)
    return {
        name
        for name, spec in before.items()
        if _differs(spec, after.get(spec.models))
        or any(walk.touches(_key(label), through) for label in spec.models)
    }


def _differs(spec: CollectionSpec, after: CollectionSpec | None) -> bool:
    if spec.validator is None:
        return False
    if after is None or after.validator is None:
        return True
    return not same_query(spec.validator, after.validator)


class _MigrationWalk:
    """Goes through the plan's migrations from the oldest to the newest, in whichever direction they
    run."""

    def __init__(self, connection: Connection, plan: MigrationPlan) -> None:
        alias = connection.settings.database
        assert alias is not None
        backwards = plan[0][1]
        self.models: set[Key] = set()
        self.apps: set[str] = set()
        self.renames: list[tuple[Key, Key]] = []
        state = _oldest_state(MigrationLoader(databases[alias]), plan)
        self.other: ProjectState = state.clone() if backwards else state
        """The state at the end of the plan."""
        for migration, _ in reversed(plan) if backwards else plan:
            for operation in migration.operations:
                self._see(migration, operation, state)
                operation.state_forwards(migration.app_label, state)
        self._follow_renames()

    def touches(self, model: Key, through: Mapping[Key, set[Key]]) -> bool:
        renamed = {name for pair in self.renames for name in pair}
        return (
            model in self.models
            or model[0] in self.apps
            # The columns of a ManyToManyField's own table are named after the models.
            or bool(renamed & through.get(model, set()))
        )

    def _see(self, migration: Migration, operation: Operation, state: ProjectState) -> None:
        app = migration.app_label
        match operation:
            case SeparateDatabaseAndState():
                for inner in (*operation.database_operations, *operation.state_operations):
                    self._see(migration, inner, state)
            case RenameModel():
                old, new = (app, operation.old_name_lower), (app, operation.new_name_lower)
                self.renames.append((old, new))
                self.models |= {old, new}
            case AlterField() if not _moves_values(app, operation, state):
                pass  # Its effect is visible in the rules.
            case FieldOperation():
                self.models |= set(_keys_of_field(app, operation))
            case AlterOrderWithRespectTo():
                self.models.add((app, operation.name_lower))
            case ModelOperation() | IndexOperation():
                pass
            case _:
                self.apps |= {app, *(dependency[0] for dependency in migration.dependencies)}

    def _follow_renames(self) -> None:
        for old, new in (*self.renames, *reversed(self.renames)):
            if old in self.models or new in self.models:
                self.models |= {old, new}


def _oldest_state(loader: MigrationLoader, plan: MigrationPlan) -> ProjectState:
    planned = {(migration.app_label, migration.name) for migration, _ in plan}
    applied = [node for node in loader.applied_migrations if node in loader.graph.nodes]
    nodes = sorted(node for node in applied if node not in planned)
    if not nodes:
        return ProjectState(real_apps=loader.unmigrated_apps)
    state: ProjectState = loader.project_state(nodes)
    return state


def _moves_values(app: str, operation: AlterField, state: ProjectState) -> bool:
    """Whether it writes to documents even if another operation of the plan reverts it."""
    model = state.models.get((app, operation.model_name_lower))
    old: Any = model and model.fields.get(operation.name)
    new: Any = operation.field
    if old is None:
        return True
    return old.db_column != new.db_column or (old.null and not new.null)


def _keys_of_field(app: str, operation: FieldOperation) -> list[Key]:
    """The model, and the table of its own that a ManyToManyField has."""
    model = operation.model_name_lower
    names = {getattr(operation, name, "") for name in ("name", "old_name", "new_name")}
    return [(app, model), *((app, f"{model}_{name}".lower()) for name in names if name)]


def _through_models(registry: Apps) -> dict[Key, set[Key]]:
    """The models that each ManyToManyField's own table refers to."""
    found: dict[Key, set[Key]] = {}
    for model in registry.get_models(include_auto_created=True):
        meta: Any = model._meta
        if meta.auto_created:
            ends = [field.related_model for field in meta.concrete_fields if field.is_relation]
            found[_key(meta.label)] = {_key(end._meta.label) for end in ends}
    return found


def _key(label: str) -> Key:
    app, _, name = label.partition(".")
    return app, name.lower()


# The specs of the collections, from the models at a point of the migrations.
def specs_of_state(
    connection: Connection, registry: Apps, names: Iterable[str] | None = None
) -> dict[str, CollectionSpec]:
    """The specs by collection: all, or those of the named collections.

    ``registry`` has the models of a ``ProjectState``. Migrations do not record the options of
    ``collection_options``, so those of the project's models with the same name apply.
    """
    wanted = None if names is None else set(names)
    by_table: dict[str, list[type[Model]]] = {}
    for model in _models(connection, registry):
        if wanted is None or model._meta.db_table in wanted:
            take_options(model)
            by_table.setdefault(model._meta.db_table, []).append(model)
    alias = connection.settings.database
    backend = None if alias is None else databases[alias]
    return {name: collection_spec(models, backend=backend) for name, models in by_table.items()}


def _models(connection: Connection, registry: Apps) -> Iterable[type[Model]]:
    """The same models as :func:`models_of`: those that are migrated, and those that the settings
    name."""
    found = dict.fromkeys(migrated_models(connection.settings.database, registry))
    named = {model._meta.label_lower for model in models_of(connection)}
    for model in registry.get_models(include_auto_created=True):
        meta: Any = model._meta
        if meta.label_lower in named and not (meta.proxy or is_embedded(model)):
            found.setdefault(model)
    return found
