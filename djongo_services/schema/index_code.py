"""An index of the database as code for the ``Meta`` of a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.db.models import Model

from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.modelling.declarations import (
    Call,
    ClassDeclaration,
    ClassReference,
    FieldDeclaration,
)
from djongo_services.introspection.modelling.index_fields import RELATIONS, IndexFields
from djongo_services.introspection.modelling.indexes import declare_indexes
from djongo_services.introspection.modelling.naming import Namespace
from djongo_services.introspection.modelling.source import render_meta
from djongo_services.introspection.modelling.types import FIELD_TYPES
from djongo_services.schema.mapping.layout import document_path, fields_of


def index_code(
    collection: Collection, index: Index, model: type[Model] | None, *, backend: bool
) -> str:
    """Imports and a ``class Meta``; if no class expresses the index, a comment with the reason.

    Without a ``model``, fields have their names in the documents. ``backend``: whether
    django-mongodb-backend writes the documents.
    """
    fields = _unmodelled(index) if model is None else _modelled(model, backend=backend)
    alone = replace(collection, indexes=(index,))
    found = declare_indexes(alone, fields, Namespace(), in_meta=True)
    return render_meta(
        ClassDeclaration(
            name="Model",
            base="models.Model",
            indexes=found.indexes,
            constraints=found.constraints,
            index_remarks=found.remarks,
        )
    )


def _unmodelled(index: Index) -> IndexFields:
    """The fields of documents without a model: each may have any type."""
    definition = index.definition
    paths: list[str] = [path for path, _direction in index.keys]
    for option in ("weights", "wildcardProjection", "partialFilterExpression"):
        paths += [path for path in definition.get(option) or {} if not path.startswith("$")]
    names = [path.split(".")[0] for path in paths]
    return IndexFields(
        fields={name: _field(name, "BSONField") for name in names if name.isidentifier()}
        | {"_id": _field("id", "ObjectIdAutoField")},
        embedded={},
        key_types={},
        backend=False,
    )


def _field(name: str, function: str) -> FieldDeclaration:
    # It may be null: then everything about nulls is explicit.
    return FieldDeclaration(name=name, call=Call(function=function, kwargs=(("null", True),)))


def _modelled(model: type[Model], *, backend: bool) -> IndexFields:
    embedded: dict[str, ClassDeclaration] = {}
    fields: dict[str, FieldDeclaration] = {}
    for field in fields_of(model, backend=backend):
        path = document_path(field, backend=backend, model=model)
        fields[path] = FieldDeclaration(name=str(field.name), call=_call(field, embedded))
    return IndexFields(
        fields=fields,
        embedded=embedded,
        key_types={
            path: FIELD_TYPES.get(_function(_target(model._meta.get_field(found.name))), "")
            for path, found in fields.items()
            if found.call.function in RELATIONS
        },
        backend=backend,
    )


def _call(field: Any, embedded: dict[str, ClassDeclaration]) -> Call:
    inner = getattr(field, "base_field", None)
    held = getattr(field, "embedded_model", None)
    args: tuple[Any, ...] = ()
    if inner is not None:
        args = (_call(inner, embedded),)
    elif held is not None:
        args = (ClassReference(name=held.__name__),)
        if held.__name__ not in embedded:
            # The name first, because a model may have a kind of its own.
            embedded[held.__name__] = ClassDeclaration(name=held.__name__, base="EmbeddedModel")
            embedded[held.__name__] = ClassDeclaration(
                name=held.__name__,
                base="EmbeddedModel",
                fields=tuple(_members(held, embedded)),
            )
    kwargs = (("null", True),) if field.null else ()
    return Call(function=_function(field), args=args, kwargs=kwargs)


def _members(
    model: type[Model], embedded: dict[str, ClassDeclaration]
) -> Iterator[FieldDeclaration]:
    for field in model._meta.concrete_fields:
        call = _call(field, embedded).having(db_column=str(field.column))
        yield FieldDeclaration(name=str(field.name), call=call)


def _function(field: Any) -> str:
    """The field's class as generated modules name it, or its nearest base class that they name."""
    for base in type(field).__mro__:
        is_djangos = base.__module__.startswith("django.db.models")
        name = f"models.{base.__name__}" if is_djangos else base.__name__
        if name in FIELD_TYPES or name in RELATIONS:
            return name
    return "BSONField"


def _target(field: Any) -> Any:
    while getattr(field, "remote_field", None) is not None:
        field = field.target_field
    return field
