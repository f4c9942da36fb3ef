"""Where in a document the value of each field of a model is.

In projects on MongoDB this is django-mongodb-backend's layout: one collection for each model of a
multi-table inheritance, columns as names. Plain projects have no joins, so a document contains the
inherited fields as well, and its ``_id`` is the primary key: a document of all parts if that is
composite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models

from djongo_services.schema.mapping.table import AnyField, is_numbered_key

ID = "_id"

AnyModel = type[models.Model]


def fields_of(model: AnyModel, *, backend: bool) -> Sequence[AnyField]:
    """The fields that are stored in the model's own collection."""
    # A proxy has no collection of its own.
    meta: Any = (model._meta.concrete_model or model)._meta
    if backend:
        found: Sequence[AnyField] = meta.local_concrete_fields
        return found
    # The parents' keys are the key of the child.
    linked = {link.target_field for link in _links(meta)}
    return [field for field in meta.concrete_fields if field not in linked]


def embedded_fields_of(model: AnyModel) -> Sequence[AnyField]:
    return [field for field in model._meta.fields if field.column is not None]


def key_of(model: AnyModel) -> tuple[AnyField, ...]:
    """The primary key's fields, more than one if it is composite."""
    meta: Any = model._meta
    return tuple(getattr(meta, "pk_fields", None) or (meta.pk,))


def linked_keys(model: AnyModel) -> list[tuple[AnyField, AnyField]]:
    """Pairs of a link to a parent and the parent's key, from the child upwards."""
    return [(link, link.target_field) for link in _links(model._meta)]


def document_path(field: AnyField, *, backend: bool, model: AnyModel | None = None) -> str:
    """The dotted path of the field's value: ``price``, ``_id``; for a composite key ``_id.shop``.

    ``model`` is the model whose documents are meant, if that is a child of the field's own model.
    """
    if backend:
        return column_on_backend(field)
    owner = model or field.model
    key = key_of(owner)
    if field in {parent for _, parent in linked_keys(owner)}:
        return ID
    if field not in key:
        return column_of(field)
    return ID if len(key) == 1 else f"{ID}.{column_of(field)}"


def column_of(field: AnyField) -> str:
    """The name of the field's value; all fields that are stored have one."""
    assert field.column is not None, f"{field} is not stored"
    return field.column


def column_on_backend(field: AnyField) -> str:
    """The same if django-mongodb-backend writes the documents."""
    return ID if is_numbered_key(field) else column_of(field)


def _links(meta: Any) -> list[Any]:
    """Links to the parents of this model, and to their parents."""
    found = []
    for parent, link in meta.parents.items():
        if link is not None:
            found.append(link)
        found += [one for one in _links(parent._meta) if one not in found]
    return found
