"""The document behind an object of the ORM, and the rules of its collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connections as databases
from django.db import models, router

from djongo_services.admin.patience import Mongo, Patience
from djongo_services.conf import settings
from djongo_services.connections import Connection, connections
from djongo_services.introspection.profiling.decoding import LENIENT
from djongo_services.introspection.reading.listing import list_collections
from djongo_services.introspection.rendering.values import extended_json

LONGEST = 200_000
"""Characters of a document's JSON on a page."""

Object = models.Model


def connection_of(model: type[models.Model], *, writing: bool = False) -> Connection | None:
    """The connection behind which the ORM keeps the model's documents; None where it keeps rows."""
    alias = router.db_for_write(model) if writing else router.db_for_read(model)
    if databases[alias].vendor != "mongodb":
        return None
    for name, configured in settings.connections.items():
        if configured.database == alias:
            return connections[name]
    return None


def document_text(connection: Connection, obj: Object) -> tuple[str | None, str | None]:
    """The document as it is in the database, as JSON, and what was in the way of reading it.

    Both are None where there is no such document.
    """
    key, value = _key(connection, obj)

    def work(database: Mongo) -> Mapping[str, Any] | None:
        collection = database.get_collection(obj._meta.db_table, codec_options=LENIENT)
        return collection.find_one({key: {"$eq": value}})

    asked = Patience(connection).ask(work)
    if asked.value is None:
        return None, asked.trouble
    text = extended_json(asked.value, indent=2)
    return (text if len(text) <= LONGEST else f"{text[:LONGEST]}\n…"), None


def validator_of(connection: Connection, model: type[models.Model]) -> Mapping[str, Any]:
    """The validator in force; empty where there is none, or nobody can tell."""
    name = model._meta.db_table
    asked = Patience(connection).ask(lambda database: list_collections(database, [name]))
    for one in asked.value or ():
        if one.name == name:
            validator: Mapping[str, Any] = one.options.get("validator") or {}
            return validator
    return {}


def _key(connection: Connection, obj: Object) -> tuple[str, Any]:
    pk = obj._meta.pk
    assert pk is not None
    assert connection.settings.database is not None
    value = pk.get_db_prep_value(obj.pk, databases[connection.settings.database])
    return str(pk.column), value
