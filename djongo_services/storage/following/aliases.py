"""Which database a file belongs to: that of the row that refers to it.

A storage does not know whose file it saves. So the model's FieldFile records its instance while it
saves or deletes, and the instance records the database to which it is being saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, models, router
from django.db.models.fields.files import FieldFile
from django.db.models.signals import class_prepared, pre_save

from djongo_services.embedded_models import is_embedded
from djongo_services.patching import Method, is_patched, patch

_USING = "djongo_services_using"
"""An attribute of an instance's ``_state``: the alias of its latest save."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    alias: str
    """An alias of DATABASES."""
    sure: bool
    """Whether the file is known to be referred to by a row of this database. Otherwise it may also
    be a document of MongoDB, and the file is part of that transaction too."""


_INSTANCE: ContextVar[Any] = ContextVar("djongo_services_instance", default=None)
"""The instance whose file is being saved or deleted."""
_BULK: ContextVar[tuple[type[Any], str] | None] = ContextVar("djongo_services_bulk", default=None)
"""The model and the alias of the ``bulk_create()`` in progress."""
_CHOSEN: ContextVar[Followed | None] = ContextVar("djongo_services_followed", default=None)


def followed(option: str | None) -> Followed:
    """``option`` is the storage's own; without it, the model's database for writing, or
    "default"."""
    chosen = _CHOSEN.get()
    if chosen is not None:
        return chosen
    if option is not None:
        return Followed(alias=option, sure=True)
    instance = _INSTANCE.get()
    if isinstance(instance, models.Model) and not is_embedded(type(instance)):
        return Followed(alias=_database_of(instance), sure=True)
    return Followed(alias=DEFAULT_DB_ALIAS, sure=False)


@contextmanager
def following(chosen: Followed) -> Iterator[None]:
    """Follow ``chosen`` within the block, whatever the models or options say."""
    token = _CHOSEN.set(chosen)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def note_rows() -> None:
    """Patch FieldFile and ``bulk_create()``, which sends no signals. Call it once the models are
    loaded."""
    for owner, name, make in _PATCHES:
        patch(owner, name, make)
    class_prepared.connect(_watch, dispatch_uid="djongo_services.following")
    for model in apps.get_models(include_auto_created=True):
        _watch(model)


def _noting_the_instance(original: Method) -> Method:
    def method(self: FieldFile, *args: Any, **kwargs: Any) -> Any:
        token = _INSTANCE.set(self.instance)
        try:
            return original(self, *args, **kwargs)
        finally:
            _INSTANCE.reset(token)

    return method


def _noting_the_alias(original: Method) -> Method:
    def bulk_create(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._for_write = True
        token = _BULK.set((self.model, self.db))
        try:
            return original(self, *args, **kwargs)
        finally:
            _BULK.reset(token)

    return bulk_create


_PATCHES: tuple[tuple[type[Any], str, Callable[[Method], Method]], ...] = (
    *((FieldFile, name, _noting_the_instance) for name in ("save", "delete", "open")),
    (models.QuerySet, "bulk_create", _noting_the_alias),
)


def replaced() -> list[str]:
    """The methods whose calls do not arrive here, because they were replaced later."""
    return [
        f"{owner.__name__}.{name}"
        for owner, name, _ in _PATCHES
        if not is_patched(getattr(owner, name))
    ]


def _watch(sender: Any, **kwargs: Any) -> None:
    if any(isinstance(field, models.FileField) for field in sender._meta.fields):
        uid = ("djongo_services.following", sender._meta.label)
        pre_save.connect(_note_alias, sender=sender, dispatch_uid=uid)


def _note_alias(sender: Any, *, instance: Any, using: str, **kwargs: Any) -> None:
    setattr(instance._state, _USING, using)


def _database_of(instance: models.Model) -> str:
    bulk = _BULK.get()
    if bulk is not None and isinstance(instance, bulk[0]):
        return bulk[1]
    noted: str | None = getattr(instance._state, _USING, None)
    return noted or router.db_for_write(type(instance), instance=instance)
