"""Operations of migrations on the engine, one after another, and what is in the database then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django_mongodb_backend.fields import ObjectIdAutoField

from djongo_services.embedded_models import is_embedded
from djongo_services.schema.diff.validators import same_query
from djongo_services.schema.target import model_validator
from tests.mongodb_orm import connection

Document = dict[str, Any]
APP = "moving"


def key() -> tuple[str, models.Field[Any, Any]]:
    return "id", ObjectIdAutoField(primary_key=True)


class Moving:
    """An app that its operations make."""

    def __init__(self) -> None:
        self.state = ProjectState()

    def do(self, *operations: Operation) -> None:
        for operation in operations:
            after = self.state.clone()
            operation.state_forwards(APP, after)
            with connection.schema_editor() as editor:
                operation.database_forwards(APP, editor, self.state, after)
            self.state = after

    def text(self, *operations: Operation) -> list[str]:
        """The output of ``sqlmigrate``."""
        state = self.state.clone()
        with connection.schema_editor(collect_sql=True) as editor:
            for operation in operations:
                after = state.clone()
                operation.state_forwards(APP, after)
                operation.database_forwards(APP, editor, state, after)
                state = after
        return list(editor.collected_sql)

    def model(self, name: str) -> Any:
        return self.state.apps.get_model(APP, name)

    def options(self, name: str) -> Mapping[str, Any]:
        table = self.model(name)._meta.db_table
        (found,) = connection.database.list_collections(filter={"name": table})
        options: Mapping[str, Any] = found["options"]
        return options

    def validator(self, name: str) -> Mapping[str, Any]:
        query: Mapping[str, Any] = self.options(name)["validator"]
        return query

    def schema(self, name: str) -> Mapping[str, Any]:
        query = self.validator(name)
        schema: Mapping[str, Any] = query.get("$and", [query])[0]["$jsonSchema"]
        return schema

    def collection(self, name: str) -> Any:
        return connection.database[self.model(name)._meta.db_table]

    def documents(self, name: str) -> list[Document]:
        return [
            {field: value for field, value in one.items() if field != "_id"}
            for one in self.collection(name).find().sort("_id", 1)
        ]

    def out_of_step(self) -> list[str]:
        """The collections whose validator is not what their model says."""
        found = []
        # All models made anew: a state keeps those that embed a changed one as they were.
        fresh = self.state.clone()
        vars(fresh).pop("apps", None)
        for model in fresh.apps.get_models(include_auto_created=True):
            meta = model._meta
            if meta.app_label != APP or is_embedded(model) or meta.proxy:
                continue
            wanted, _, _ = model_validator(model, connection)
            (entry,) = connection.database.list_collections(filter={"name": meta.db_table})
            if wanted is None or not same_query(entry["options"].get("validator", {}), wanted):
                found.append(meta.db_table)
        return found
