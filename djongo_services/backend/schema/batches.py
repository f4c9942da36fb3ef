"""Changing all documents of a collection in steps that are short.

Each step is one update of the documents between two keys, so that it can be shown how far it is,
stopped and continued, and other writers wait for one step at most.
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
"""Documents of one step."""
_COMPARED = (ObjectId, str, int, Int64, dt.datetime, bytes, Binary)
"""Types of ``_id`` whose values a query for a range finds when both ends are of the same type. A
range in a query is of one type, other than in the index."""

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
    """Update every document that matches; how many were changed.

    Documents that are inserted meanwhile beyond the end are met too. ``bypass`` has the writes
    pass the collection's validator. ``progress`` hears the number of documents passed.
    """
    changed, passed = 0, 0
    low: Any = None
    first = True
    while True:
        high = _key_after(collection, low, first, size)
        if high is _END:
            # The rest, or everything where it is little.
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
        # Bounds of an index compare values of all types, which a query does not.
        cursor = cursor.min([("_id", low)])
    found = next(iter(cursor.skip(size).limit(1)), None)
    return _END if found is None else found["_id"]


def _between(collection: Collection[Document], low: Any, high: Any) -> Document:
    """The documents from ``low`` up to ``high`` without it; None for an open end."""
    ends = [end for end in (low, high) if end is not None]
    if len(ends) == 2 and type(low) is type(high) and isinstance(low, _COMPARED):
        return {"_id": {"$gte": low, "$lt": high}}
    cursor = collection.find({}, {"_id": 1}).hint([("_id", 1)])
    if low is not None:
        cursor = cursor.min([("_id", low)])
    if high is not None:
        cursor = cursor.max([("_id", high)])
    return {"_id": {"$in": [one["_id"] for one in cursor]}}
