"""Names of fields, also inside embedded ones, as paths in the documents."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model

from djongo_services.schema.mapping import document_path


def field_path(model: type[Model], name: str, *, backend: bool) -> tuple[str, Any]:
    """The dotted path of ``note.author.name`` and the last field; None inside JSON.

    ``backend`` is what writes the documents: django-mongodb-backend or ``to_document``. Raises
    FieldDoesNotExist.
    """
    first, *rest = name.split(".")
    field: Any = model._meta.pk if first == "pk" else model._meta.get_field(first)
    columns = [_place(model, field, backend)]
    for part in rest:
        inner = _embedded(field)
        field = _member(inner, part) if inner else None
        columns.append(part if field is None else str(field.column))
    return ".".join(columns), field


def _place(model: type[Model], field: Any, backend: bool) -> str:
    if model._meta.abstract or getattr(field, "column", None) is None:
        raise FieldDoesNotExist(f"{model._meta.label}.{field.name} is stored in no document")
    return document_path(field, backend=backend, model=model)


def top_level(name: str) -> str:
    """The model's own field, which Django's checks look for."""
    return name.partition(".")[0]


def _embedded(field: Any) -> tuple[type[Model], ...]:
    """The models whose instances the field contains, alone or in an array."""
    if field is None:
        return ()
    if (model := getattr(field, "embedded_model", None)) is not None:
        return (model,)
    if (several := getattr(field, "embedded_models", None)) is not None:
        return tuple(several)
    return _embedded(getattr(field, "base_field", None))


def _member(models: tuple[type[Model], ...], name: str) -> Any:
    for model in models:
        try:
            return model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
    names = " or ".join(model._meta.label for model in models)
    raise FieldDoesNotExist(f"{names} has no field named {name!r}")
