"""The project's storages, by the bucket that contains their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.core.files.storage.handler import InvalidStorageError

from djongo_services.admin.files.address import BucketAddress
from djongo_services.connections import connections
from djongo_services.formatting import printable
from djongo_services.storage import GridFSStorage
from djongo_services.storage.collector.references.fields import file_columns
from djongo_services.storage.collector.references.storages import (
    STATIC_FILES,
    is_static,
    keepings,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """A storage with files in a bucket."""

    name: str
    """Its alias in STORAGES, or the field that it belongs to: ``archive.Medium.file``."""
    storage: GridFSStorage
    is_static: bool = False
    """Whether its files are static ones: they come from ``collectstatic`` and cannot be uploaded or
    changed here, because browsers run them on every page."""

    @property
    def location(self) -> str:
        """The beginning of its filenames."""
        return self.storage.place.prefix

    @property
    def label(self) -> str:
        location = printable(self.location)
        return f"{self.name} ({location}…)" if location else self.name


def homes(alias: str) -> dict[str, list[Home]]:
    """The storages in the database of a connection, by bucket; a storage of several fields appears
    once."""
    found: dict[str, list[Home]] = {}
    database = connections[alias].database_name
    for home in _all():
        if _database_of(home.storage) == database:
            others = found.setdefault(home.storage.bucket_name, [])
            if all(not _is_same(home, other) for other in others):
                others.append(home)
    return found


def homes_of(address: BucketAddress) -> list[Home]:
    return homes(address.alias).get(address.bucket, [])


def home_of(address: BucketAddress, filename: str) -> Home | None:
    """The storage of a file with this name: the one with the most specific location."""
    fitting = [home for home in homes_of(address) if filename.startswith(home.location)]
    return max(fitting, key=lambda home: len(home.location), default=None)


def is_static_file(address: BucketAddress, filename: str) -> bool:
    """Whether a file with this name is, or would be, a static file."""
    fitting = [home for home in homes_of(address) if filename.startswith(home.location)]
    closest = max((len(home.location) for home in fitting), default=0)
    return any(home.is_static for home in fitting if len(home.location) == closest)


def bucket_storage(address: BucketAddress) -> GridFSStorage:
    """A storage for a bucket that no setting names, which can read any file in it."""
    return GridFSStorage(bucket=address.bucket, using=address.alias)


def _all() -> Iterator[Home]:
    for alias in storages.backends:
        try:
            storage = storages[alias]
        except (InvalidStorageError, ImproperlyConfigured):
            continue  # ``manage.py check``, and using it, report the error.
        if isinstance(storage, GridFSStorage):
            yield Home(name=alias, storage=storage, is_static=is_static(alias, storage))
        elif alias == STATIC_FILES:
            for keeping in keepings(storage):
                if isinstance(keeping.storage, GridFSStorage):
                    yield Home(name=alias, storage=keeping.storage, is_static=True)
    for column in file_columns():
        if isinstance(column.storage, GridFSStorage):
            label = f"{column.model._meta.label}.{column.field}"
            static = is_static(None, column.storage)
            yield Home(name=label, storage=column.storage, is_static=static)


def _database_of(storage: GridFSStorage) -> str | None:
    try:
        return connections[storage.using].database_name
    except ImproperlyConfigured:
        return None


def _is_same(one: Home, other: Home) -> bool:
    return (
        one.storage.location == other.storage.location
        and one.storage.options == other.storage.options
        and one.is_static == other.is_static
    )
