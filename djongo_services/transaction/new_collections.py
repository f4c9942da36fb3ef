"""Creating the collection of a transaction's first write before the transaction begins.

MongoDB creates a missing collection as part of the transaction that first writes to it; if several
do so at the same time, it commits only one. Once a transaction has its snapshot, this cannot be
changed, since it cannot use a newer collection; at its first operation it can. So a transaction
that is rolled back may leave an empty collection.

PyMongo keeps an operation's collection in the function that sends it. If it cannot be found there,
the collection is created inside of the transaction as usual.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.server_errors import NAMESPACE_EXISTS, UNAUTHORIZED
from djongo_services.transaction.causal_consistency import Times

_CREATE = frozenset({"insert", "update"})
"""Operations that create their collection."""

_SETTLED = 5.0
"""Seconds after which every member's snapshots contain an existing collection."""

_known: weakref.WeakKeyDictionary[Any, dict[tuple[str, str], _There]] = weakref.WeakKeyDictionary()
"""Known collections by client, then by database and collection."""


class _There(NamedTuple):
    """A collection that exists, or that cannot be created."""

    since: float
    """When that was determined, by the monotonic clock."""
    times: Times
    """The times that a snapshot must include to contain the collection."""


def unsettled(client: Any, operation: str, func: Callable[..., Any], bulk: Any) -> Any:
    """The Collection or AsyncCollection to prepare before the operation is sent, or None."""
    found = _collection(operation, func, bulk) if operation in _CREATE else None
    if found is None:
        return None
    there = _known.get(client, {}).get((found.database.name, found.name))
    return found if there is None or time.monotonic() - there.since < _SETTLED else None


def prepare(collection: Any, session: Any) -> None:
    """Create the collection unless it exists, and make the transaction of ``session`` begin after
    that.

    If this fails, the write itself will report the error.
    """
    if (there := _there(collection)) is None:
        outside = collection.database.client.start_session(causal_consistency=False)
        error: PyMongoError | None = None
        try:
            with outside:
                named = {"filter": {"name": collection.name}, "session": outside}
                if not collection.database.list_collection_names(**named):
                    collection.database.command("create", collection.name, session=outside)
        except PyMongoError as failure:
            error = failure
        there = _note(collection, outside, error)
    _begin_after(there, session)


async def aprepare(collection: Any, session: Any) -> None:
    if (there := _there(collection)) is None:
        outside = collection.database.client.start_session(causal_consistency=False)
        error: PyMongoError | None = None
        try:
            async with outside:
                named = {"filter": {"name": collection.name}, "session": outside}
                if not await collection.database.list_collection_names(**named):
                    await collection.database.command("create", collection.name, session=outside)
        except PyMongoError as failure:
            error = failure
        there = _note(collection, outside, error)
    _begin_after(there, session)


def _there(collection: Any) -> _There | None:
    database = collection.database
    return _known.get(database.client, {}).get((database.name, collection.name))


def _note(collection: Any, outside: Any, error: PyMongoError | None) -> _There:
    there = _There(time.monotonic(), (outside.cluster_time, outside.operation_time))
    code = error.code if isinstance(error, OperationFailure) else None
    if error is None or code in (NAMESPACE_EXISTS, UNAUTHORIZED):
        database = collection.database
        _known.setdefault(database.client, {})[database.name, collection.name] = there
    return there


def _begin_after(there: _There, session: Any) -> None:
    cluster_time, operation_time = there.times
    if cluster_time is not None:
        session.advance_cluster_time(cluster_time)
    if operation_time is not None:
        session.advance_operation_time(operation_time)


def _collection(operation: str, func: Callable[..., Any], bulk: Any) -> Any:
    if bulk is not None:
        return getattr(bulk, "collection", None) if operation == "insert" else None
    code = getattr(func, "__code__", None)
    if code is None or func.__closure__ is None:
        return None
    variables = dict(zip(code.co_freevars, func.__closure__, strict=True))
    if operation == "update" and not _content(variables.get("upsert")):
        return None
    owner = _content(variables.get("self"))
    return owner if hasattr(type(owner), "database") and hasattr(type(owner), "name") else None


def _content(cell: Any) -> Any:
    try:
        return None if cell is None else cell.cell_contents
    except ValueError:  # not filled yet
        return None
