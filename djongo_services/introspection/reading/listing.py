"""The lists of a database's collections, and of a collection's indexes."""

from __future__ import annotations

from collections.abc import Collection as Names
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from bson import decode
from bson.binary import Binary
from bson.raw_bson import RawBSONDocument
from pymongo.command_cursor import CommandCursor
from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.introspection.catalog import Unavailable
from djongo_services.server_errors import UNAUTHORIZED

Document = dict[str, Any]
Answer = list[Document] | OperationFailure
"""The server's result, or its refusal."""

_BUCKETS = "system.buckets."


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedCollection:
    """A collection as ``listCollections`` returns it."""

    name: str
    type: Literal["collection", "view", "timeseries"]
    storage: str
    """The collection with the data: for a time-series collection that of its buckets."""
    options: Document = field(default_factory=dict)
    validator: bytes | None = None
    """The BSON of the validator among the options."""
    uuid: UUID | None = None
    unavailable: tuple[Unavailable, ...] = ()


def list_collections(
    database: Database[Document], names: Names[str] | None
) -> list[ListedCollection]:
    """The collections by name; the buckets of a time-series collection are listed with it.

    Without the privilege for the options, the collections that the user may read are listed without
    them. Raises PyMongo's errors.
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
    listed = [_listed(entry, database, known, missing) for entry in found]
    return sorted(listed, key=lambda entry: entry.name)


def list_types(database: Database[Document]) -> dict[str, str]:
    """The type of every collection that the user may list or read, by name: ``collection``,
    ``view``, ``timeseries``.

    A server with thousands of collections responds several times faster than with their options.
    Raises PyMongo's errors.
    """
    found = _list_collections(database, {}, nameOnly=True, authorizedCollections=True)
    return {entry["name"]: entry.get("type", "collection") for entry in found}


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
) -> list[RawBSONDocument]:
    cursor: CommandCursor[Any] = database.cursor_command(
        "listCollections",
        filter=query,
        read_preference=database.read_preference,
        # Decoding loses types that Python lacks, and validators must be restored unchanged.
        codec_options=database.codec_options.with_options(document_class=RawBSONDocument),
        **options,
    )
    return list(cursor)


def _listed(
    raw: RawBSONDocument,
    database: Database[Document],
    known: set[str],
    missing: tuple[Unavailable, ...],
) -> ListedCollection:
    entry = decode(raw.raw, codec_options=database.codec_options)
    validator = raw.get("options", {}).get("validator")
    name, buckets = entry["name"], _BUCKETS + entry["name"]
    kind = entry.get("type", "collection")
    uuid = entry.get("info", {}).get("uuid")
    return ListedCollection(
        name=name,
        type=kind,
        storage=buckets if kind == "timeseries" and buckets in known else name,
        options=entry.get("options", {}),
        validator=None if validator is None else validator.raw,
        uuid=uuid.as_uuid() if isinstance(uuid, Binary) else uuid,
        unavailable=missing,
    )


def unavailable(what: str, command: str, error: OperationFailure) -> Unavailable:
    """``what`` is as in :class:`Unavailable`; ``command`` is the command that was sent."""
    if error.code == UNAUTHORIZED:
        return Unavailable(what=what, reason=f"The database user may not run {command}.")
    details = error.details or {}
    message = str(details.get("errmsg") or error).partition("\n")[0]
    name = details.get("codeName") or f"error {error.code}"
    return Unavailable(what=what, reason=f"{command} failed: {message[:200]} ({name}).")
