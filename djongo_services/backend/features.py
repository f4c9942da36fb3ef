"""The features of the engine, for Django and its tests."""

from __future__ import annotations

from django.utils.functional import cached_property
from django_mongodb_backend.features import DatabaseFeatures as BackendFeatures

from djongo_services.conf import settings
from djongo_services.transaction import current, topology

_NOT_ANY_MORE = frozenset(
    {
        "Check constraints are not supported.",
        "Database defaults aren't supported by MongoDB.",
        "MongoDB does not enforce PositiveIntegerField constraint.",
        "transaction.atomic() is not supported.",
        "transaction.rollback() is not supported.",
        "QuerySet.prefetch_related() is not supported on MongoDB.",
        "Connection health checks not implemented.",
        "inspectdb is not supported.",
        "DatabaseIntrospection.get_table_description() not supported.",
        "MongoDB can't introspect primary key.",
        "Support for views not implemented.",
        "migrate --fake-initial is not supported.",
    }
)
"""Reasons for which the backend skips Django's tests."""
_NOT_YET = {
    "The test creates a view by SQL.": {
        "inspectdb.tests.InspectDBTransactionalTests.test_include_views",
        "introspection.tests.IntrospectionTests.test_table_names_with_views",
    },
    "Composite primary keys are not supported.": {
        "inspectdb.tests.InspectDBTransactionalTests.test_composite_primary_key",
    },
}
_KEY = "django_mongodb_backend.fields.ObjectIdAutoField"


class DatabaseFeatures(BackendFeatures):  # type: ignore[misc]  # the backend has no types
    autocommits_when_autocommit_is_off = False
    can_rollback_ddl = False
    can_introspect_foreign_keys = True
    can_introspect_materialized_views = False
    can_clone_databases = True
    supports_inspectdb = True
    has_select_for_update = True
    has_select_for_update_nowait = True
    supports_ignore_conflicts = True
    supports_update_conflicts = True
    supports_update_conflicts_with_target = True

    @cached_property
    def supports_transactions(self) -> bool:
        self.connection.ensure_connection()
        client = self.connection.connection
        if not client.topology_description.has_known_servers:
            with current.apart():
                client.admin.command("ping")
        return topology.has_transactions(client.topology_description)

    supports_column_check_constraints = True
    supports_table_check_constraints = True

    @property
    def uses_savepoints(self) -> bool:
        return self.supports_transactions and settings.transaction.savepoints == "replay"

    @property
    def can_release_savepoints(self) -> bool:
        return self.uses_savepoints

    @cached_property
    def introspected_field_types(self) -> dict[str, str]:
        """The field types as declared, which the titles of columns keep; automatic keys are
        ObjectIds."""
        keys = dict.fromkeys(("AutoField", "BigAutoField", "SmallAutoField"), _KEY)
        return {**super().introspected_field_types, **keys}

    @cached_property
    def django_test_skips(self) -> dict[str, set[str]]:
        skips = super().django_test_skips
        kept = {reason: tests for reason, tests in skips.items() if reason not in _NOT_ANY_MORE}
        return {**kept, **_NOT_YET}
