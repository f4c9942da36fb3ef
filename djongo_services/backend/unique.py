"""A model's unique keys, as filters for conflicting documents."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.db.models.options import Options

Document = dict[str, Any]


def unique_keys(options: Options[Model]) -> list[tuple[str, ...]]:
    """The columns of each key that is unique without further conditions."""
    columns: dict[str, str] = {field.name: str(field.column) for field in options.local_fields}
    unique = [field.name for field in options.local_fields if field.unique]
    named = [*options.unique_together, *(one.fields for one in options.total_unique_constraints)]
    keys: list[tuple[str, ...]] = [("_id",), *((columns[name],) for name in unique)]
    keys += [tuple(columns[name] for name in names) for names in named]
    return list(dict.fromkeys(keys))


def filters(
    keys: list[tuple[str, ...]], document: Document, types: dict[str, str]
) -> list[Document]:
    """A filter for each key that contains no null: null is not unique in any index of the backend.

    ``types`` has the BSON type of each column. The unique indexes are partial by that type, and the
    server uses one only for a filter that includes the type as well.
    """
    return [
        {column: _equal(document[column], types.get(column)) for column in key}
        for key in keys
        if all(document.get(column) is not None for column in key)
    ]


def types_of(options: Options[Any], connection: Any) -> dict[str, str]:
    """The BSON type of each column except the key, whose index is not partial."""
    found = {str(field.column): field.db_type(connection) for field in options.local_fields}
    return {column: type_ for column, type_ in found.items() if type_ and column != "_id"}


def _equal(value: Any, type_: str | None) -> Any:
    return value if type_ is None else {"$eq": value, "$type": type_}
