"""Removing files from a bucket: the files document first, so that no reader finds half a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from pymongo.errors import AutoReconnect

from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.bucket.queries import batches, this_very
from djongo_services.transaction.current import Joined, joined

_ATTEMPTS = 3
"""A connection may be lost, and the primary step down right after that."""


async def delete_files(layout: Layout[Any], ids: Sequence[Any]) -> int:
    """Delete files, and return how many of them there were.

    In a transaction the files documents are deleted with its commit, and their chunks right after
    it.
    """
    within = joined(layout.client)
    if within is None:
        return await remove_files(layout, ids)
    ids, deleted = list(ids), 0
    for batch in batches(ids):
        await _keep_for_rollback(layout, within, batch)
        result = await layout.files.delete_many({"_id": {"$in": batch}}, session=within.session)
        deleted += result.deleted_count
    _remove_chunks_on_commit(layout, within, ids)
    return deleted


async def delete_if(layout: Layout[Any], files_id: Any, condition: Mapping[str, Any]) -> bool:
    """Delete one file if its document still matches ``condition``."""
    within = joined(layout.client)
    session = within and within.session
    query = {**condition, "_id": {"$eq": files_id}}
    document = await layout.files.find_one_and_delete(query, session=session)
    if document is None:
        return False
    if within is None:
        await remove_chunks(layout, [files_id])
        return True
    _remove_chunks_on_commit(layout, within, [files_id])
    if not within.undone_by_rollback:
        _put_back_on_rollback(layout, within, [document])
    return True


async def remove_files(layout: Layout[Any], ids: Sequence[Any]) -> int:
    """Remove files documents and chunks, outside of any transaction."""
    deleted = 0
    async with layout.client.start_session(causal_consistency=False) as outside:
        for batch in batches(ids):
            result = await layout.files.delete_many({"_id": {"$in": batch}}, session=outside)
            deleted += result.deleted_count
            await _delete_chunks(layout, batch, outside)
    return deleted


async def remove_document(layout: Layout[Any], document: Document, session: Any = None) -> None:
    """Remove a files document, unless it is another one with the same id.

    With the ``session`` of an insert whose outcome is unknown, that insert either ended before or
    never happens: the server takes a session's retryable writes, such as ``delete_one``, one after
    the other, and none that is older than one it took.
    """
    async with nullcontext(session) if session is not None else _outside(layout) as outside:
        await layout.files.delete_one(this_very(document), session=outside)


async def remove_chunks(layout: Layout[Any], ids: Sequence[Any], session: Any = None) -> None:
    """Remove chunks; with a ``session``, after all that was inserted with it: see
    :func:`remove_document`."""
    async with nullcontext(session) if session is not None else _outside(layout) as outside:
        if session is not None:
            await layout.early_chunks.delete_one({"files_id": {"$eq": ids[0]}}, session=session)
        for batch in batches(ids):
            await _delete_chunks(layout, batch, outside)


async def _delete_chunks(layout: Layout[Any], batch: Sequence[Any], session: Any) -> None:
    """Delete chunks, and repeat that when the connection is lost or the primary steps down: the
    driver does not repeat ``delete_many``, since another one may delete more. No file gets these
    ids again."""
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            await layout.early_chunks.delete_many({"files_id": {"$in": batch}}, session=session)
        except AutoReconnect:
            if not attempts_left:
                raise
        else:
            return


def _outside(layout: Layout[Any]) -> Any:
    return layout.client.start_session(causal_consistency=False)


def _remove_chunks_on_commit(layout: Layout[Any], within: Joined, ids: Sequence[Any]) -> None:
    async def remove() -> None:
        await remove_chunks(layout, ids)

    within.on_commit(remove)


async def _keep_for_rollback(layout: Layout[Any], within: Joined, batch: list[Any]) -> None:
    """Keep the documents: on a server without transactions, a rollback restores them itself."""
    if within.undone_by_rollback:
        return
    documents = await layout.files.find({"_id": {"$in": batch}}).to_list()
    if documents:
        _put_back_on_rollback(layout, within, documents)


def _put_back_on_rollback(layout: Layout[Any], within: Joined, documents: list[Document]) -> None:
    async def put_back() -> None:
        await layout.files.insert_many(documents)

    within.on_rollback(put_back)
