"""The part of the schema editor that creates and changes indexes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import NotSupportedError
from django.db.models import CheckConstraint, Index, UniqueConstraint
from django_mongodb_backend.schema import DatabaseSchemaEditor as Backend
from pymongo.errors import OperationFailure
from pymongo.operations import IndexModel

from djongo_services.backend.schema.commands import operation
from djongo_services.backend.schema.renaming import renamed_index, renamed_path
from djongo_services.backend.schema.validators import ValidatorEditor
from djongo_services.embedded_models import is_embedded
from djongo_services.index_kinds import PATH_OPTIONS, VERSIONS
from djongo_services.introspection.reading.catalog_queries import index_keys
from djongo_services.schema.mapping.layout import AnyModel
from djongo_services.schema.mapping.table import AnyField
from djongo_services.schema.operations import SHADOW_PREFIX
from djongo_services.schema.spec import IndexSpec
from djongo_services.schema.target.declared import Declared
from djongo_services.server_errors import INDEX_NOT_FOUND, NAMESPACE_NOT_FOUND

Document = dict[str, Any]

_SERVERS_OWN = VERSIONS | {"v", "ns", "background"}
_OF_EMBEDDED = "column_prefix" in inspect.signature(Backend._add_field_index).parameters
"""Whether the backend creates the indexes that embedded models declare. If it does not (6.1), the
model whose documents contain them declares them, by its ``EmbeddedFieldIndex``."""


class IndexEditor(ValidatorEditor):
    """Indexes that the backend silently ignores are created if MongoDB supports them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._creating = 0
        """Whether indexes of a new collection are created, whose checks are in its validator."""

    def _create_model_indexes(self, model: AnyModel, *args: Any, **kwargs: Any) -> None:
        self._creating += 1
        try:
            super()._create_model_indexes(model, *args, **kwargs)
        finally:
            self._creating -= 1

    @operation
    def add_index(self, model: AnyModel, index: Index, **kwargs: Any) -> None:
        if is_embedded(model) and not kwargs.get("parent_model"):
            for owner, prefix in self._indexed_places_of(model):
                self.add_index(model, index, parent_model=owner, column_prefix=prefix, **kwargs)
            return
        try:
            super().add_index(model, index, **kwargs)
        except NotSupportedError:
            specs = self._specs_of_index(model, index, kwargs)
            if not specs:
                raise
            self._build(kwargs.get("parent_model") or model, specs)

    @operation
    def remove_index(self, model: AnyModel, index: Index) -> None:
        if is_embedded(model):
            for owner, _ in self.single_places_of(model):
                self.drop_index(owner._meta.db_table, index.name)
            return
        with self._gone_already():
            super().remove_index(model, index)

    @operation
    def add_constraint(self, model: AnyModel, constraint: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(constraint, CheckConstraint):
            if not self._creating:
                self.add_check(model, constraint)
            return
        if is_embedded(model) and not kwargs.get("parent_model"):
            for owner, prefix in self._indexed_places_of(model):
                options = {**kwargs, "parent_model": owner, "column_prefix": prefix}
                self.add_constraint(model, constraint, *args, **options)
            return
        if isinstance(constraint, UniqueConstraint) and not self._is_known(constraint):
            if not kwargs.get("parent_model"):
                self._build(model, Declared(model, backend=True).constraint(constraint))
            return
        try:
            super().add_constraint(model, constraint, *args, **kwargs)
        except NotSupportedError:
            specs = self._specs_of_index(model, constraint, kwargs)
            if not specs:
                raise
            self._build(model, specs)

    @operation
    def remove_constraint(self, model: AnyModel, constraint: Any) -> None:
        if isinstance(constraint, CheckConstraint):
            self.remove_check(model, constraint)
            return
        if is_embedded(model):
            for owner, _ in self.single_places_of(model):
                self.drop_index(owner._meta.db_table, str(constraint.name))
            return
        with self._gone_already():
            if not isinstance(constraint, UniqueConstraint) or self._is_known(constraint):
                super().remove_constraint(model, constraint)
            elif any(True for _ in Declared(model, backend=True).constraint(constraint)):
                self.get_collection(model._meta.db_table).drop_index(constraint.name)

    @operation
    def alter_unique_together(self, model: AnyModel, *args: Any, **kwargs: Any) -> None:
        with self._gone_already():
            super().alter_unique_together(model, *args, **kwargs)

    @operation
    def alter_index_together(self, model: AnyModel, *args: Any, **kwargs: Any) -> None:
        with self._gone_already():
            super().alter_index_together(model, *args, **kwargs)

    def add_field_indexes(self, owner: AnyModel, field: AnyField, prefix: str = "") -> None:
        """Create the indexes that ``db_index`` or ``unique`` of a field requires, where its values
        are."""
        if prefix and not _OF_EMBEDDED:
            return
        place = {"column_prefix": prefix} if prefix else {}
        if self._field_should_be_indexed(owner, field):
            self._add_field_index(owner, field, **place)
        elif self._field_should_have_unique(field):
            self._add_field_unique(owner, field, **place)

    def add_embedded_indexes(self, model: AnyModel, field: AnyField) -> None:
        """Create the indexes of an embedded model within a new field."""
        embedded: Any = getattr(field, "embedded_model", None)
        if embedded is None or getattr(field, "base_field", None) is not None:
            return
        place = {"parent_model": model, "column_prefix": f"{field.column}."}
        if _OF_EMBEDDED:
            self._create_model_indexes(embedded, **place)
        else:
            self._create_embedded_spatial_indexes(embedded, **place)

    def add_check(self, model: AnyModel, constraint: CheckConstraint) -> None:
        """Implemented by the whole editor, which handles validators and documents."""
        raise NotImplementedError

    def remove_check(self, model: AnyModel, constraint: CheckConstraint) -> None:
        """Implemented by the whole editor."""
        raise NotImplementedError

    def _is_known(self, constraint: Any) -> bool:
        """Whether the backend creates an index for it."""
        return bool(
            self._unique_supported(
                condition=constraint.condition,
                deferrable=constraint.deferrable,
                include=constraint.include,
                expressions=constraint.expressions,
                nulls_distinct=constraint.nulls_distinct,
            )
        )

    def _indexed_places_of(self, model: AnyModel) -> list[tuple[AnyModel, str]]:
        return self.single_places_of(model) if _OF_EMBEDDED else []

    def _specs_of_index(
        self, model: AnyModel, index: Index | UniqueConstraint, options: Mapping[str, Any]
    ) -> list[IndexSpec]:
        """The indexes for a condition that the backend cannot express."""
        if options.get("column_prefix") or options.get("field") or index.condition is None:
            return []
        declared = Declared(model, backend=True)
        if isinstance(index, UniqueConstraint):
            return list(declared.constraint(index))
        if not options.get("unique"):
            return list(declared.index(index))
        again = UniqueConstraint(
            fields=[name for name, _ in index.fields_orders],
            name=index.name,
            condition=index.condition,
        )
        return list(declared.constraint(again))

    def _build(self, model: AnyModel, specs: Iterable[IndexSpec]) -> None:
        models = [IndexModel(dict(spec.keys), name=spec.name, **spec.options) for spec in specs]
        if models:
            self.get_collection(model._meta.db_table).create_indexes(models)

    def _gone_already(self) -> _GoneAlready:
        return _GoneAlready(self.resumed)

    def _constraint_names(
        self, model: AnyModel, column_names: Any = None, **kwargs: Any
    ) -> list[str]:
        if not self.collect_sql:
            found: list[str] = super()._constraint_names(model, column_names, **kwargs)
            return found
        # Nothing is queried: the names are those that the editor gives.
        if kwargs.get("unique"):
            return [str(self._unique_constraint_name(model._meta.db_table, column_names))]
        return [str(self._create_index_name(model._meta.db_table, column_names))]

    # Indexes that follow a column.

    def definitions(self, table: str) -> list[Document]:
        """All indexes except that on ``_id``, as they were when the operation began."""
        if self.collect_sql:
            return []
        found = [
            {name: value for name, value in one.items() if name not in _SERVERS_OWN}
            for one in map(dict, self.read(table).list_indexes())
            if one["name"] != "_id_" and not one["name"].startswith(SHADOW_PREFIX)
        ]
        kept: list[Document] = self.noted(f"indexes {table}", {"indexes": found})["indexes"]
        return kept

    def drop_indexes_on(self, table: str, column: str) -> None:
        """Drop all indexes that have the column, or something inside it, among their keys."""
        for one in self.definitions(table):
            if any(renamed_path(name, column, "") != name for name in _keys(one)):
                self.drop_index(table, one["name"])

    def drop_index(self, table: str, name: str) -> None:
        """Drop an index, also if it no longer exists."""
        try:
            self.run({"dropIndexes": table, "index": name})
        except OperationFailure as error:
            if error.code not in (INDEX_NOT_FOUND, NAMESPACE_NOT_FOUND):
                raise

    def moved_indexes(
        self,
        model: AnyModel,
        old: str,
        new: str,
        *,
        fields: tuple[AnyField, AnyField] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> list[tuple[Document, Document]]:
        """The indexes that must be rebuilt, before and after.

        ``old`` and ``new`` are the paths of a column whose name changes. If its type changes, the
        two ``fields`` say how a unique index distinguishes values from nulls. ``without`` are
        names.
        """
        found = []
        for one in self.definitions(model._meta.db_table):
            after = renamed_index(one, old, new)
            if fields is not None:
                self._retype(model, after, new, *fields)
            if after != one and one["name"] not in without:
                found.append((one, after))
        return found

    def shadow_indexes(self, table: str, moved: list[tuple[Document, Document]]) -> None:
        """Refuse duplicates of the new column before the first document has it."""
        for _, after in moved:
            if after.get("unique"):
                self.run({"createIndexes": table, "indexes": [_shadow(after)]})

    def replace_indexes(self, table: str, moved: list[tuple[Document, Document]]) -> None:
        """Replace the indexes once the documents have the new column; each index keeps its name."""
        there = {} if self.collect_sql else self.read(table).index_information()
        for before, after in moved:
            name = before["name"]
            if name in there and _differs(there[name], after):
                self.drop_index(table, name)
            self.run({"createIndexes": table, "indexes": [_creatable(after)]})
            if after.get("unique"):
                self.drop_index(table, _shadow(after)["name"])

    def _retype(
        self, model: AnyModel, definition: Document, column: str, old: AnyField, new: AnyField
    ) -> None:
        condition = definition.get("partialFilterExpression")
        if condition is None or column not in condition:
            return
        was, now = self._presence(model, old), self._presence(model, new)
        if condition[column] == was and was != now:
            definition["partialFilterExpression"] = {**condition, column: now}

    def _presence(self, model: AnyModel, field: AnyField) -> Any:
        """How the backend's unique indexes distinguish values of a field from nulls."""
        unique: Any = UniqueConstraint(fields=[str(field.name)], name="presence")
        of_backend: dict[str, Any] = {"field": field}
        if not hasattr(unique, "get_pymongo_index_model"):  # That is the backend 5.2.
            unique = Index(fields=[str(field.name)], name="presence")
            of_backend["unique"] = True
        try:
            made = unique.get_pymongo_index_model(model, self, **of_backend)
        except (NotSupportedError, FieldDoesNotExist):
            return None
        return dict(made.document["partialFilterExpression"][field.column])


class _GoneAlready:
    """Ignores that an operation which was interrupted has dropped an index before."""

    def __init__(self, resumed: bool) -> None:
        self._resumed = resumed

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        if not self._resumed:
            return False
        gone = isinstance(error, OperationFailure) and error.code == INDEX_NOT_FOUND
        # The backend's message if it does not find an index by its columns.
        return gone or isinstance(error, ValueError)


def _keys(definition: Mapping[str, Any]) -> list[str]:
    return [*definition["key"], *definition.get("weights", ())]


def _creatable(definition: Mapping[str, Any]) -> Document:
    """An entry of ``listIndexes`` in the terms of ``createIndexes``."""
    found = dict(definition)
    if "weights" in found:
        found["key"] = dict(index_keys(definition))
    return found


def _differs(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether two indexes differ; ``there`` is an entry of PyMongo's ``index_information``."""
    return dict(there["key"]) != dict(wanted["key"]) or any(
        there.get(name) != wanted.get(name) for name in PATH_OPTIONS
    )


def _shadow(definition: Mapping[str, Any]) -> Document:
    """The same index with opposite directions, which may exist beside it."""
    return {
        **definition,
        "name": SHADOW_PREFIX + str(definition["name"]),
        "key": {
            name: -way if isinstance(way, int | float) else way
            for name, way in definition["key"].items()
        },
    }
