"""Everything that may refer to files of a bucket, found from the project's settings and models."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from django.apps import apps
from django.db import connections as databases

from djongo_services.conf import settings
from djongo_services.connections import Connection, connections
from djongo_services.storage.collector.collections import buckets_of
from djongo_services.storage.collector.errors import (
    BucketUnusable,
    ReferencesUnreadable,
    UnknownReferenceModel,
)
from djongo_services.storage.collector.references.fields import (
    AnyModel,
    FileColumn,
    Tables,
    file_columns,
)
from djongo_services.storage.collector.references.lookups import (
    LABEL,
    ColumnSource,
    DocumentSource,
    ProviderSource,
    package_sources,
    version_sources,
)
from djongo_services.storage.collector.references.searching import Search, open_search
from djongo_services.storage.collector.references.sources import (
    Naming,
    References,
    ReferenceSource,
    SourceUnreadable,
)
from djongo_services.storage.collector.references.storages import (
    common_naming,
    configured_storages,
    has_files_in,
    is_in_database,
    keepings,
    territories_of,
    uses_of,
)


def buckets_for(connection: Connection, named: Iterable[str] = ()) -> list[str]:
    """The named buckets, otherwise those of the project's storages, otherwise all of the database.

    Raises BucketUnusable if a named one does not exist.
    """
    whole, half = (buckets_of(connection.database, half=half) for half in (False, True))
    if chosen := list(dict.fromkeys(named)):
        if missing := [name for name in chosen if name not in half]:
            known = f"it has {', '.join(whole)}" if whole else "it has none"
            raise BucketUnusable(
                f"There is no bucket {missing[0]!r} in the database "
                f"{connection.database_name!r}; {known}."
            )
        return chosen
    of_storages = buckets_of_storages(connection.database_name, half)
    return whole if of_storages is None else of_storages


def references_for(
    connection: Connection,
    bucket: str,
    *,
    ignore: Iterable[str] = (),
    exclude: Iterable[str] = (),
    search: bool = True,
) -> References:
    """What the project's models, texts and providers refer to; ``ignore`` are labels ``app.Model``.

    ``exclude`` are patterns in addition to those of the settings. Without ``search``, texts are not
    searched, whatever the settings say. Raises UnknownReferenceModel, and what
    :func:`find_references` raises."""
    labels = list(ignore)
    for label in labels:
        _check_model(label)
    return find_references(
        connection.database_name,
        bucket,
        providers=settings.storage.references,
        ignore=labels,
        exclude=[*settings.storage.exclude, *exclude],
        search=search and settings.storage.search == "everything",
        search_exclude=settings.storage.search_exclude,
    )


def find_references(
    database_name: str,
    bucket: str,
    *,
    providers: Iterable[str] = (),
    ignore: Collection[str] = (),
    exclude: Iterable[str] = (),
    search: bool = True,
    search_exclude: Iterable[str] = (),
) -> References:
    """What refers to the files of a bucket; each source is checked once for whether it can be read.

    ``providers`` are dotted paths, ``ignore`` labels of models that are skipped, ``exclude``
    patterns of filenames that are never collected. ``search`` also searches all texts of all
    databases, except tables and collections that match a pattern of ``search_exclude``.

    Raises ReferencesUnreadable, naming each source that cannot be read, because all its files would
    look unreferenced. Raises ImproperlyConfigured for an unknown provider.
    """
    loaded = [ProviderSource.load(path) for path in providers]
    columns = list(file_columns())
    uses = uses_of(columns, database_name, bucket)
    naming, tables = common_naming(uses), Tables()
    ignored = {label.lower() for label in ignore}
    asked: list[tuple[str, Iterable[ReferenceSource]]] = []
    if uses:
        at_home = {use.where for use in uses}
        asked += [
            (label, _sources_of(column, naming, tables, required=label in at_home))
            for column in columns
            if column.model._meta.label_lower not in ignored
            for label in [f"{column.model._meta.label}.{column.field}"]
        ]
        if LABEL.lower() not in ignored:
            asked.append((LABEL, version_sources(columns, naming, tables)))
        asked += [(each.label, [each]) for each in package_sources()]
    asked += [(each.label, [each]) for each in loaded]
    answers_for_all = any(bucket in provider.buckets for provider in loaded)
    opened: Search | None = None
    troubles: list[str] = []
    if search and (uses or answers_for_all):
        opened, troubles = _opened(tables, ignored, search_exclude)
    return References(
        sources=_answering(asked, bucket, troubles),
        territories=tuple(territories_of(uses)),
        answers_for_all=answers_for_all,
        naming=naming,
        exclude=tuple(exclude),
        search=opened,
    )


def buckets_of_storages(database_name: str, among: Iterable[str]) -> list[str] | None:
    """The buckets among these in which storages of the project keep their files.

    None if no storage uses this database.
    """
    every = [column.storage for column in file_columns() if column.storage is not None]
    every += [storage for _, storage in configured_storages()]
    here = [
        keeping.storage
        for storage in every
        for keeping in keepings(storage)
        if is_in_database(keeping.storage, database_name)
    ]
    if not here:
        return None
    return [name for name in among if any(has_files_in(storage, name) for storage in here)]


def _opened(
    tables: Tables, ignored: Collection[str], exclude: Iterable[str]
) -> tuple[Search | None, list[str]]:
    try:
        return open_search(tables, ignore=ignored, exclude=exclude), []
    except SourceUnreadable as error:
        return None, [str(error)]


def _answering(
    asked: Iterable[tuple[str, Iterable[ReferenceSource]]], bucket: str, troubles: Sequence[str]
) -> tuple[ReferenceSource, ...]:
    sources: list[ReferenceSource] = []
    found = []
    for label, some in asked:
        try:
            for source in some:
                source.probe()
                sources.append(source)
        except SourceUnreadable as error:
            found.append(f"{label}: {error}")
    if found or troubles:
        raise ReferencesUnreadable(
            f"It cannot be determined which files of the bucket {bucket!r} are in use, so nothing "
            f"was collected: {'; '.join([*found, *troubles])}. Repair that, or exclude a model "
            f"with --ignore-model."
        )
    return tuple(sources)


def _sources_of(
    column: FileColumn, naming: Naming, tables: Tables, *, required: bool
) -> Iterator[ReferenceSource]:
    """A source for the column on each alias on which the model may have rows or documents.

    ``required``: its storage has files in the bucket. Another storage may use the bucket for single
    rows: its column is read if that is possible.
    """
    model, path = column.model, ".".join(column.path)
    in_documents = partial(DocumentSource, path=path, model=model._meta.label, naming=naming)
    elsewhere = list(kept_elsewhere(model))
    for alias in elsewhere:
        database = connections[alias].database
        yield in_documents(collection=database[model._meta.db_table], alias=alias)
    for alias in tables.aliases_of(model, required=required and not elsewhere):
        wrapper: Any = databases[alias]
        if wrapper.vendor == "mongodb":
            if column.endless and required:
                raise SourceUnreadable(
                    "an embedded model there contains itself, so that its paths have no end; "
                    "write a provider for it"
                )
            yield in_documents(collection=wrapper.database[model._meta.db_table], alias=alias)
        elif column.is_plain:
            yield ColumnSource(model=model, field=column.field, alias=alias, naming=naming)
        elif required:
            raise SourceUnreadable(
                f"names inside of arrays or embedded models cannot be looked up on {alias!r}; "
                f"write a provider for it"
            )


# Models whose documents PyMongo keeps in MongoDB, as `SCHEMA["MODELS"]` names them.
def kept_elsewhere(model: AnyModel) -> Iterator[str]:
    """The connections that contain documents of the model outside of the ORM.

    Raises ImproperlyConfigured if the setting is wrong.
    """
    names = {model._meta.app_label, model._meta.label}
    for alias, labels in settings.schema.models.items():
        if names.intersection(labels) and connections[alias].settings.database is None:
            yield alias


def _check_model(label: str) -> None:
    known = {model._meta.label.lower(): model._meta.label for model in apps.get_models()}
    if label.lower() not in known:
        close = difflib.get_close_matches(label.lower(), known, n=1)
        hint = f"; did you mean {known[close[0]]}?" if close else "; write app.Model."
        raise UnknownReferenceModel(f"There is no model {label!r}{hint}")
