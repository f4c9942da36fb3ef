"""The two indexes of a bucket, created once per process, whoever else does so at the same time."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from pymongo.errors import OperationFailure

from djongo_services.storage.bucket.layout import Layout

logger = logging.getLogger("djongo_services.storage")

Keys = tuple[tuple[str, int], ...]

FILES_KEYS: Keys = (("filename", 1), ("uploadDate", 1))
CHUNKS_KEYS: Keys = (("files_id", 1), ("n", 1))
"""Unique: no chunk of a file can be there twice. The names and keys are the specification's."""

_PATIENCE_MS = 1_000
"""An open transaction that has read the collection keeps it from getting an index; where that is
the caller's own, waiting for it would be waiting for ever."""
_BLOCKED = frozenset({24, 50})
"""LockTimeout, MaxTimeMSExpired."""

_done: weakref.WeakKeyDictionary[Any, set[tuple[str, str]]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def ensure_indexes(layout: Layout[Any]) -> None:
    """Outside of any transaction. Nothing is sent once this process has seen both indexes.

    A user without the privilege to look or to create writes without: PyMongo's errors otherwise.
    """
    if is_done(layout):
        return
    with layout.client.start_session(causal_consistency=False) as outside:
        for collection, keys, unique in _wanted(layout):
            try:
                if not _holds(collection.list_indexes(session=outside), keys):
                    collection.create_index(keys, session=outside, **_options(unique))
            except OperationFailure as error:
                if not _may_go_on(error, collection):
                    raise
                return
    mark_done(layout)


async def aensure_indexes(layout: Layout[Any]) -> None:
    if is_done(layout):
        return
    async with layout.client.start_session(causal_consistency=False) as outside:
        for collection, keys, unique in _wanted(layout):
            try:
                cursor = await collection.list_indexes(session=outside)
                if not _holds(await cursor.to_list(), keys):
                    await collection.create_index(keys, session=outside, **_options(unique))
            except OperationFailure as error:
                if not _may_go_on(error, collection):
                    raise
                return
    mark_done(layout)


def is_done(layout: Layout[Any]) -> bool:
    return (layout.database.name, layout.name) in _done.get(layout.client, ())


def mark_done(layout: Layout[Any]) -> None:
    with _lock:
        _done.setdefault(layout.client, set()).add((layout.database.name, layout.name))


def forget(layout: Layout[Any]) -> None:
    """Look again before the next write: the bucket was dropped."""
    with _lock:
        _done.get(layout.client, set()).discard((layout.database.name, layout.name))


def _wanted(layout: Layout[Any]) -> tuple[tuple[Any, Keys, bool], ...]:
    return (layout.files, FILES_KEYS, False), (layout.chunks, CHUNKS_KEYS, True)


def _options(unique: bool) -> dict[str, Any]:
    return {"maxTimeMS": _PATIENCE_MS, **({"unique": True} if unique else {})}


def _holds(indexes: Iterable[Mapping[str, Any]], keys: Keys) -> bool:
    # Shells write numbers as doubles: 1.0 is 1.
    return any(tuple(index["key"].items()) == keys for index in indexes)


def _may_go_on(error: OperationFailure, collection: Any) -> bool:
    unauthorized = 13
    if error.code == unauthorized or error.code in _BLOCKED:
        logger.warning(
            "The index of %s could not be created and is tried again with the next upload: %s",
            collection.full_name,
            error,
        )
        return True
    return False
