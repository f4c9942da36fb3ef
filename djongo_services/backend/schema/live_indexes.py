"""The part of the schema editor that changes indexes which the server has: those that follow a
column, and those that get another name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import NotSupportedError
from django.db.models import Index, UniqueConstraint
from pymongo.errors import OperationFailure

from djongo_services.backend.schema.renaming import renamed_index, renamed_path
from djongo_services.backend.schema.validators import ValidatorEditor
from djongo_services.index_kinds import PATH_OPTIONS, VERSIONS
from djongo_services.introspection.catalog import Index as LiveIndex
from djongo_services.introspection.reading.catalog_queries import index_keys
from djongo_services.schema.diff.matching import same
from djongo_services.schema.mapping.layout import AnyModel
from djongo_services.schema.mapping.table import AnyField
from djongo_services.schema.operations import SHADOW_PREFIX
from djongo_services.schema.spec import IndexSpec
from djongo_services.server_errors import INDEX_NOT_FOUND, NAMESPACE_NOT_FOUND

Document = dict[str, Any]

_SERVERS_OWN = VERSIONS | {"v", "ns", "background"}


class LiveIndexEditor(ValidatorEditor):
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

    def rename_index(self, model: AnyModel, spec: IndexSpec, name: str) -> None:
        """Give the index that the server has for ``spec`` another name, behind a temporary one if
        it is unique."""
        table = model._meta.db_table
        for before in self.definitions(table):
            if is_made_of(before, spec) and before["name"] != name:
                after = {**before, "name": name}
                self.shadow_indexes(table, [(before, after)])
                self.drop_index(table, before["name"])
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


def is_made_of(definition: Mapping[str, Any], spec: IndexSpec) -> bool:
    """Whether an entry of ``listIndexes`` is what a declaration demands, whatever its name."""
    keys = tuple(index_keys(definition))
    return same(spec, LiveIndex(name=definition["name"], keys=keys, definition=definition), None)


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
