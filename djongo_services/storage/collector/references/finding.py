"""Everything that may refer to files of a bucket."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.core.files.storage.handler import InvalidStorageError
from django.db import connections as databases

from djongo_services.connections import connections
from djongo_services.storage.collector.errors import ReferencesUnreadable
from djongo_services.storage.collector.references.aliases import Tables
from djongo_services.storage.collector.references.columns import ColumnSource
from djongo_services.storage.collector.references.documents import DocumentSource
from djongo_services.storage.collector.references.elsewhere import kept_elsewhere
from djongo_services.storage.collector.references.fields import FileColumn, file_columns
from djongo_services.storage.collector.references.providers import ProviderSource
from djongo_services.storage.collector.references.sources import (
    References,
    Source,
    Territory,
    Unreadable,
)

STATIC_FILES = "staticfiles"
"""The alias in STORAGES whose files no field names."""


def find_references(
    database_name: str,
    bucket: str,
    *,
    providers: Iterable[str] = (),
    ignore: Collection[str] = (),
) -> References:
    """What refers to the files of a bucket, each source asked once to see that it answers.

    A storage counts when its bucket and its database have these names, wherever its server is: a
    reference too many keeps a file, one too few would lose it. ``providers`` are dotted paths,
    ``ignore`` labels of models that are not asked.

    Raises ReferencesUnreadable, naming each source that does not answer, because all its files
    would look unreferenced. Raises ImproperlyConfigured for a provider that there is not.
    """
    loaded = [ProviderSource.load(path) for path in providers]
    columns = [
        column for column in file_columns() if _is_kept_in(column.storage, database_name, bucket)
    ]
    ignored, tables = {label.lower() for label in ignore}, Tables()
    asked: list[tuple[str, Iterable[Source]]] = [
        (f"{column.model._meta.label}.{column.field}", _sources_of(column, tables))
        for column in columns
        if column.model._meta.label_lower not in ignored
    ]
    asked += [(provider.label, [provider]) for provider in loaded]
    sources: list[Source] = []
    troubles: list[str] = []
    for label, found in asked:
        try:
            for source in found:
                source.probe()
                sources.append(source)
        except Unreadable as error:
            troubles.append(f"{label}: {error}")
    if troubles:
        raise ReferencesUnreadable(_unreadable(bucket, troubles))
    return References(
        sources=tuple(sources),
        territories=tuple(_territories(columns, database_name, bucket)),
        answers_for_all=any(bucket in provider.buckets for provider in loaded),
    )


def buckets_of_storages(database_name: str) -> list[str]:
    """The buckets that storages of the project keep their files in, in this database."""
    every = [column.storage for column in file_columns()]
    every += [storage for _, storage in _configured_storages()]
    return sorted(
        {
            storage.bucket_name
            for storage in every
            if hasattr(storage, "bucket_name") and _database_of(storage) == database_name
        }
    )


def _sources_of(column: FileColumn, tables: Tables) -> Iterator[Source]:
    """The column on each alias where the model may have rows or documents."""
    model, path = column.model, ".".join(column.path)
    prefix = prefix_of(column.storage)
    elsewhere = list(kept_elsewhere(model))
    for alias in elsewhere:
        yield DocumentSource(
            collection=connections[alias].database[model._meta.db_table],
            path=path,
            model=model._meta.label,
            alias=alias,
            prefix=prefix,
        )
    for alias in tables.aliases_of(model, elsewhere=bool(elsewhere)):
        database: Any = databases[alias]
        if database.vendor == "mongodb":
            if column.endless:
                raise Unreadable(
                    "an embedded model there contains itself, so that its paths have no end; "
                    "write a provider for it"
                )
            yield DocumentSource(
                collection=database.database[model._meta.db_table],
                path=path,
                model=model._meta.label,
                alias=alias,
                prefix=prefix,
            )
        elif column.is_plain:
            yield ColumnSource(model=model, field=column.field, alias=alias, prefix=prefix)
        else:
            raise Unreadable(
                f"names inside of arrays cannot be looked up on {alias!r}; write a provider for it"
            )


def prefix_of(storage: Any) -> str:
    """What the filenames of a storage have before its names."""
    filename: str = storage.full_name("x")
    return filename.removesuffix("x")


def _is_kept_in(storage: Any, database_name: str, bucket: str) -> bool:
    """Told by what a GridFSStorage has; others have no bucket."""
    return (
        getattr(storage, "bucket_name", None) == bucket and _database_of(storage) == database_name
    )


def _database_of(storage: Any) -> str:
    return connections[storage.using].database_name


def _territories(
    columns: Sequence[FileColumn], database_name: str, bucket: str
) -> Iterator[Territory]:
    """Longest prefix first, so that the first that fits is the closest."""
    named = {prefix_of(column.storage) for column in columns}
    unnamed: set[str] = set()
    keeping = {prefix_of(column.storage) for column in columns if _keeps_revisions(column.storage)}
    for alias, storage in _configured_storages():
        if not _is_kept_in(storage, database_name, bucket):
            continue
        prefix = prefix_of(storage)
        if alias == STATIC_FILES or prefix not in named:
            unnamed.add(prefix)
        if _keeps_revisions(storage):
            keeping.add(prefix)
    for prefix in sorted(named | unnamed, key=len, reverse=True):
        yield Territory(
            prefix=prefix, spoken_for=prefix not in unnamed, keeps_revisions=prefix in keeping
        )


def _keeps_revisions(storage: Any) -> bool:
    return bool(getattr(getattr(storage, "options", None), "keep_revisions", False))


def _configured_storages() -> Iterator[tuple[str, Any]]:
    """Those of STORAGES that can be made; the others have no files."""
    for alias in storages.backends:
        try:
            yield alias, storages[alias]
        except (InvalidStorageError, ImproperlyConfigured):
            continue


def _unreadable(bucket: str, troubles: Sequence[str]) -> str:
    return (
        f"It cannot be told which files of the bucket {bucket!r} are in use, so nothing was "
        f"collected: {'; '.join(troubles)}. Repair that, or name a model that is to be left out "
        f"with --ignore-model."
    )
