"""Restoring model instances that an attempt created or deleted, when the attempt failed.

Django records in an instance that it was saved. After a rollback that is no longer true: the next
attempt's ``save()`` would update a row that does not exist.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.db.models.signals import post_delete, pre_save

from djongo_services.transaction.state import Key


@dataclass(frozen=True, kw_only=True, slots=True)
class _Before:
    instance: weakref.ref[Model]
    adding: bool
    database: str | None
    keys: dict[str, Any]
    """The primary keys, including the parents', by attribute."""


class Recorder:
    """The state of instances before an attempt first saved or deleted them."""

    def __init__(self, database: str) -> None:
        self.database = database
        """The DATABASES alias of the attempt's transaction."""
        self._before: dict[int, _Before] = {}

    def note(self, instance: Model) -> None:
        known = self._before.get(id(instance))
        if known is None or known.instance() is not instance:
            self._before[id(instance)] = _Before(
                instance=weakref.ref(instance),
                adding=instance._state.adding,
                database=instance._state.db,
                keys={name: getattr(instance, name) for name in _key_names(instance)},
            )

    def restore(self) -> None:
        for before in self._before.values():
            instance = before.instance()
            if instance is not None:
                instance._state.adding = before.adding
                instance._state.db = before.database
                for name, value in before.keys.items():
                    setattr(instance, name, value)


_RECORDER: ContextVar[Recorder | None] = ContextVar("djongo_services_recorder", default=None)


@contextmanager
def recorded(key: Key) -> Iterator[Recorder | None]:
    """Record within the block; None for a connection without models."""
    kind, alias = key
    if kind != "DATABASES":
        yield None
        return
    pre_save.connect(_on_save, dispatch_uid="djongo_services.transaction")
    post_delete.connect(_on_delete, dispatch_uid="djongo_services.transaction")
    recorder = Recorder(alias)
    token = _RECORDER.set(recorder)
    try:
        yield recorder
    finally:
        _RECORDER.reset(token)


def _on_save(*, instance: Model, using: str, **kwargs: Any) -> None:
    recorder = _RECORDER.get()
    if recorder is not None and using == recorder.database and instance._state.adding:
        recorder.note(instance)


def _on_delete(*, instance: Model, using: str, **kwargs: Any) -> None:
    recorder = _RECORDER.get()
    if recorder is not None and using == recorder.database:
        recorder.note(instance)


def _key_names(instance: Model) -> list[str]:
    models = [type(instance), *instance._meta.all_parents]
    return [model._meta.pk.attname for model in models]
