"""One run of ``migrate`` on one connection, from ``pre_migrate`` to ``post_migrate``.

If it ends in between, the relaxed validators show that, and the next run restores them.
"""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime
from typing import Any

from django.apps.registry import Apps
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services.connections import Connection
from djongo_services.lease import SECONDS
from djongo_services.schema.applying import SchemaLease
from djongo_services.schema.applying.running import run_operation
from djongo_services.schema.migrating.changing import (
    MigrationPlan,
    changed_collections,
    specs_of_state,
)
from djongo_services.schema.migrating.settling import Settled, settle, validators_of
from djongo_services.schema.migrating.waiting import unapplied
from djongo_services.schema.operations import SetValidator
from djongo_services.schema.ownership import is_ours
from djongo_services.schema.relaxing import before_relaxing, relaxed
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.target import SpecConflict, specs_for

Document = dict[str, Any]


class MigrateRun:
    """A run, created before the migrations; it sends one query if nothing was ever synced."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.database: Database[Document] = connection.database
        self.validators = validators_of(self.database)
        """Validators by collection; those that :meth:`relax` has relaxed, in their relaxed form."""
        self._known: set[str] | None = None
        """The collections of models before the migrations."""
        self._lease: SchemaLease | None = None

    @property
    def _ours(self) -> set[str]:
        return {name for name, one in self.validators.items() if is_ours(one.query)}

    @property
    def relaxed(self) -> set[str]:
        found = self.validators.items()
        return {name for name, one in found if before_relaxing(one) is not None}

    def relax(self, registry: Apps, plan: MigrationPlan) -> list[str]:
        """Relax our validators whose collections the plan changes, and return the collections'
        names.

        ``registry`` has the models before the plan. Raises Locked if another run is in progress,
        OperationRefused, and PyMongo's errors.
        """
        if not self._ours:
            return []
        self._known = self._collections(registry)
        if not plan:
            return []
        changed = self._changed(registry, plan)
        if not changed and not self.relaxed:
            return []
        lease = self._hold()
        # Until now, another run could change them.
        self.validators = validators_of(self.database)
        changed &= self._ours
        for name in sorted(changed - self.relaxed):
            self._relax(name, lease)
        return sorted(changed)

    def settle(self, registry: Apps) -> list[Settled]:
        """Restore the validators that this run, or one that did not finish, has relaxed.

        ``registry`` has the models after the plan. Raises Locked if another run is in progress,
        what :func:`.settle` raises, and the errors of specs that cannot be made.
        """
        if self._known is None:
            return []
        created = self._collections(registry) - self._known
        if not created and self._lease is None and not self.relaxed:
            return []
        lease = self._hold()
        specs = self._specs(registry)
        new = {name for name in created if name in specs and self._is_synced(specs[name])}
        return settle(self.database, specs, created=sorted(new), lease=lease)

    def end(self) -> None:
        """Release the lease, also if the migrations failed."""
        lease, self._lease = self._lease, None
        if lease is not None:
            with contextlib.suppress(PyMongoError):  # It expires by itself.
                lease.__exit__(None, None, None)

    def _collections(self, registry: Apps) -> set[str]:
        models = registry.get_models(include_auto_created=True)
        tables = {model._meta.db_table for model in models}
        return tables & set(self.database.list_collection_names())

    def _hold(self) -> SchemaLease:
        if self._lease is None:
            lease = SchemaLease(self.database, seconds=SECONDS)
            lease.__enter__()
            self._lease = lease
        return self._lease

    def _changed(self, registry: Apps, plan: MigrationPlan) -> set[str]:
        try:
            return changed_collections(self.connection, registry, plan, self._ours)
        except SpecConflict:
            # On the way, two models may share a collection and contradict each other; that is no
            # reason not to migrate, and what cannot be compared may have changed.
            return self._ours

    def _relax(self, name: str, lease: SchemaLease) -> None:
        before = self.validators[name]
        after = relaxed(before, datetime.now(UTC))
        step = SetValidator(collection=name, before=before, after=after)
        run_operation(self.database, step, stop=threading.Event(), check=lease.check)
        self.validators[name] = after

    def _specs(self, registry: Apps) -> dict[str, CollectionSpec]:
        """The specs of the project's models, or of the models as they are at this point of the
        migrations if some are unapplied.

        After ``migrate app 0001`` the code is newer than the documents. If no migration is
        unapplied, the two are the same models, and the code has more information than migrations
        record.
        """
        alias = self.connection.settings.database
        assert alias is not None
        specs = {spec.name: spec for spec in specs_for(self.connection)}
        waiting = {app for app, _ in unapplied(alias)}
        if not waiting:
            return specs
        there = specs_of_state(self.connection, registry)
        return {
            **{name: spec for name, spec in specs.items() if not waiting & apps_of(spec)},
            **{name: spec for name, spec in there.items() if waiting & apps_of(spec)},
        }

    def _is_synced(self, spec: CollectionSpec) -> bool:
        """Whether another collection of its apps already had a validator of ours."""
        synced = {
            app
            for known in specs_for(self.connection)
            if known.name in self._ours
            for app in apps_of(known)
        }
        return bool(synced & apps_of(spec))


def apps_of(spec: CollectionSpec) -> set[str]:
    return {label.partition(".")[0] for label in spec.models}
