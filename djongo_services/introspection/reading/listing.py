"""The collections of a database, and the indexes of a collection, as the server lists them."""

from __future__ import annotations

from collections.abc import Collection as Names
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from bson.binary import Binary
from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.introspection.catalog import Unavailable
from djongo_services.introspection.reading.reasons import UNAUTHORIZED, unavailable

Document = dict[str, Any]
Answer = list[Document] | OperationFailure
"""What the server returned, or its refusal."""

_BUCKETS = "system.buckets."


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A collection as ``listCollections`` shows it."""

    name: str
    type: Literal["collection", "view", "timeseries"]
    storage: str
    """The collection that holds the data: for a time-series collection that of its buckets."""
    options: Document = field(default_factory=dict)
    uuid: UUID | None = None
    unavailable: tuple[Unavailable, ...] = ()


def list_collections(database: Database[Document], names: Names[str] | None) -> list[Listed]:
    """By name; the buckets of a time-series collection are listed with it.

    Without the privilege for the options, the collections that the user may read are listed
    without them. Raises PyMongo's errors.
    """
    query: Document = {}
    if names is not None:
        query = {"name": {"$in": [*names, *(_BUCKETS + name for name in names)]}}
    missing: tuple[Unavailable, ...] = ()
    try:
        found = _list_collections(database, query)
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        missing = (unavailable("options", "listCollections", error),)
        found = _list_collections(database, query, nameOnly=True, authorizedCollections=True)
    known = {entry["name"] for entry in found}
    listed = [_listed(entry, known, missing) for entry in found]
    return sorted(listed, key=lambda entry: entry.name)


def list_indexes(database: Database[Document], name: str) -> Answer:
    """The indexes, unfinished ones as ``{"spec": ..., "buildUUID": ...}``."""
    try:
        cursor = database.cursor_command(
            "listIndexes",
            name,
            includeBuildUUIDs=True,
            read_preference=database.read_preference,
            codec_options=database.codec_options,
        )
        return list(cursor)
    except OperationFailure as error:
        return error


def _list_collections(
    database: Database[Document], query: Document, **options: Any
) -> list[Document]:
    cursor = database.cursor_command(
        "listCollections",
        filter=query,
        read_preference=database.read_preference,
        codec_options=database.codec_options,
        **options,
    )
    return list(cursor)


def _listed(entry: Document, known: set[str], missing: tuple[Unavailable, ...]) -> Listed:
    name, buckets = entry["name"], _BUCKETS + entry["name"]
    kind = entry.get("type", "collection")
    uuid = entry.get("info", {}).get("uuid")
    return Listed(
        name=name,
        type=kind,
        storage=buckets if kind == "timeseries" and buckets in known else name,
        options=entry.get("options", {}),
        uuid=uuid.as_uuid() if isinstance(uuid, Binary) else uuid,
        unavailable=missing,
    )
