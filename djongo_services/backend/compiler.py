"""The backend's compilers, adapted to transactions.

Inside of a savepoint a duplicate is searched for before a write is sent: the server would end the
whole transaction because of it. What the server refuses in a transaction is expressed in another
way.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from bson import ObjectId
from django.apps import apps
from django.db.models.constants import OnConflict
from django.db.models.expressions import Col
from django.db.models.sql.constants import MULTI
from django.db.transaction import TransactionManagementError
from django.db.utils import IntegrityError, NotSupportedError
from django_mongodb_backend import compiler as backend
from pymongo import InsertOne, UpdateOne

from djongo_services.backend import checking
from djongo_services.backend.defaults import fill_in_defaults
from djongo_services.backend.errors import named_errors
from djongo_services.backend.locking import lock
from djongo_services.backend.unique import filters, types_of, unique_keys
from djongo_services.transaction.unions import has_union, without_union

Document = dict[str, Any]

_LOOKED_AT = 100
"""The number of documents of one insert that are searched for before it; larger inserts are sent
unchecked."""
_PREFETCHED = "_prefetch_related_val_"


class TransactionQuery(backend.SQLCompiler.query_class):  # type: ignore[misc]  # no types
    def get_cursor(self) -> Any:
        connection = self.compiler.connection
        if connection.has_begun() and has_union(pipeline := self.get_pipeline()):
            with named_errors():
                return self.compiler.collection.aggregate(
                    without_union(self.compiler.collection_name, pipeline),
                    session=connection.session,
                )
        return super().get_cursor()


class SQLCompiler(backend.SQLCompiler):  # type: ignore[misc]  # no types
    query_class = TransactionQuery

    def pre_sql_setup(self, *args: Any, **kwargs: Any) -> Any:
        if self.query.extra:
            _annotate_prefetched(self.query)
        return super().pre_sql_setup(*args, **kwargs)

    def execute_sql(self, result_type: Any = MULTI, *args: Any, **kwargs: Any) -> Any:
        if self.query.select_for_update:
            self._refuse_what_locks_cannot()
        with named_errors():
            if (condition := checking.condition_of(self.query, result_type)) is not None:
                with suppress(checking.NotExpressible):
                    return checking.check(self.connection, condition)
            return super().execute_sql(result_type, *args, **kwargs)

    def build_query(self, columns: Any = None) -> Any:
        query = super().build_query(columns)
        if self.query.select_for_update:
            with named_errors(self.query.get_meta().db_table):
                session = self.connection.session
                lock(self.collection, self.query.model, query.get_pipeline(), session)
        return query

    def _refuse_what_locks_cannot(self) -> None:
        if self.connection.get_autocommit():
            raise TransactionManagementError(
                "select_for_update cannot be used outside of a transaction."
            )
        query = self.query
        # The sentences are Django's own.
        for option, value in (
            ("SKIP LOCKED", query.select_for_update_skip_locked),
            ("FOR UPDATE OF", query.select_for_update_of),
            ("FOR NO KEY UPDATE", query.select_for_no_key_update),
        ):
            if value:
                raise NotSupportedError(f"{option} is not supported on this database backend.")


class SQLAggregateCompiler(backend.SQLAggregateCompiler):  # type: ignore[misc]  # no types
    query_class = TransactionQuery

    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        with named_errors():
            return super().execute_sql(*args, **kwargs)


class SQLDeleteCompiler(backend.SQLDeleteCompiler):  # type: ignore[misc]  # no types
    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        with named_errors(self.query.get_meta().db_table):
            return super().execute_sql(*args, **kwargs)


class SQLUpdateCompiler(backend.SQLUpdateCompiler):  # type: ignore[misc]  # no types
    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        with named_errors(self.query.get_meta().db_table):
            return super().execute_sql(*args, **kwargs)


class SQLInsertCompiler(backend.SQLInsertCompiler):  # type: ignore[misc]  # no types
    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        with named_errors(self.query.get_meta().db_table):
            return super().execute_sql(*args, **kwargs)

    def insert(self, docs: list[Document], returning_fields: Any = None) -> list[tuple[Any]]:
        fill_in_defaults(self.connection, self.query.fields, docs)
        match self.query.on_conflict:
            case OnConflict.IGNORE:
                self._upsert(docs, unique_keys(self.query.get_meta()), [])
                return []
            case OnConflict.UPDATE:
                key = self._columns(self.query.unique_fields)
                self._upsert(docs, [key], self._columns(self.query.update_fields))
                return self._keys_of(docs, key) if returning_fields else []
        if self.connection.looks_first() and len(docs) <= _LOOKED_AT:
            self._look_first(docs)
        result: list[tuple[Any]] = super().insert(docs, returning_fields)
        return result

    def _look_first(self, documents: list[Document]) -> None:
        options = self.query.get_meta()
        keys = unique_keys(options)
        wanted = [one for document in documents for one in filters(keys, document, self._types())]
        if not wanted:
            return
        found = self.connection.look_ahead(
            lambda: self.collection.find_one(
                {"$or": wanted}, {"_id": True}, session=self.connection.session
            )
        )
        if found is not None:
            raise IntegrityError(
                f"Duplicate key in {options.db_table}: a document with a value that must be unique "
                f"is there already, under _id {found['_id']!r}."
            )

    def _upsert(
        self, documents: list[Document], keys: list[tuple[str, ...]], updated: Iterable[str]
    ) -> None:
        types = self._types()
        requests = [_upserting(one, keys, types, list(updated)) for one in documents]
        self.collection.bulk_write(requests, session=self.connection.session)

    def _keys_of(self, documents: list[Document], key: tuple[str, ...]) -> list[tuple[Any]]:
        wanted = [tuple(document[column] for column in key) for document in documents]
        types = self._types()
        conditions = [one for document in documents for one in filters([key], document, types)]
        if not conditions:
            return [(document["_id"],) for document in documents]
        found = self.collection.find(
            {"$or": conditions}, dict.fromkeys((*key, "_id"), True), session=self.connection.session
        )
        by_key = {tuple(one[column] for column in key): one["_id"] for one in found}
        # A document with a null in its key was inserted.
        return [
            (by_key.get(one, document["_id"]),)
            for one, document in zip(wanted, documents, strict=True)
        ]

    def _types(self) -> dict[str, str]:
        return types_of(self.query.get_meta(), self.connection)

    def _columns(self, fields: Iterable[Any]) -> tuple[str, ...]:
        options = self.query.get_meta()
        return tuple(
            field.column if hasattr(field, "column") else options.get_field(field).column
            for field in fields
        )


def _upserting(
    document: Document, keys: list[tuple[str, ...]], types: dict[str, str], updated: list[str]
) -> Any:
    """Insert a document, or change the ``updated`` fields of the one that has one of its keys."""
    found = filters(keys, document, types)
    document.setdefault("_id", ObjectId())
    if not found:
        return InsertOne(document)
    change: Document = {}
    if updated:
        change["$set"] = {column: document[column] for column in updated}
    rest = {column: value for column, value in document.items() if column not in updated}
    if rest:
        change["$setOnInsert"] = rest
    return UpdateOne(found[0] if len(found) == 1 else {"$or": found}, change, upsert=True)


def _annotate_prefetched(query: Any) -> None:
    """Replace the raw SQL with which ``prefetch_related()`` of a ManyToManyField selects a column
    of its table."""
    if not all(name.startswith(_PREFETCHED) for name in query.extra):
        return
    for name, (sql, _) in list(query.extra.items()):
        table, column = (part.strip('"') for part in sql.rsplit(".", 1))
        alias = next(
            alias
            for alias, join in query.alias_map.items()
            if join.table_name == table and query.alias_refcount[alias]
        )
        models = apps.get_models(include_auto_created=True)
        model = next(model for model in models if model._meta.db_table == table)
        field = next(field for field in model._meta.local_fields if field.column == column)
        query.annotations[name] = Col(alias, field)
        query.append_annotation_mask([name])
    query.extra = {}
    query.extra_select_mask = None
    query._extra_select_cache = None
