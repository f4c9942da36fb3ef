"""The storages of a project: those in STORAGES, and those of its models' fields."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import default_storage, storages
from django.core.files.storage.handler import InvalidStorageError
from django.core.signals import setting_changed
from django.db import models
from django.utils.connection import ConnectionDoesNotExist

from djongo_services.connections import connections
from djongo_services.storage.options import StorageOptions


def project_storages() -> Iterator[tuple[str, Any]]:
    """Our storages in STORAGES, and other ones of models' fields, each with where it is defined."""
    configured: list[Any] = [default_storage]
    for alias in storages.backends:
        try:
            storage = storages[alias]
        except (InvalidStorageError, ImproperlyConfigured):
            continue  # Django reports that when it is used.
        configured.append(storage)
        if _is_ours(storage):
            yield f'STORAGES["{alias}"]', storage
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if not isinstance(field, models.FileField):
                continue
            # Checked last: without STORAGES["default"], the default storage does not exist.
            if not any(field.storage is each for each in configured) and _is_ours(field.storage):
                yield f"The storage of {field}", field.storage


def _is_ours(storage: object) -> bool:
    return isinstance(getattr(storage, "options", None), StorageOptions)


# Which files of a public storage belong to a private one, because both use the same bucket.
def is_public(storage: Any) -> bool:
    """Whether everyone may read its files, by a URL that does not expire."""
    return not storage.private and storage.permission is None


def is_of_private(storage: Any, name: str) -> bool:
    """Whether a name of a public storage is in a private storage's location.

    If locations are nested, a file belongs to the innermost one.
    """
    if not is_public(storage):
        return False
    return any(
        encloses(storage, other) and storage.full_name(name).startswith(other.place.prefix)
        for other in _private_storages()
    )


def encloses(storage: Any, other: Any) -> bool:
    """Whether the location of ``other`` is within that of ``storage``, or equal to it."""
    if not (hasattr(storage, "place") and hasattr(other, "place")):
        return False  # In djongo's layout each folder is a bucket.
    if storage.bucket_name != other.bucket_name:
        return False
    inside: bool = other.place.prefix.startswith(storage.place.prefix)
    return inside and _database_of(storage) == _database_of(other)


def _database_of(storage: Any) -> object:
    try:
        connection = connections[storage.using]
        return connection.key, connection.database_name
    except (ConnectionDoesNotExist, ImproperlyConfigured):
        return storage.using


@functools.cache
def _private_storages() -> tuple[Any, ...]:
    return tuple(storage for _, storage in project_storages() if not is_public(storage))


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting in ("STORAGES", "INSTALLED_APPS"):
        _private_storages.cache_clear()


setting_changed.connect(_forget, dispatch_uid="djongo_services.storage.project_storages")
