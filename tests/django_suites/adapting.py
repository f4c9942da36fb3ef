"""What Django's suites take for granted and MongoDB has not, replaced at run time.

Keys are ObjectIds: those that Django adds by itself, those that the tests' models and migrations
declare as ``models.AutoField``, and those of Django's own apps. Integers stand for ObjectIds where
a key is given, so that fixtures and ``pk=1`` mean something, and where the tests of the schema
compare the types of columns.

The condition ``isnull`` in a unique constraint, which the stock backend refuses, becomes one of
MongoDB's partial indexes: without it the tables of two suites cannot be made. And where the tests
of migrations clean up with DROP TABLE, collections are dropped.
"""

from __future__ import annotations

import sys
from typing import Any

import django.contrib.admin.apps
import django.contrib.auth.apps
import django.contrib.contenttypes.apps
import django.contrib.flatpages.apps
import django.contrib.redirects.apps
import django.contrib.sites.apps
from django.db import models
from django.db.models.lookups import IsNull
from django.test.utils import CaptureQueriesContext

from tests.mongodb_orm import connection

KEY = "djongo_services.backend.automatic_key.AutomaticKey"

_OWN_APPS = (
    django.contrib.admin.apps.SimpleAdminConfig,
    django.contrib.auth.apps.AuthConfig,
    django.contrib.contenttypes.apps.ContentTypesConfig,
    django.contrib.flatpages.apps.FlatPagesConfig,
    django.contrib.redirects.apps.RedirectsConfig,
    django.contrib.sites.apps.SitesConfig,
)


def apply() -> None:
    """Call this before any model is defined."""
    from djongo_services.backend.automatic_key import AutomaticKey

    for app in _OWN_APPS:
        app.default_auto_field = KEY
    for name in ("AutoField", "BigAutoField", "SmallAutoField"):
        setattr(models, name, AutomaticKey)
    if "as_mql_idx" not in vars(IsNull):
        lookup: Any = IsNull
        lookup.as_mql_idx = _isnull_in_index


def apply_to_tests() -> None:
    """Once they are loaded."""
    _call_keys_id()
    if (module := sys.modules.get("migrations.test_base")) is not None:
        module.OperationTestBase.cleanup_test_tables = _drop_new_collections
    if (module := sys.modules.get("schema.tests")) is not None:
        _call_object_ids_integers(module.SchemaTests)
        vars(module)["CaptureQueriesContext"] = _InTermsOfSQL


def _drop_new_collections(case: Any) -> None:
    for name in set(connection.introspection.table_names()) - case._initial_table_names:
        connection.database.drop_collection(name)


def _isnull_in_index(lookup: Any, compiler: Any, connection: Any) -> dict[str, Any]:
    operator = "$eq" if lookup.rhs else "$exists"
    return {lookup.lhs.target.column: {operator: None if lookup.rhs else True}}


def _call_keys_id() -> None:
    """Django's tests expect a primary key's column to be called "id"."""
    introspection = type(connection.introspection)
    if introspection.__module__.startswith("django_mongodb_backend"):
        return
    constraints, relations = introspection.get_constraints, introspection.get_relations
    keys = introspection.get_primary_key_columns

    def name(column: str) -> str:
        return "id" if column == "_id" else column

    def get_constraints(self: Any, cursor: Any, table_name: str) -> Any:
        found = constraints(self, cursor, table_name)
        for one in found.values():
            one["columns"] = [name(column) for column in one["columns"]]
            if one["foreign_key"]:
                one["foreign_key"] = (one["foreign_key"][0], name(one["foreign_key"][1]))
        return found

    def get_relations(self: Any, cursor: Any, table_name: str) -> Any:
        found = relations(self, cursor, table_name)
        return {column: (name(key), other) for column, (key, other) in found.items()}

    def get_primary_key_columns(self: Any, cursor: Any, table_name: str) -> Any:
        return [name(column) for column in keys(self, cursor, table_name)]

    introspection.get_constraints = get_constraints
    introspection.get_relations = get_relations
    introspection.get_primary_key_columns = get_primary_key_columns


class _InTermsOfSQL(CaptureQueriesContext):
    """The tests count tables that are created and dropped."""

    @property
    def captured_queries(self) -> Any:
        found = super().captured_queries
        for command, sql in (("create", "CREATE TABLE"), ("drop", "DROP TABLE")):
            text = f'db.runCommand({{"{command}": '
            found = [{**one, "sql": one["sql"].replace(text, f"{sql} ")} for one in found]
        return found


def _call_object_ids_integers(tests: Any) -> None:
    """The columns of keys and of what refers to them."""
    classes = tests.column_classes

    def column_classes(self: Any, model: Any) -> Any:
        found = classes(self, model)
        return {
            name: ("IntegerField" if "ObjectId" in kind else kind, description)
            for name, (kind, description) in found.items()
        }

    tests.column_classes = column_classes
