"""Everything that may refer to files of a bucket."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from django.db import connections as databases

from djongo_services.connections import connections
from djongo_services.storage.collector.errors import ReferencesUnreadable
from djongo_services.storage.collector.references.aliases import Tables
from djongo_services.storage.collector.references.columns import ColumnSource
from djongo_services.storage.collector.references.documents import DocumentSource
from djongo_services.storage.collector.references.elsewhere import kept_elsewhere
from djongo_services.storage.collector.references.fields import FileColumn, file_columns
from djongo_services.storage.collector.references.naming import Naming
from djongo_services.storage.collector.references.providers import ProviderSource
from djongo_services.storage.collector.references.sources import (
    References,
    Source,
    Territory,
    Unreadable,
)
from djongo_services.storage.collector.references.storages import (
    configured_storages,
    has_files_in,
    is_in_database,
    keeps_revisions,
    naming_in,
)
from djongo_services.storage.collector.references.versions import LABEL, version_sources

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

    ``providers`` are dotted paths, ``ignore`` labels of models that are not asked.

    Raises ReferencesUnreadable, naming each source that does not answer, because all its files
    would look unreferenced. Raises ImproperlyConfigured for a provider that there is not.
    """
    loaded = [ProviderSource.load(path) for path in providers]
    named = [
        (column, naming)
        for column in file_columns()
        if (naming := naming_in(column.storage, database_name, bucket)) is not None
    ]
    ignored, tables = {label.lower() for label in ignore}, Tables()
    asked: list[tuple[str, Iterable[Source]]] = [
        (f"{column.model._meta.label}.{column.field}", _sources_of(column, naming, tables))
        for column, naming in named
        if column.model._meta.label_lower not in ignored
    ]
    if LABEL.lower() not in ignored:
        asked.append((LABEL, version_sources(named, tables)))
    asked += [(provider.label, [provider]) for provider in loaded]
    return References(
        sources=_answering(asked, bucket),
        territories=tuple(_territories(named, database_name, bucket)),
        answers_for_all=any(bucket in provider.buckets for provider in loaded),
    )


def buckets_of_storages(database_name: str, among: Iterable[str]) -> list[str] | None:
    """Those of the buckets in which storages of the project keep their files.

    None when no storage keeps any in this database.
    """
    every = [column.storage for column in file_columns()]
    every += [storage for _, storage in configured_storages()]
    here = [storage for storage in every if is_in_database(storage, database_name)]
    if not here:
        return None
    return [name for name in among if any(has_files_in(storage, name) for storage in here)]


def _answering(asked: Iterable[tuple[str, Iterable[Source]]], bucket: str) -> tuple[Source, ...]:
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
        raise ReferencesUnreadable(
            f"It cannot be told which files of the bucket {bucket!r} are in use, so nothing was "
            f"collected: {'; '.join(troubles)}. Repair that, or name a model that is to be left "
            f"out with --ignore-model."
        )
    return tuple(sources)


def _sources_of(column: FileColumn, naming: Naming, tables: Tables) -> Iterator[Source]:
    """The column on each alias where the model may have rows or documents."""
    model, path = column.model, ".".join(column.path)
    in_documents = partial(DocumentSource, path=path, model=model._meta.label, naming=naming)
    elsewhere = list(kept_elsewhere(model))
    for alias in elsewhere:
        database = connections[alias].database
        yield in_documents(collection=database[model._meta.db_table], alias=alias)
    for alias in tables.aliases_of(model, elsewhere=bool(elsewhere)):
        wrapper: Any = databases[alias]
        if wrapper.vendor == "mongodb":
            if column.endless:
                raise Unreadable(
                    "an embedded model there contains itself, so that its paths have no end; "
                    "write a provider for it"
                )
            yield in_documents(collection=wrapper.database[model._meta.db_table], alias=alias)
        elif column.is_plain:
            yield ColumnSource(model=model, field=column.field, alias=alias, naming=naming)
        else:
            raise Unreadable(
                f"names inside of arrays or embedded models cannot be looked up on {alias!r}; "
                f"write a provider for it"
            )


def _territories(
    named: Sequence[tuple[FileColumn, Naming]], database_name: str, bucket: str
) -> Iterator[Territory]:
    """Longest prefix first, so that the first that fits is the closest."""
    by_fields = {naming.prefix for _, naming in named}
    by_code: set[str] = set()
    keeping = {naming.prefix for column, naming in named if keeps_revisions(column.storage)}
    for alias, storage in configured_storages():
        naming = naming_in(storage, database_name, bucket)
        if naming is None:
            continue
        if alias == STATIC_FILES or naming.prefix not in by_fields:
            by_code.add(naming.prefix)
        if keeps_revisions(storage):
            keeping.add(naming.prefix)
    for prefix in sorted(by_fields | by_code, key=len, reverse=True):
        yield Territory(
            prefix=prefix, spoken_for=prefix not in by_code, keeps_revisions=prefix in keeping
        )
