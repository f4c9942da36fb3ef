"""Collections of models with validators whose columns have titles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from djongo_services.backend.titles import title_of
from djongo_services.schema.constraints import check_queries
from djongo_services.schema.mapping import model_schema


def create_tables(connection: Any, models: Iterable[Any]) -> None:
    with connection.schema_editor() as editor:
        for model in models:
            editor.create_model(model)
            set_validator(connection, model)
            for field in model._meta.local_many_to_many:
                if field.remote_field.through._meta.auto_created:
                    set_validator(connection, field.remote_field.through)


def set_validator(connection: Any, model: Any) -> None:
    """Set the validator, unless the schema editor has set it."""
    (listed,) = connection.database.list_collections(filter={"name": model._meta.db_table})
    if "validator" in listed["options"]:
        return
    schema = _titled(dict(model_schema(model, backend=True).schema), model)
    checks, _ = check_queries(model, backend=True)
    validator: dict[str, Any] = {"$jsonSchema": schema}
    if checks:
        named = [
            {"$or": [{"$jsonSchema": {"title": name, "not": {}}}, query], "$comment": name}
            for name, query in checks.items()
        ]
        validator = {"$and": [validator, *named]}
    connection.database.command("collMod", model._meta.db_table, validator=validator)


def _titled(schema: dict[str, Any], model: Any) -> dict[str, Any]:
    found = dict(schema["properties"])
    for field in model._meta.local_concrete_fields:
        if field.column in found:
            found[field.column] = _titled_column(found[field.column], field)
    return {**schema, "properties": found}


def _titled_column(schema: dict[str, Any], field: Any) -> dict[str, Any]:
    base = getattr(field, "base_field", None)
    if base is not None and "items" in schema:
        schema = {**schema, "items": _titled_column(schema["items"], base)}
    elif (embedded := getattr(field, "embedded_model", None)) and "properties" in schema:
        schema = _titled(schema, embedded)
    return {**schema, "title": title_of(field)}
