"""Instances of plain models as documents, and back.

For projects whose ORM uses SQL and that keep documents of some models in MongoDB themselves.
Neither function accesses a database, calls ``pre_save`` (``auto_now``, uploads) or validates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.models.expressions import DatabaseDefault, Value

from djongo_services.schema.mapping import codecs
from djongo_services.schema.mapping.layout import (
    ID,
    column_of,
    document_path,
    fields_of,
    key_of,
    linked_keys,
)
from djongo_services.schema.mapping.table import AnyField, is_implicit_key, keyed_by

Model = TypeVar("Model", bound=models.Model)


def to_document(instance: models.Model) -> dict[str, Any]:
    """The instance by columns, ``_id`` first; None becomes an explicit null.

    An unset ``_id`` is left out, so that the server creates one, and so is a generated field that
    was not loaded. Datetimes are truncated to milliseconds. Raises ValueError naming the field
    whose value has no BSON form.
    """
    model = type(instance)
    document: dict[str, Any] = {}
    for field in fields_of(model, backend=False):
        if getattr(field, "generated", False) and field.attname not in vars(instance):
            continue
        document[column_of(field)] = _encoded(field, getattr(instance, field.attname))
    key = {name: document.pop(name) for name in map(column_of, key_of(model))}
    if len(key) > 1:
        return {ID: key, **document}
    (only,) = key.values()
    return document if only is None else {ID: only, **document}


def from_document(model: type[Model], document: Mapping[str, Any]) -> Model:
    """The instance from which :func:`to_document` creates this document.

    A field that the document lacks gets its default. The instance counts as new to the ORM
    (``_state.adding``). Raises ValueError for unknown names and, naming the field, for values that
    it cannot have.
    """
    fields = fields_of(model, backend=False)
    places = {document_path(field, backend=False, model=model): field for field in fields}
    flat = dict(_flattened(document, composite=len(key_of(model)) > 1))
    unknown = [repr(name) for name in flat if name not in places and name != ID]
    if unknown:
        raise ValueError(
            f"{model._meta.label} has no field for {', '.join(unknown)}; "
            f"remove what is not the model's before, with a projection for instance."
        )
    values = {
        field.attname: _decoded(field, flat[path]) for path, field in places.items() if path in flat
    }
    for link, parent_key in linked_keys(model):
        if link.attname in values:
            values[parent_key.attname] = values[link.attname]
    return _instance(model, values)


def _instance(model: type[Model], values: dict[str, Any]) -> Model:
    generated = {
        field.attname for field in model._meta.concrete_fields if getattr(field, "generated", False)
    }
    instance = model(**{name: value for name, value in values.items() if name not in generated})
    for name in generated & values.keys():
        setattr(instance, name, values[name])
    return instance


def _flattened(document: Mapping[str, Any], *, composite: bool) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if composite and name == ID and isinstance(value, Mapping):
            yield from ((f"{ID}.{part}", item) for part, item in value.items())
        else:
            yield name, value


def _encoded(field: AnyField, value: Any) -> Any:
    try:
        if isinstance(value, DatabaseDefault):
            value = _literal(value)
        return codecs.encode(_prepared(field, value), field)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{_label(field)} has no BSON form: {error}.") from error


def _prepared(field: AnyField, value: Any) -> Any:
    try:
        return field.get_prep_value(value)
    except (ValueError, TypeError, ValidationError):
        if is_implicit_key(field):
            return value
        raise


def _decoded(field: AnyField, value: Any) -> Any:
    try:
        found = codecs.decode(value, field)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise ValueError(f"{_label(field)} cannot have the document's value: {error}.") from error
    source: Any = keyed_by(field)
    # The inverse of a custom field's get_prep_value; JSONField's is the decoder's.
    custom = getattr(type(source), "from_db_value", None)
    if custom is None or custom is models.JSONField.from_db_value:
        return found
    return source.from_db_value(found, None, connection)


def _literal(default: Any) -> Any:
    """The value of a ``db_default`` that is a literal."""
    expression = default.expression
    if not isinstance(expression, Value):
        raise ValueError("its db_default is an expression, which only a database computes")
    return expression.value


def _label(field: AnyField) -> str:
    return f"{field.model._meta.label}.{field.name}" if hasattr(field, "model") else str(field)
