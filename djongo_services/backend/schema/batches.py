"""Changing all documents of a collection in short steps.

Each step is one update of the documents between two keys, so that its progress can be shown, it can
be stopped and continued, and other clients that write wait for at most one step.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from bson import Int64, ObjectId
from bson.binary import Binary
from pymongo.collection import Collection

Document = dict[str, Any]

SIZE = 2_000
"""The number of documents in one step."""
_COMPARED = (ObjectId, str, int, Int64, dt.datetime, bytes, Binary)
"""Types of ``_id`` for which a range query finds all values if both ends have the same type. A
range in a query covers one type, unlike one in the index."""

Progress = Callable[[int], None]


def update_in_batches(
    collection: Collection[Document],
    query: Mapping[str, Any],
    update: Any,
    *,
    bypass: bool,
    progress: Progress | None = None,
    size: int = SIZE,
) -> int:
    """Update every document that matches, and return how many were changed.

    Documents that are inserted in the meantime beyond the end are included. With ``bypass``, the
    writes bypass the collection's validator. ``progress`` is called with the number of processed
    documents.
    """
    changed, passed = 0, 0
    low: Any = None
    first = True
    while True:
        high = _key_after(collection, low, first, size)
        if high is _END:
            # The rest, or everything if there is little.
            part = {} if first else _between(collection, low, None)
        else:
            part = _between(collection, None if first else low, high)
        matching = {"$and": [part, dict(query)]} if part and query else {**part, **query}
        done = collection.update_many(matching, update, bypass_document_validation=bypass)
        changed += done.modified_count
        if high is _END:
            return changed
        passed += size
        if progress is not None:
            progress(passed)
        low, first = high, False


_END: Any = object()


def _key_after(collection: Collection[Document], low: Any, first: bool, size: int) -> Any:
    """The key that many documents further, in the order of the index on ``_id``."""
    cursor = collection.find({}, {"_id": 1}).sort("_id", 1).hint([("_id", 1)])
    if not first:
        # Bounds of an index compare values of all types, unlike a query.
        cursor = cursor.min([("_id", low)])
    found = next(iter(cursor.skip(size).limit(1)), None)
    return _END if found is None else found["_id"]


def _between(collection: Collection[Document], low: Any, high: Any) -> Document:
    """The documents from ``low`` up to, but without, ``high``; None for an open end."""
    ends = [end for end in (low, high) if end is not None]
    if len(ends) == 2 and type(low) is type(high) and isinstance(low, _COMPARED):
        return {"_id": {"$gte": low, "$lt": high}}
    cursor = collection.find({}, {"_id": 1}).hint([("_id", 1)])
    if low is not None:
        cursor = cursor.min([("_id", low)])
    if high is not None:
        cursor = cursor.max([("_id", high)])
    return {"_id": {"$in": [one["_id"] for one in cursor]}}
