"""Fields of models that contain names of files, at any depth, and where their rows are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import Error, connections, models, router
from pymongo.errors import PyMongoError

from djongo_services.embedded_models import is_embedded
from djongo_services.storage.collector.references.sources import SourceUnreadable, first_line

AnyModel: TypeAlias = "type[models.Model]"

_OF_PACKAGES = {"easy_thumbnails.Source": ("name",), "easy_thumbnails.Thumbnail": ("name",)}
"""Plain columns in which packages store names of files that they save."""

_TRACKED = ("instance_type", "pgh_tracked_model")
"""How history models name the model whose rows they keep: those of django-simple-history, which
turn its FileFields into text, and of django-pghistory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileColumn:
    """A column of a model's own table or collection that contains names of files."""

    model: AnyModel
    field: str
    """The model's field that contains them, perhaps nested."""
    path: tuple[str, ...]
    """Columns: one, or more if names are inside embedded models."""
    storage: Any
    """The field's storage; None if a package stores names of its own."""
    in_array: bool = False
    endless: bool = False
    """Whether it is inside an embedded model that contains itself: such paths never end."""

    @property
    def is_plain(self) -> bool:
        """Whether the column itself contains the name."""
        return len(self.path) == 1 and not self.in_array


def file_columns() -> Iterator[FileColumn]:
    """Columns of all models, each once: inherited fields in their own table or collection."""
    for model in stored_models():
        for field in model._meta.local_concrete_fields:
            yield from _columns_of(model, field)
        yield from _history_columns(model)
        for name in _OF_PACKAGES.get(model._meta.label, ()):
            plain: Any = model._meta.get_field(name)
            yield FileColumn(model=model, field=name, path=(plain.column,), storage=None)


def stored_models() -> list[AnyModel]:
    """The models that have a table or a collection of their own."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy and not is_embedded(model)
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
"""A path, the FileField at its end (None: the model there contains itself), and whether the path
goes through an array."""


def _walk(
    field: Any, path: tuple[str, ...], around: tuple[AnyModel, ...], *, in_array: bool
) -> Iterator[_Found]:
    """The fields at ``path``, where ``field`` has its value, and below."""
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
    """The models of django-mongodb-backend's embedded fields, which are recognised by their
    attributes; the backend need not be installed."""
    several = getattr(field, "embedded_models", None)
    return (
        several if several is not None else filter(None, [getattr(field, "embedded_model", None)])
    )


def _history_columns(model: AnyModel) -> Iterator[FileColumn]:
    """Text columns in which a history model keeps what is a FileField in the other model."""
    tracked: Any = next((getattr(model, name) for name in _TRACKED if hasattr(model, name)), None)
    if not (isinstance(tracked, type) and issubclass(tracked, models.Model)):
        return
    for field in tracked._meta.concrete_fields:
        if not isinstance(field, models.FileField):
            continue
        try:
            copy: Any = model._meta.get_field(field.name)
        except FieldDoesNotExist:
            continue  # The history excludes it.
        if copy.concrete and not isinstance(copy, models.FileField):
            yield FileColumn(
                model=model, field=copy.name, path=(copy.column,), storage=field.storage
            )


class Tables:
    """The DATABASES aliases on which a model may have rows; the tables of each are read once."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def aliases_of(self, model: AnyModel, *, required: bool = True) -> Iterator[str]:
        """The aliases on which the routers read or write the model, and others that have its table.

        ``required``: the former must have it. Raises SourceUnreadable if they do not, if an alias
        cannot be read, or if the routers name one that this process does not have."""
        home = homes_of(model)
        for alias in connections:
            at_home = alias in home and required
            if not at_home and not router.allow_migrate_model(alias, model):
                continue
            if self._has(alias, model._meta.db_table):
                yield alias
            elif at_home:
                raise SourceUnreadable(
                    f"the database {alias!r} has no table {model._meta.db_table}; run migrate"
                )

    def names(self, alias: str) -> frozenset[str]:
        """The tables of an alias. Raises SourceUnreadable."""
        if alias not in self._names:
            self._names[alias] = self._read(alias)
        return self._names[alias]

    def _has(self, alias: str, table: str) -> bool:
        # Some databases fold the case of names.
        return table in self.names(alias) or table.lower() in self.names(alias)

    def _read(self, alias: str) -> frozenset[str]:
        connection: Any = connections[alias]
        try:
            if connection.vendor == "mongodb":
                connection.ensure_connection()
                return frozenset(connection.database.list_collection_names())
            return frozenset(connection.introspection.table_names(include_views=True))
        except (Error, ImproperlyConfigured, PyMongoError) as error:
            raise SourceUnreadable(
                f"the database {alias!r} cannot be read: {first_line(error)}"
            ) from error


def homes_of(model: AnyModel) -> set[str]:
    """The aliases that the routers read and write a model on.

    Raises SourceUnreadable if this process does not have one of them: its rows cannot be read
    here."""
    home = {router.db_for_read(model), router.db_for_write(model)}
    if missing := sorted(home.difference(connections)):
        raise SourceUnreadable(
            f"the routers name the database {missing[0]!r}, which is not in DATABASES here"
        )
    return home
