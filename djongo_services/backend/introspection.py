"""Django's introspection of a MongoDB database.

The ``title`` of a column that this engine created contains its declaration
(:mod:`~djongo_services.backend.titles`). Other columns are derived from a bounded sample of
documents.

The server refuses listings in a transaction, so everything here is read outside of open
transactions, and shows what is committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DatabaseError, models
from django.db.backends.base.introspection import BaseDatabaseIntrospection, FieldInfo, TableInfo
from django.utils.functional import cached_property
from django_mongodb_backend.introspection import DatabaseIntrospection as BackendIntrospection
from pymongo.errors import InvalidName

from djongo_services.abilities import Abilities, read_abilities
from djongo_services.backend.constraints import check, foreign_key, get_constraints
from djongo_services.backend.declared import (
    DeclaredColumn,
    bounds_of,
    declared_columns,
    max_length,
)
from djongo_services.backend.description import MIXED, describe_fields
from djongo_services.backend.errors import named_errors
from djongo_services.backend.inspected_models import models_module
from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Collection
from djongo_services.introspection.profiling import profile
from djongo_services.introspection.reading.listing import list_types
from djongo_services.introspection.report import Profile
from djongo_services.transaction import current

ANYTHING = "djongo_services.modelfields.BSONField"
KEY = "django_mongodb_backend.fields.ObjectIdAutoField"

_RELATIONS = ("ForeignKey", "OneToOneField")
_ON_DELETE = (None,) if hasattr(models, "DB_CASCADE") else ()
"""Django's additional item of a relation, if models may declare it (6.1)."""
_NO_COLLATION: Mapping[str, Any] = {"collation": None}
"""Django's fields on MongoDB accept none (fields.E190)."""


class DatabaseIntrospection(BackendIntrospection):  # type: ignore[misc]  # the backend has no types
    # The fields that write what they have read, as in models that inspectmongo generates.
    data_types_reverse: Mapping[str, str] = {
        "binData": "BinaryField",
        "bool": "BooleanField",
        "date": "DateTimeField",
        "decimal": "djongo_services.modelfields.Decimal128Field",
        "double": "FloatField",
        "int": "SmallIntegerField",
        "long": "BigIntegerField",
        "objectId": "django_mongodb_backend.fields.ObjectIdField",
        "string": "TextField",
        MIXED: ANYTHING,
    }

    table_names = BaseDatabaseIntrospection.table_names

    def get_table_list(self, cursor: Any) -> list[TableInfo]:
        """Collections, including time series, and views; not those of the system."""
        with named_errors(), current.apart():
            types = list_types(self.connection.database)
        return [
            TableInfo(name, "v" if type == "view" else "t")
            for name, type in sorted(types.items())
            if not name.startswith("system.")
        ]

    def get_table_description(self, cursor: Any, table_name: str) -> list[FieldInfo]:
        """The columns in order; ``type_code`` is a field class of Django's, or a BSON type. Raises
        DatabaseError for a collection that does not exist."""
        collection = self._collection(table_name)
        declared = declared_columns(collection)
        if declared is None:
            described = describe_fields(collection, self._profile(table_name))
            described += _only_indexed(collection, {info.name for info in described})
            return [info._replace(**_NO_COLLATION) for info in described]
        return [
            _declared_info(info, declared.get(info.name))
            for info in describe_fields(collection)
            if info.name in declared
        ]

    def get_field_type(self, data_type: str, description: FieldInfo) -> str:
        if data_type == "CharField" and not description.internal_size:
            return "TextField"  # Django's own field needs a max_length (fields.E120).
        if data_type in self.data_types_reverse:
            if description.name == "_id" and data_type == "objectId":
                return KEY
            if data_type == "string" and description.internal_size:
                return "CharField"
            return self.data_types_reverse[data_type]
        return data_type if _is_django_field(data_type) else ANYTHING

    def get_relations(self, cursor: Any, table_name: str) -> dict[str, tuple[Any, ...]]:
        """The foreign keys that models have declared; the server has none. By column, the column
        and the collection that it refers to, and from Django 6.1 on what the server does when the
        other document is deleted, which is nothing."""
        relations = _relations(self._collection(table_name))
        return {name: (*found, *_ON_DELETE) for name, found in relations.items()}

    def get_sequences(
        self, cursor: Any, table_name: str, table_fields: Any = ()
    ) -> list[dict[str, Any]]:
        """Always empty: MongoDB has no sequences."""
        return []

    def get_primary_key_columns(self, cursor: Any, table_name: str) -> list[str]:
        """The column that was declared as the key, otherwise ``_id``; none for a view."""
        collection = self._collection(table_name)
        declared = declared_columns(collection) or {}
        keys = [name for name, column in declared.items() if column.title.primary_key]
        if keys or collection.type != "collection":
            return keys
        return ["_id"]

    def get_constraints(self, cursor: Any, table_name: str) -> dict[str, dict[str, Any]]:
        """Every index, the validator, the bounds and foreign keys that models have declared, and
        search indexes if the server supports them."""
        collection = self._collection(table_name)
        found = get_constraints(collection)
        for name, declared in (declared_columns(collection) or {}).items():
            if (bounds := bounds_of(declared.schema)) and collection.validator is not None:
                rule = {"$jsonSchema": {"properties": {name: bounds}}}
                found.setdefault(f"{table_name}_{name}_check", check(rule, collection.validator))
        for name, (column, other) in _relations(collection).items():
            found.setdefault(f"{table_name}_{name}_fk", foreign_key(name, (other, column)))
        if collection.type == "collection":
            with named_errors(), current.apart():
                found.update(self._get_search_index_info(table_name))
        return found

    def models_module(self, names: Sequence[str]) -> str:
        """What the engine's ``inspectdb`` prints for these collections and views."""
        with named_errors(), current.apart():
            return models_module(self.connection.database, names, abilities=self._abilities)

    @cached_property
    def _abilities(self) -> Abilities:
        self.connection.ensure_connection()
        return read_abilities(self.connection.connection)

    def _collection(self, name: str) -> Collection:
        with named_errors(), current.apart():
            catalog = read_catalog(
                self.connection.database,
                names=[name],
                statistics=False,
                usage=False,
                multikey=False,
                abilities=self._abilities,
            )
        try:
            return catalog[name]
        except KeyError:
            message = f"There is no collection {name!r} in the database {catalog.database!r}."
            raise DatabaseError(message) from None

    def _profile(self, name: str) -> Profile | None:
        """A profile of the collection; None if PyMongo refuses the name."""
        with named_errors(), current.apart():
            try:
                return profile(self.connection.database[name])
            except InvalidName:
                return None


def _relations(collection: Collection) -> dict[str, tuple[str, str]]:
    """By column, the column and the collection that it refers to."""
    declared = declared_columns(collection) or {}
    return {
        name: (target.column, target.collection)
        for name, column in declared.items()
        if (target := column.title.target) is not None
    }


def _only_indexed(collection: Collection, known: set[str]) -> list[FieldInfo]:
    """Columns that are known only from an index, such as those of an empty collection."""
    names = {name: None for index in collection.indexes for name, _ in index.keys}
    return [
        FieldInfo(name, MIXED, None, None, None, None, True, None, None)  # type: ignore[arg-type]
        for name in names
        if name not in known and "." not in name and not name.startswith("$")
    ]


def _declared_info(info: FieldInfo, column: DeclaredColumn | None) -> FieldInfo:
    if column is None:
        return info
    title = column.title
    known = _is_django_field(title.kind) and title.kind not in _RELATIONS
    digits = title.digits or (None, None)
    length = max_length(column.schema)
    changes: dict[str, Any] = {
        "type_code": title.kind if known else info.type_code,
        "null_ok": column.null and info.name != "_id",
        "display_size": length,
        "internal_size": length,
        "precision": digits[0],
        "scale": digits[1],
        **_NO_COLLATION,
    }
    return info._replace(**changes)


def _is_django_field(name: str) -> bool:
    found = getattr(models, name, None)
    return isinstance(found, type) and issubclass(found, models.Field) and found is not models.Field
