"""The collector on a project: its connections, its settings, its models."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from django.apps import apps

from djongo_services.conf import settings
from djongo_services.connections import Connection
from djongo_services.storage.collector.errors import BucketUnusable, UnknownModel
from djongo_services.storage.collector.places import buckets_of
from djongo_services.storage.collector.references import (
    References,
    buckets_of_storages,
    find_references,
)


def buckets_for(connection: Connection, named: Iterable[str] = ()) -> list[str]:
    """The buckets named, else those of the project's storages, else all that the database has.

    Raises BucketUnusable when one that was named is not there.
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
    connection: Connection, bucket: str, *, ignore: Iterable[str] = ()
) -> References:
    """What the project's models and providers refer to; ``ignore`` are labels ``app.Model``.

    Raises UnknownModel, and as :func:`find_references` does.
    """
    labels = list(ignore)
    for label in labels:
        _check_model(label)
    return find_references(
        connection.database_name,
        bucket,
        providers=settings.storage.references,
        ignore=labels,
    )


def _check_model(label: str) -> None:
    known = {model._meta.label.lower(): model._meta.label for model in apps.get_models()}
    if label.lower() not in known:
        close = difflib.get_close_matches(label.lower(), known, n=1)
        hint = f"; did you mean {known[close[0]]}?" if close else "; write app.Model."
        raise UnknownModel(f"There is no model {label!r}{hint}")
