"""Files out of a bucket: the files document first, so that no reader finds half a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.layout import Layout
from djongo_services.transaction.joining import Joined, joined

BATCH = 1_000
"""Ids in one command."""


def delete_files(layout: Layout[Any], ids: Sequence[Any]) -> int:
    """How many of them there were.

    In a transaction the files documents go with its commit, and their chunks right after it.
    """
    within = joined(layout.client)
    if within is None:
        return remove_files(layout, ids)
    ids, deleted = list(ids), 0
    for batch in batches(ids):
        _keep_for_rollback(layout, within, batch)
        result = layout.files.delete_many({"_id": {"$in": batch}}, session=within.session)
        deleted += result.deleted_count
    within.on_commit(lambda: remove_chunks(layout, ids))
    return deleted


def delete_if(layout: Layout[Any], files_id: Any, condition: Mapping[str, Any]) -> bool:
    """One file, if its document is still as ``condition`` says."""
    within = joined(layout.client)
    session = within and within.session
    query = {**condition, "_id": {"$eq": files_id}}
    document = layout.files.find_one_and_delete(query, session=session)
    if document is None:
        return False
    if within is None:
        remove_chunks(layout, [files_id])
        return True
    within.on_commit(lambda: remove_chunks(layout, [files_id]))
    if not within.undone_by_rollback:
        within.on_rollback(lambda: layout.files.insert_one(document))
    return True


def remove_files(layout: Layout[Any], ids: Sequence[Any]) -> int:
    """Files documents and chunks, outside of any transaction."""
    deleted = 0
    with layout.client.start_session(causal_consistency=False) as outside:
        for batch in batches(ids):
            result = layout.files.delete_many({"_id": {"$in": batch}}, session=outside)
            deleted += result.deleted_count
            layout.early_chunks.delete_many({"files_id": {"$in": batch}}, session=outside)
    return deleted


def remove_document(layout: Layout[Any], document: Document, session: Any = None) -> None:
    """A files document, unless it is another one of the same id.

    With the ``session`` that it was inserted with, an insert of which nobody knows whether it was
    made is over before, or is never made: the server takes a session's retryable writes, such as
    ``delete_one``, one after the other, and none that is older than one it took.
    """
    with nullcontext(session) if session is not None else _outside(layout) as outside:
        layout.files.delete_one(this_very(document), session=outside)


def this_very(document: Document) -> Document:
    # An id may be a document with operators for names, too.
    return {
        "_id": {"$eq": document["_id"]},
        "uploadDate": document["uploadDate"],
        "metadata.sha256": document["metadata"]["sha256"],
    }


def remove_chunks(layout: Layout[Any], ids: Sequence[Any], session: Any = None) -> None:
    """With a ``session``, after all that was inserted with it; see :func:`remove_document`."""
    with nullcontext(session) if session is not None else _outside(layout) as outside:
        if session is not None:
            layout.early_chunks.delete_one({"files_id": {"$eq": ids[0]}}, session=session)
        for batch in batches(ids):
            layout.early_chunks.delete_many({"files_id": {"$in": batch}}, session=outside)


def _outside(layout: Layout[Any]) -> Any:
    return layout.client.start_session(causal_consistency=False)


def batches(ids: Sequence[Any]) -> list[list[Any]]:
    return [list(ids[at : at + BATCH]) for at in range(0, len(ids), BATCH)]


def _keep_for_rollback(layout: Layout[Any], within: Joined, batch: list[Any]) -> None:
    """On a server without transactions a rollback has to put the documents back itself."""
    if within.undone_by_rollback:
        return
    documents = list(layout.files.find({"_id": {"$in": batch}}))
    if documents:
        within.on_rollback(lambda: layout.files.insert_many(documents))
