"""The same as :mod:`removing` on PyMongo's AsyncMongoClient."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.bucket.removing import batches, this_very
from djongo_services.transaction.joining import Joined, joined


async def delete_files(layout: Layout[Any], ids: Sequence[Any]) -> int:
    within = joined(layout.client)
    if within is None:
        return await remove_files(layout, ids)
    ids, deleted = list(ids), 0
    for batch in batches(ids):
        await _keep_for_rollback(layout, within, batch)
        result = await layout.files.delete_many({"_id": {"$in": batch}}, session=within.session)
        deleted += result.deleted_count

    async def remove() -> None:
        await remove_chunks(layout, ids)

    within.on_commit(remove)
    return deleted


async def remove_files(layout: Layout[Any], ids: Sequence[Any]) -> int:
    deleted = 0
    async with layout.client.start_session(causal_consistency=False) as outside:
        for batch in batches(ids):
            result = await layout.files.delete_many({"_id": {"$in": batch}}, session=outside)
            deleted += result.deleted_count
            await layout.early_chunks.delete_many({"files_id": {"$in": batch}}, session=outside)
    return deleted


async def remove_document(layout: Layout[Any], document: Document, session: Any = None) -> None:
    async with nullcontext(session) if session is not None else _outside(layout) as outside:
        await layout.files.delete_one(this_very(document), session=outside)


async def remove_chunks(layout: Layout[Any], ids: Sequence[Any], session: Any = None) -> None:
    async with nullcontext(session) if session is not None else _outside(layout) as outside:
        if session is not None:
            await layout.early_chunks.delete_one({"files_id": {"$eq": ids[0]}}, session=session)
        for batch in batches(ids):
            await layout.early_chunks.delete_many({"files_id": {"$in": batch}}, session=outside)


def _outside(layout: Layout[Any]) -> Any:
    return layout.client.start_session(causal_consistency=False)


async def _keep_for_rollback(layout: Layout[Any], within: Joined, batch: list[Any]) -> None:
    if within.undone_by_rollback:
        return
    documents = await layout.files.find({"_id": {"$in": batch}}).to_list()

    async def put_back() -> None:
        await layout.files.insert_many(documents)

    if documents:
        within.on_rollback(put_back)
