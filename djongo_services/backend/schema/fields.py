"""The part of the schema editor that adds, removes and alters fields.

A change has three stages: first the validator accepts both the old and the new documents, then the
documents change in batches, then the validator is that of the new field. At every moment it
enforces everything that both sides have in common.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from django.db import IntegrityError
from django.db.backends.base import schema as django_schema
from django.db.models import ForeignKey, Model

from djongo_services.backend.schema import embedding
from djongo_services.backend.schema.changes import FieldChange
from djongo_services.backend.schema.commands import operation
from djongo_services.backend.schema.conversions import converts, date_kind
from djongo_services.backend.schema.draft import Draft, Path
from djongo_services.backend.schema.misfits import MisfitEditor
from djongo_services.backend.schema.validators import column_of, demands
from djongo_services.backend.titles import parse
from djongo_services.embedded_models import is_embedded
from djongo_services.formatting import printable
from djongo_services.schema.mapping.layout import ID, AnyModel
from djongo_services.schema.mapping.table import AnyField

Document = dict[str, Any]
Expression = Any

_NULL = {"$literal": None}


class FieldEditor(MisfitEditor):
    @operation
    def add_field(self, model: AnyModel, field: AnyField) -> None:
        if field.many_to_many:
            if field.remote_field.through._meta.auto_created:  # type: ignore[union-attr]
                self.create_model(field.remote_field.through)  # type: ignore[union-attr]
            return
        if is_embedded(model):
            self._add_to_embedded(model, field)
            return
        column = column_of(field)
        if column is None:
            return
        if column != ID:
            self._add_column(model, field, column)
        if field.primary_key:
            self._rule_of_id(model, field.model)
        self.add_embedded_indexes(model, field)
        self.add_field_indexes(model, field)
        if getattr(field, "spatial_index", False):
            self._add_spatial_index(model, field)

    def _add_column(self, model: AnyModel, field: AnyField, column: str) -> None:
        table = model._meta.db_table
        schema = self.schema_of(model, field)
        required = demands(field)
        value = self.value_for_all(field)
        absent = {column: {"$exists": False}}
        impossible = value == _NULL and not field.null and not self.collect_sql
        if impossible and self.read(table).find_one(absent, {"_id": 1}) is not None:
            raise IntegrityError(
                f"{printable(table)}.{printable(column)} cannot be added: it cannot be null and "
                f"has no default, and the collection has documents."
            )
        live = self.validator_of(model)
        self.edit(model, lambda draft: draft.put(column, schema, required=False))
        self.update(table, absent, [{"$set": {column: value}}], bypass=live is not None)
        if required:
            self.edit(model, lambda draft: draft.put(column, schema, required=True))

    def _add_to_embedded(self, model: AnyModel, field: AnyField) -> None:
        column = field.column
        if column is None:
            return
        for owner, path in self.places_of(model):
            schema, required = self.schema_of(owner, field), demands(field)
            self._put(owner, column, schema, at=path, required=False)
            change = embedding.filled(column, self.value_for_all(field))
            self._change_embedded(owner, path, change)
            self._put(owner, column, schema, at=path, required=required)
            if embedding.is_single(path):
                self.add_field_indexes(owner, field, embedding.prefix_of(path))

    @operation
    def remove_field(self, model: AnyModel, field: AnyField) -> None:
        if field.many_to_many:
            if field.remote_field.through._meta.auto_created:  # type: ignore[union-attr]
                self.delete_model(field.remote_field.through)  # type: ignore[union-attr]
            return
        column = field.column
        if column is None:
            return
        if is_embedded(model):
            for owner, path in self.places_of(model):
                self._take(owner, column, at=path)
                if embedding.is_single(path):
                    prefix = embedding.prefix_of(path)
                    self.drop_indexes_on(owner._meta.db_table, f"{prefix}{column}")
                self._change_embedded(owner, path, embedding.without(column))
            return
        column = column_of(field)
        if column is None or column == ID:
            return
        table = model._meta.db_table
        live = self.validator_of(model)
        self._take(model, column)
        self.drop_indexes_on(table, column)
        self.update(
            table, {column: {"$exists": True}}, {"$unset": {column: ""}}, bypass=live is not None
        )

    @operation
    def alter_field(
        self, model: AnyModel, old_field: AnyField, new_field: AnyField, strict: bool = False
    ) -> None:
        super().alter_field(model, old_field, new_field, strict)
        if not self._field_should_be_altered(old_field, new_field) and new_field.concrete:
            self._refresh(model, new_field)

    def _refresh(self, model: AnyModel, field: AnyField) -> None:
        """Update rules that are in a validator, but not in a database's columns: choices,
        validators."""
        column = field.column
        if column is None or field.many_to_many:
            return
        for owner, path in self.places_of(model) if is_embedded(model) else ((model, ()),):
            schema = self.schema_of(owner, field)
            self._put(owner, column_of(field) or column, schema, at=path, required=demands(field))

    def _alter_field(
        self,
        model: AnyModel,
        old_field: AnyField,
        new_field: AnyField,
        old_type: str,
        new_type: str,
        old_db_params: Any,
        new_db_params: Any,
        strict: bool = False,
    ) -> None:
        stays_id = column_of(old_field) == ID == column_of(new_field)
        # Integer keys are ObjectIds, so there is nothing to convert.
        types = ("", "") if stays_id else (old_type, new_type)
        changes = self._changes(model, old_field, new_field, *types)
        related = [] if is_embedded(model) else self._related_changes(old_field, new_field)
        if not (self.resumed or self.collect_sql):
            for owner, change in [*changes, *related]:
                self.refuse_misfits(owner, change)
        if stays_id:
            self._refresh(model, new_field)
            changes = []
        for owner, change in [*changes, *related]:
            self._alter(owner, change)

    def _changes(
        self, model: AnyModel, old: AnyField, new: AnyField, old_type: str, new_type: str
    ) -> list[tuple[AnyModel, FieldChange]]:
        """The change in each collection whose documents have the field."""
        places = self.places_of(model) if is_embedded(model) else [(model, ())]
        return [
            (owner, self._change(owner, old, new, old_type, new_type, path))
            for owner, path in places
        ]

    def _related_changes(self, old: AnyField, new: AnyField) -> list[tuple[AnyModel, FieldChange]]:
        """The changes of the columns that contain values of this one."""
        if not (hasattr(old, "model") and hasattr(new, "model")):
            return []
        relations: Any = vars(django_schema)["_related_non_m2m_objects"]
        found: list[tuple[AnyModel, FieldChange]] = []
        for before, after in relations(old, new):
            was, now = (one.field.db_type(self.connection) for one in (before, after))
            if was is not None and now is not None:
                found += self._changes(after.related_model, before.field, after.field, was, now)
        return [
            (owner, change)
            for owner, change in found
            if change.changes_rules or change.moves_documents
        ]

    def _alter(self, model: AnyModel, change: FieldChange) -> None:
        old, new, path = change.old, change.new, change.path
        live = self.validator_of(model)
        place = ".".join([model._meta.db_table, *map(repr, path), change.new_column])
        before = self.kept_before(live, place)
        indexed = embedding.is_single(path)
        prefix = embedding.prefix_of(path)
        gone = self._released_indexes(model, change) if indexed else frozenset()
        moved = (
            self.moved_indexes(
                model,
                prefix + change.old_column,
                prefix + change.new_column,
                fields=(old, new) if not path else None,
                without=gone,
            )
            if indexed
            else []
        )
        table = model._meta.db_table
        takes_out = self.takes_misfits_out(change)
        if change.moves_documents or takes_out:
            self.edit(model, change.let_both_pass, base=before)
        if takes_out:
            self.take_misfits_out(model, change, bypass=live is not None)
        for name in sorted(gone):
            self.drop_index(table, name)
        if change.leaves_id:
            # The index ignores documents without the column, so it can be there before the values.
            self._add_wanted_indexes(model, change, prefix)
        self.shadow_indexes(table, moved)
        self._change_documents(model, change, bypass=live is not None)
        self.replace_indexes(table, moved)
        if indexed and not change.leaves_id:
            self._add_wanted_indexes(model, change, prefix)
        self.edit(model, change.settle, base=before)
        if not path and old.primary_key != new.primary_key and hasattr(new, "model"):
            self._rule_of_id(model, new.model)
        if not path and change.old_column != change.new_column:
            self.retitle_relations(model, old, column=change.new_column)

    def _rule_of_id(self, model: AnyModel, after: AnyModel) -> None:
        """Only a key at ``_id`` has a rule for it."""
        key = after._meta.pk
        if column_of(key) == ID:
            self._put(model, ID, self.schema_of(after, key), at=(), required=demands(key))
        else:
            self._take(model, ID)

    def _change(
        self,
        model: AnyModel,
        old: AnyField,
        new: AnyField,
        old_type: str,
        new_type: str,
        path: Path,
    ) -> FieldChange:
        # Django's own backends do this if the default is known, and only then.
        fills = old.null and not new.null and (new.has_default() or new.has_db_default())
        places = None
        if new_type == "decimal":
            known = getattr(new, "decimal_places", None)
            fewer = known is not None and known < (getattr(old, "decimal_places", None) or 0)
            places = known if old_type != new_type or fewer else None
        kinds = date_kind(old), date_kind(new)
        other = all(kinds) and kinds[0] != kinds[1] and kinds != ("day", "moment")
        return FieldChange(
            old=old,
            new=new,
            old_column=str(column_of(old)),
            new_column=str(column_of(new)),
            old_schema=self.schema_of(model, old),
            new_schema=self.schema_of(model, new),
            default=self.value_for_all(new) if fills else None,
            to=new_type if converts(old_type, new_type) or places is not None or other else None,
            places=places,
            path=path,
            checks=() if path or old_type == new_type else self.checks_of(new),
        )

    def _change_documents(self, model: AnyModel, change: FieldChange, *, bypass: bool) -> None:
        table = model._meta.db_table
        if change.path:
            for one in change.embedded_changes():
                self._change_embedded(model, change.path, one)
            return
        old, new = change.old_column, change.new_column
        if change.leaves_id:
            value = change.value(f"${ID}")
            self.update(table, {new: {"$exists": False}}, [{"$set": {new: value}}], bypass=bypass)
            return
        if change.becomes_id:
            self.update(table, {old: {"$exists": True}}, {"$unset": {old: ""}}, bypass=bypass)
            return
        if old != new:
            self.update(table, {old: {"$exists": True}}, {"$rename": {old: new}}, bypass=bypass)
        if change.default is not None:
            self.update(table, {new: None}, [{"$set": {new: change.default}}], bypass=bypass)
        if change.to is not None:
            query: Document = {new: {"$ne": None}}
            if not change.converts_again:
                query[new]["$not"] = {"$type": change.to}
            self.update(table, query, [{"$set": {new: change.value(f"${new}")}}], bypass=bypass)

    def _change_embedded(self, owner: AnyModel, path: Path, change: embedding.Change) -> None:
        column, expression = embedding.within(path, change)
        self.update(
            owner._meta.db_table,
            {column: {"$exists": True}},
            [{"$set": {column: expression}}],
            bypass=self.validator_of(owner) is not None,
        )

    def _released_indexes(self, model: AnyModel, change: FieldChange) -> frozenset[str]:
        """Names of the field's own indexes that are no longer needed."""
        old, new = change.old, change.new
        column = embedding.prefix_of(change.path) + change.old_column
        mine = {one.name for one in (*model._meta.constraints, *model._meta.indexes)}
        was_unique = self._field_should_have_unique(old)
        was_indexed = self._field_should_be_indexed(model, old)
        loses_unique = was_unique and not self._field_should_have_unique(new)
        loses_unique = loses_unique or change.becomes_id  # The server's own index is unique, too.
        loses_index = was_indexed and not self._field_should_be_indexed(model, new)
        if self.collect_sql and (loses_unique or loses_index):
            kind = {"unique": True} if loses_unique else {"index": True}
            return frozenset(self._constraint_names(model, [column], **kind))
        return frozenset(
            one["name"]
            for one in (self.definitions(model._meta.db_table) if was_unique or was_indexed else ())
            if list(one["key"]) == [column]
            and one["name"] not in mine
            and (loses_unique if one.get("unique") else loses_index)
            and one["key"][column] == 1
            and not self._is_still_declared(change, one)
        )

    def _is_still_declared(self, change: FieldChange, index: Document) -> bool:
        model = getattr(change.new, "model", None)
        if model is None or change.path:
            return False
        return self.is_declared(model, change.new, unique=bool(index.get("unique")))

    def _add_wanted_indexes(self, model: AnyModel, change: FieldChange, prefix: str) -> None:
        old, new = change.old, change.new
        was_indexed = self._field_should_be_indexed(model, old)
        was_unique = self._field_should_have_unique(old)
        if (self._field_should_be_indexed(model, new) and not was_indexed) or (
            self._field_should_have_unique(new) and not was_unique
        ):
            self.add_field_indexes(model, new, prefix)
        was, now = (bool(getattr(one, "spatial_index", False)) for one in (old, new))
        if now and not was:
            self._add_spatial_index(model, new, prefix)
        elif was and not now:
            name = self._create_spatial_index_name(model, new, prefix)
            self.drop_index(model._meta.db_table, name)

    def retitle_relations(
        self,
        target: type[Model],
        to: AnyField | None = None,
        *,
        column: str | None = None,
        collection: str | None = None,
    ) -> None:
        """Update the titles of foreign keys, which name the collection and the column that they
        refer to.

        This applies to references to one field of the model, whose column has changed, or to all
        references if the collection has a new name.
        """
        for relation in target._meta.get_fields(include_hidden=True):
            source: Any = getattr(relation, "field", None)
            if relation.concrete or not isinstance(source, ForeignKey):
                continue
            if source.column is None or not source.model._meta.managed:
                continue
            if to is None or source.target_field.name == to.name:
                table = collection or target._meta.db_table
                self.retitle(source.model, source.column, table, column)

    def retitle(self, model: AnyModel, name: str, collection: str, column: str | None) -> None:
        def change(draft: Draft, at: Path) -> None:
            schema = draft.schema_of(name, at=at)
            title = parse(None if schema is None else schema.get("title"))
            if schema is None or title is None or title.target is None:
                return
            target = replace(title.target, collection=collection)
            target = target if column is None else replace(target, column=column)
            draft.retitle(name, str(replace(title, target=target)), at=at)

        for owner, path in self.places_of(model) if is_embedded(model) else ((model, ()),):
            self.edit(owner, partial(change, at=path))

    def _put(
        self, model: AnyModel, column: str, schema: Document, *, at: Path, required: bool
    ) -> None:
        self.edit(model, lambda draft: draft.put(column, schema, required=required, at=at))

    def _take(self, model: AnyModel, column: str, *, at: Path = ()) -> None:
        self.edit(model, lambda draft: draft.take(column, at=at))
