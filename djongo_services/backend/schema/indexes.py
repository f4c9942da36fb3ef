"""The part of the schema editor that creates and changes indexes."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import NotSupportedError
from django.db.models import CheckConstraint, Index, UniqueConstraint
from django_mongodb_backend.schema import DatabaseSchemaEditor as Backend
from pymongo.errors import OperationFailure
from pymongo.operations import IndexModel

from djongo_services.backend.schema.commands import operation
from djongo_services.backend.schema.live_indexes import LiveIndexEditor, is_made_of
from djongo_services.embedded_models import is_embedded
from djongo_services.schema.mapping.layout import AnyModel
from djongo_services.schema.mapping.table import AnyField
from djongo_services.schema.spec import IndexSpec
from djongo_services.schema.target.declared import Declared
from djongo_services.schema.target.merging import same_index
from djongo_services.server_errors import INDEX_NOT_FOUND, INDEX_OPTIONS_CONFLICT

Document = dict[str, Any]

logger = logging.getLogger("djongo_services.schema")

_OTHER_NAME = "already exists with a different name"
"""In the server's message for an index that differs from an existing one in its name only."""
_OF_EMBEDDED = "column_prefix" in inspect.signature(Backend._add_field_index).parameters
"""Whether the backend creates the indexes that embedded models declare. If it does not (6.1), the
model whose documents contain them declares them, by its ``EmbeddedFieldIndex``."""


class IndexEditor(LiveIndexEditor):
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
        if kwargs.get("unique") or kwargs.get("field"):  # from one of the methods below
            self._add_index(model, index, kwargs)
        else:
            with self._same_index_is_enough(model, index):
                self._add_index(model, index, kwargs)

    def _add_index(self, model: AnyModel, index: Index, options: dict[str, Any]) -> None:
        try:
            super().add_index(model, index, **options)
        except NotSupportedError:
            specs = self._specs_of_index(model, index, options)
            if not specs:
                raise
            self._build(options.get("parent_model") or model, specs)

    @operation
    def remove_index(self, model: AnyModel, index: Index) -> None:
        if is_embedded(model):
            for owner, _ in self.single_places_of(model):
                self.drop_index(owner._meta.db_table, index.name)
            return
        if not self._is_shared(model, index):
            with self._gone_already(), self._under_another_name(model, index):
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
        with self._same_index_is_enough(model, constraint):
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
        if isinstance(constraint, UniqueConstraint) and self._is_shared(model, constraint):
            return
        with self._gone_already(), self._under_another_name(model, constraint):
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
        with self._same_index_is_enough(owner, field):
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
        if isinstance(index, UniqueConstraint) or not options.get("unique"):
            return self._specs(model, index)
        again = UniqueConstraint(
            fields=[name for name, _ in index.fields_orders],
            name=index.name,
            condition=index.condition,
        )
        return self._specs(model, again)

    def _build(self, model: AnyModel, specs: Iterable[IndexSpec]) -> None:
        models = [IndexModel(dict(spec.keys), name=spec.name, **spec.options) for spec in specs]
        if models:
            self.get_collection(model._meta.db_table).create_indexes(models)

    def _remove_composed_index(
        self, model: AnyModel, field_names: Any, kinds: Any, *args: Any, **kwargs: Any
    ) -> None:
        index = _of_fields(field_names, unique=bool(kinds.get("unique")))
        if not self._is_shared(model, index):
            super()._remove_composed_index(model, field_names, kinds, *args, **kwargs)

    def is_declared(self, model: AnyModel, field: AnyField, *, unique: bool) -> bool:
        """Whether the model declares an index of just this field, apart from the field's own."""
        index = _of_fields([str(field.name)], unique=unique)
        return any(self._declarations(model, spec) for spec in self._specs(model, index))

    def _specs(self, model: AnyModel, index: Index | UniqueConstraint) -> list[IndexSpec]:
        declared = Declared(model, backend=True)
        if isinstance(index, UniqueConstraint):
            return list(declared.constraint(index))
        return list(declared.index(index))

    @contextmanager
    def _same_index_is_enough(self, model: AnyModel, declared: Any) -> Iterator[None]:
        """Accept that the server has the same index under another name, which becomes the name that
        the model gives it. It is logged if the model declares it twice."""
        try:
            yield
        except OperationFailure as error:
            reason = str(error)
            other = _OTHER_NAME in reason and f"{_OTHER_NAME} and options" not in reason
            if error.code != INDEX_OPTIONS_CONFLICT or not other:
                raise
            index = declared
            if not isinstance(declared, Index | UniqueConstraint):
                index = _of_fields([str(declared.name)], unique=declared.unique)
            if any(len(self._declarations(model, one)) > 1 for one in self._specs(model, index)):
                logger.warning(
                    "%s: the index for %s is the same as another one, and MongoDB creates only one "
                    "of them; leave one out of the model.",
                    model._meta.label,
                    declared.name,
                )
        else:
            if not self.resumed:
                return  # An interrupted run may have left the temporary index of a new name.
        if isinstance(declared, Index | UniqueConstraint):
            for spec in self._specs(model, declared):
                self._name_as_declared(model, spec)

    def _is_shared(self, model: AnyModel, index: Index | UniqueConstraint) -> bool:
        """Whether the model declares the same index another time. It gets that name."""
        return any(
            self._name_as_declared(model, spec, without=str(index.name))
            for spec in self._specs(model, index)
        )

    def _name_as_declared(self, model: AnyModel, spec: IndexSpec, without: str = "") -> bool:
        """Give the server's index the name of the model's first declaration that has one; return
        whether there is any declaration."""
        found = [one for one in self._declarations(model, spec) if one.name != without]
        named = next((one.name for one in found if one.named), None)
        if named is not None:
            self.rename_index(model, spec, named)
        return bool(found)

    def _declarations(self, model: AnyModel, spec: IndexSpec) -> list[IndexSpec]:
        """The indexes of the model that differ from ``spec`` in their names only."""
        return [one for one in Declared(model, backend=True).indexes() if same_index(one, spec)]

    @contextmanager
    def _under_another_name(
        self, model: AnyModel, index: Index | UniqueConstraint
    ) -> Iterator[None]:
        """Drop the same index if the server has it under the name of an earlier declaration."""
        try:
            yield
        except OperationFailure as error:
            table = model._meta.db_table
            specs = self._specs(model, index)
            same = [
                one["name"]
                for one in self.definitions(table)
                if any(is_made_of(one, spec) for spec in specs)
            ]
            if error.code != INDEX_NOT_FOUND or not same:
                raise
            self.drop_index(table, same[0])

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


def _of_fields(names: Iterable[str], *, unique: bool) -> Index | UniqueConstraint:
    kind: Any = UniqueConstraint if unique else Index
    made: Index | UniqueConstraint = kind(fields=[*names], name="without_a_name")
    return made


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
