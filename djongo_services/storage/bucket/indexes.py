"""The two indexes of a bucket, created once per process, whoever else does so at the same time."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pymongo.errors import OperationFailure

from djongo_services.storage.bucket.layout import Layout

logger = logging.getLogger("djongo_services.storage")

Keys = tuple[tuple[str, int], ...]

FILES_KEYS: Keys = (("filename", 1), ("uploadDate", 1))
CHUNKS_KEYS: Keys = (("files_id", 1), ("n", 1))
"""Unique: no chunk of a file can be there twice. The keys are the specification's."""
EXCLUSIVE_KEYS: tuple[Keys, ...] = ((("filename", 1),), (("metadata.aliases.name", 1),))
"""Unique among the files of which nobody wants a second one of the same name."""

_PATIENCE_MS = 1_000
"""An open transaction that has read the collection keeps it from getting an index; where that is
the caller's own, waiting for it would be waiting for ever."""
_TOLERATED = frozenset({13, 24, 50, 85, 86, 11000})
"""Unauthorized, LockTimeout, MaxTimeMSExpired, and what an existing index or data conflict with."""

_done: weakref.WeakKeyDictionary[Any, set[tuple[str, str, bool]]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def ensure_indexes(layout: Layout[Any]) -> None:
    """Outside of any transaction. Nothing is sent once this process has seen both indexes.

    A user without the privilege to look or to create writes without: PyMongo's errors otherwise.
    """
    if is_done(layout):
        return
    with layout.client.start_session(causal_consistency=False) as outside:
        for collection, keys, options in _wanted(layout):
            try:
                if not _holds(collection.list_indexes(session=outside), keys, options):
                    collection.create_index(keys, session=outside, **options)
            except OperationFailure as error:
                if not _may_go_on(error, collection):
                    raise
                return
    mark_done(layout)


async def aensure_indexes(layout: Layout[Any]) -> None:
    if is_done(layout):
        return
    async with layout.client.start_session(causal_consistency=False) as outside:
        for collection, keys, options in _wanted(layout):
            try:
                cursor = await collection.list_indexes(session=outside)
                if not _holds(await cursor.to_list(), keys, options):
                    await collection.create_index(keys, session=outside, **options)
            except OperationFailure as error:
                if not _may_go_on(error, collection):
                    raise
                return
    mark_done(layout)


def is_done(layout: Layout[Any]) -> bool:
    return _mark(layout) in _done.get(layout.client, ())


def mark_done(layout: Layout[Any]) -> None:
    with _lock:
        _done.setdefault(layout.client, set()).add(_mark(layout))


def forget(layout: Layout[Any]) -> None:
    """Look again before the next write: the bucket was dropped."""
    with _lock:
        _done.get(layout.client, set()).discard(_mark(layout))


def _mark(layout: Layout[Any]) -> tuple[str, str, bool]:
    return (layout.database.name, layout.name, layout.exclusive)


def _wanted(layout: Layout[Any]) -> Iterator[tuple[Any, Keys, dict[str, Any]]]:
    patience = {"maxTimeMS": _PATIENCE_MS}
    yield layout.files, FILES_KEYS, patience
    yield layout.chunks, CHUNKS_KEYS, {"unique": True, **patience}
    if layout.exclusive:
        for keys in EXCLUSIVE_KEYS:
            # A file without aliases would otherwise stand in their index as one without a name.
            only = {"metadata.exclusive": True, keys[0][0]: {"$exists": True}}
            yield layout.files, keys, {"unique": True, "partialFilterExpression": only, **patience}


def _holds(indexes: Iterable[Mapping[str, Any]], keys: Keys, options: Mapping[str, Any]) -> bool:
    # Shells write numbers as doubles: 1.0 is 1.
    return any(
        tuple(index["key"].items()) == keys
        and index.get("unique", False) >= options.get("unique", False)
        for index in indexes
    )


def _may_go_on(error: OperationFailure, collection: Any) -> bool:
    if error.code not in _TOLERATED:
        return False
    logger.warning(
        "An index of %s could not be created, which is tried again with the next upload: %s",
        collection.full_name,
        error,
    )
    return True
