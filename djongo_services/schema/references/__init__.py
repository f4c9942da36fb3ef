"""Dangling references: MongoDB does not enforce the references that models declare."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from django.apps import apps
from django.db import connections, models, router

from djongo_services.introspection.path import ELEMENT, Path
from djongo_services.schema.mapping.layout import (
    document_path,
    embedded_fields_of,
    fields_of,
)
from djongo_services.schema.references.auditing import (
    DanglingExample,
    DanglingReferences,
    ForeignReference,
    audit_references,
)
from djongo_services.schema.spec import CollectionSpec

__all__ = [
    "DanglingExample",
    "DanglingReferences",
    "ForeignReference",
    "audit_references",
    "model_references",
    "spec_references",
]


Model: TypeAlias = type[models.Model]
_Field: TypeAlias = "models.Field[Any, Any]"

_EMBEDDED = ("embedded_model", "embedded_models")
"""Attributes of django-mongodb-backend's fields that contain one model, or several
(polymorphic)."""


def spec_references(
    specs: Iterable[CollectionSpec],
    *,
    backend: bool | None = None,
    among: Iterable[Model] | None = None,
) -> tuple[ForeignReference, ...]:
    """The references of the models that the specs were made from; see :func:`model_references`.

    Raises LookupError for a label that no installed app has.
    """
    labels = dict.fromkeys(label for spec in specs for label in spec.models)
    chosen = (apps.get_model(label) for label in labels)
    return model_references(chosen, backend=backend, among=among)


def model_references(
    chosen: Iterable[Model],
    *,
    backend: bool | None = None,
    among: Iterable[Model] | None = None,
) -> tuple[ForeignReference, ...]:
    """The references in the order of models and fields, each once.

    ``backend`` says whether django-mongodb-backend writes the documents; by default, it does for
    models that the routers send to it. There, a parent's fields are in the parent's collection, and
    the link to it is a reference; elsewhere a document contains the inherited fields as well.

    The collections of automatic many-to-many relations are included, and proxies count as their
    models. Embedded models are searched, too. ``among`` names the models in the same database:
    references to others are left out, because their targets are not in MongoDB. Without it, those
    that the routers send elsewhere are left out. Generic foreign keys name their target in the data
    and are not included.
    """
    concrete = dict.fromkeys(_concrete(model) for model in chosen)
    for model in tuple(concrete):
        concrete.update(dict.fromkeys(_automatic(model)))
    known = None if among is None else {_concrete(model) for model in among}
    found: dict[ForeignReference, None] = {}
    for model in concrete:
        own = _is_on_mongodb(model) if backend is None else backend
        for path, field in _foreign_keys(model, fields_of(model, backend=own), own):
            target = _concrete(field.remote_field.model)
            if target in known if known is not None else _is_beside(target, model):
                found[_reference(model, path, field, own)] = None
    return tuple(found)


def _reference(
    model: Model, path: Path, field: models.ForeignKey[Any, Any], backend: bool
) -> ForeignReference:
    target = _concrete(field.remote_field.model)
    return ForeignReference(
        model=model._meta.label,
        collection=model._meta.db_table,
        path=path,
        target=target._meta.db_table,
        target_path=_path(target, field.target_field, backend),
    )


def _path(model: Model, field: _Field, backend: bool) -> Path:
    return tuple(document_path(field, backend=backend, model=model).split("."))


def _foreign_keys(
    model: Model,
    fields: Iterable[Any],
    backend: bool,
    prefix: Path = (),
    above: tuple[Model, ...] = (),
) -> Iterator[tuple[Path, models.ForeignKey[Any, Any]]]:
    """The references among the fields and in the models embedded in them; ``above`` ends
    recursion."""
    # The key of an embedded document is a field like any other.
    columns = backend or bool(above)
    for field in fields:
        if isinstance(field, models.ForeignKey) and (columns or not _is_parent_link(field)):
            yield (*prefix, *_path(model, field, columns)), field
        for path, embedded in _embedded(field):
            if embedded not in above:
                below = (*prefix, field.column, *path)
                within = embedded_fields_of(embedded)
                yield from _foreign_keys(embedded, within, backend, below, (*above, embedded))


def _is_parent_link(field: models.ForeignKey[Any, Any]) -> bool:
    return bool(getattr(field.remote_field, "parent_link", False))


def _embedded(field: Any) -> Iterator[tuple[Path, Model]]:
    """The models embedded in a field, each with the path from the field to its values."""
    base = getattr(field, "base_field", None)
    if base is not None:
        for path, model in _embedded(base):
            yield (ELEMENT, *path), model
        return
    single, several = (getattr(field, name, None) for name in _EMBEDDED)
    for model in (single, *(several or ())):
        if isinstance(model, type) and issubclass(model, models.Model):
            yield (), model


def _automatic(model: Model) -> Iterator[Model]:
    for field in model._meta.local_many_to_many:
        through = field.remote_field.through
        if through is not None and through._meta.auto_created:
            yield through


def _concrete(model: Any) -> Model:
    concrete: Model = model._meta.concrete_model or model
    return concrete


def _is_beside(target: Model, model: Model) -> bool:
    return router.db_for_read(target) == router.db_for_read(model)


def _is_on_mongodb(model: Model) -> bool:
    return bool(connections[router.db_for_read(model)].vendor == "mongodb")
