"""The schema editor: models, tables and check constraints."""

from __future__ import annotations

import logging
from typing import Any

from django.db import IntegrityError
from django.db.models import CheckConstraint, ForeignKey
from django_mongodb_backend import utils
from pymongo.errors import CollectionInvalid, OperationFailure

from djongo_services.backend.schema.changes import SHOWN, ids_text
from djongo_services.backend.schema.commands import operation
from djongo_services.backend.schema.fields import FieldEditor
from djongo_services.backend.schema.validators import standing_for
from djongo_services.embedded_models import is_embedded
from djongo_services.formatting import printable
from djongo_services.introspection.catalog import Validator
from djongo_services.schema.constraints import NotExpressible, check_query, named_clause
from djongo_services.schema.constraints.queries import EVERYTHING, Query
from djongo_services.schema.mapping.layout import AnyModel
from djongo_services.schema.options import create_arguments, options_of, take_options
from djongo_services.server_errors import NAMESPACE_EXISTS, NAMESPACE_NOT_FOUND

logger = logging.getLogger("djongo_services.schema")


class DatabaseSchemaEditor(FieldEditor):
    """The backend's editor, which also maintains the validators of the collections."""

    @operation
    def create_model(self, model: AnyModel) -> None:
        take_options(model)
        if is_embedded(model) or options_of(model).view:
            return
        validator = self.new_validator(model)
        self._collected[model._meta.db_table] = validator
        if _is_encrypted(model):
            self._create_encrypted(model, validator)
        else:
            self._create_plain(model, validator)
        self._create_model_indexes(model)
        for field in model._meta.local_many_to_many:
            through: Any = field.remote_field.through
            if through._meta.auto_created:
                self.create_model(through)

    def _create_plain(self, model: AnyModel, validator: Validator | None) -> None:
        command = {"create": model._meta.db_table, **create_arguments(model)}
        command |= {} if validator is None else _options(validator)
        try:
            self.run(command)
        except OperationFailure as error:
            if error.code != NAMESPACE_EXISTS or not self.resumed:
                raise

    def _create_encrypted(self, model: AnyModel, validator: Validator | None) -> None:
        """Create a collection with encrypted fields: the backend creates their keys, and refuses a
        client that cannot encrypt."""
        try:
            self._create_collection(model)
        except CollectionInvalid:
            if not self.resumed:
                raise
        if validator is not None:
            self.run({"collMod": model._meta.db_table, **_options(validator)})

    @operation
    def delete_model(self, model: AnyModel) -> None:
        super().delete_model(model)
        self._collected.pop(model._meta.db_table, None)

    @operation
    def alter_db_table(self, model: AnyModel, old_db_table: str, new_db_table: str) -> None:
        if old_db_table == new_db_table or is_embedded(model):
            return
        self._rename(old_db_table, new_db_table)
        self.move_validator(model, old_db_table, new_db_table)
        self.retitle_relations(model, collection=new_db_table)
        # The table of a ManyToManyField is renamed after the one that it refers to.
        renamed = standing_for(new_db_table, model._meta.label)
        for field in model._meta.local_concrete_fields:
            if isinstance(field, ForeignKey) and field.column is not None:
                target = field.target_field.model
                table = new_db_table if target is model else target._meta.db_table
                self.retitle(renamed, field.column, table, None)

    def _rename(self, old: str, new: str) -> None:
        if self.collect_sql:
            name = self.connection.settings_dict["NAME"]
            self.run({"renameCollection": f"{name}.{old}", "to": f"{name}.{new}"})
            return
        self.ready()
        try:
            self.connection.database[old].rename(new)
        except OperationFailure as error:
            done = error.code == NAMESPACE_NOT_FOUND and self.resumed and self.exists(new)
            if not done:
                raise

    def add_check(self, model: AnyModel, constraint: CheckConstraint) -> None:
        if is_embedded(model):
            return  # The plan of syncmongoschema reports it.
        query = self._query_of(model, constraint)
        if query is None or self.validator_of(model) is None:
            return
        if not self.collect_sql:
            self._refuse_violators(model, constraint, query)
        clause = named_clause(str(constraint.name), query)
        self.edit(model, lambda draft: draft.put_clause(clause))

    def remove_check(self, model: AnyModel, constraint: CheckConstraint) -> None:
        if is_embedded(model):
            return
        name, query = str(constraint.name), self._query_of(model, constraint)
        self.edit(model, lambda draft: draft.take_clause(name, query))

    def _query_of(self, model: AnyModel, constraint: CheckConstraint) -> Query | None:
        """The query; None if there is nothing for the server to check."""
        try:
            query = check_query(model, constraint, backend=True)
        except NotExpressible as error:
            logger.warning(
                "%s: the server cannot check the constraint %s: %s.",
                model._meta.label,
                constraint.name,
                error,
            )
            return None
        return None if query == EVERYTHING else query

    def _refuse_violators(self, model: AnyModel, constraint: CheckConstraint, query: Query) -> None:
        table = model._meta.db_table
        found = list(self.read(table).find({"$nor": [query]}, {"_id": 1}).limit(SHOWN + 1))
        if found:
            raise IntegrityError(
                f"CHECK constraint failed: {constraint.name}: documents of {printable(table)} "
                f"violate it: {ids_text(found)}. Nothing was changed."
            )


def _is_encrypted(model: AnyModel) -> bool:
    """Whether the backend supports encrypted fields, from its version 6 on, and the model has
    some."""
    asked = getattr(utils, "model_has_encrypted_fields", None)
    return asked is not None and bool(asked(model))


def _options(validator: Validator) -> dict[str, object]:
    return {
        "validator": validator.stored,
        "validationLevel": validator.level,
        "validationAction": validator.action,
    }
