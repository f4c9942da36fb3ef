"""Fields of models that hold names of files, wherever in a model they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models

AnyModel: TypeAlias = "type[models.Model]"

_TRACKED = ("instance_type", "pgh_tracked_model")
"""How models of history name the model whose rows they keep: those of django-simple-history, which
turn its FileFields into text, and of django-pghistory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileColumn:
    """Where in a model's own table or collection names of files are."""

    model: AnyModel
    field: str
    """The model's field that has them, perhaps inside."""
    path: tuple[str, ...]
    """Columns: one, or more where names are inside of embedded models."""
    storage: Any
    in_array: bool = False
    endless: bool = False
    """Inside of an embedded model that contains itself: there is no end of such paths."""

    @property
    def is_plain(self) -> bool:
        """Whether the column itself has the name."""
        return len(self.path) == 1 and not self.in_array


def file_columns() -> Iterator[FileColumn]:
    """Of all models, each column once: inherited fields in the table or collection they are in."""
    for model in stored_models():
        for field in model._meta.local_concrete_fields:
            yield from _columns_of(model, field)
        yield from _history_columns(model)


def stored_models() -> list[AnyModel]:
    """Those that have a table or a collection of their own."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy and not _is_embedded(model)
    ]


def _columns_of(model: AnyModel, field: Any) -> Iterator[FileColumn]:
    found, endless = [], False
    for path, inner, in_array in _walk(field, (str(field.column),), (), in_array=False):
        if inner is None:
            endless = True
        else:
            found.append((path, inner, in_array))
    for path, inner, in_array in found:
        yield FileColumn(
            model=model,
            field=field.name,
            path=path,
            storage=inner.storage,
            in_array=in_array,
            endless=endless,
        )


_Found: TypeAlias = tuple[tuple[str, ...], Any, bool]
"""A path, the FileField at its end (None: the model there contains itself), and whether an array
is on the way."""


def _walk(
    field: Any, path: tuple[str, ...], around: tuple[AnyModel, ...], *, in_array: bool
) -> Iterator[_Found]:
    """What is at ``path``, where ``field`` has its value, and below."""
    if isinstance(field, models.FileField):
        yield path, field, in_array
        return
    base = getattr(field, "base_field", None)
    if isinstance(base, models.Field):
        yield from _walk(base, path, around, in_array=True)
        return
    for model in _embedded_models(field):
        if model in around:
            yield path, None, in_array
            continue
        for inner in model._meta.concrete_fields:
            yield from _walk(inner, (*path, str(inner.column)), (*around, model), in_array=in_array)


def _embedded_models(field: Any) -> Iterable[AnyModel]:
    """Of django-mongodb-backend's fields, told by their attributes; it need not be installed."""
    several = getattr(field, "embedded_models", None)
    return (
        several if several is not None else filter(None, [getattr(field, "embedded_model", None)])
    )


def _history_columns(model: AnyModel) -> Iterator[FileColumn]:
    """Columns of text in which a model of history keeps what is a FileField in the other model."""
    tracked: Any = next((getattr(model, name) for name in _TRACKED if hasattr(model, name)), None)
    if not (isinstance(tracked, type) and issubclass(tracked, models.Model)):
        return
    for field in tracked._meta.concrete_fields:
        if not isinstance(field, models.FileField):
            continue
        try:
            copy: Any = model._meta.get_field(field.name)
        except FieldDoesNotExist:
            continue  # The history leaves it out.
        if copy.concrete and not isinstance(copy, models.FileField):
            yield FileColumn(
                model=model, field=copy.name, path=(copy.column,), storage=field.storage
            )


def _is_embedded(model: AnyModel) -> bool:
    """An EmbeddedModel of django-mongodb-backend: its instances live in documents of others."""
    return any(
        base.__name__ == "EmbeddedModel" and base.__module__.startswith("django_mongodb_backend.")
        for base in model.__mro__
    )
