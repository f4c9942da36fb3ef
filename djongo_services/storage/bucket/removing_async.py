"""The same as :mod:`removing` on PyMongo's AsyncMongoClient."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.bucket.removing import batches
from djongo_services.transaction.joining import Joined, joined


async def delete_files(layout: Layout[Any], ids: Sequence[Any]) -> int:
    within = joined(layout.client)
    if within is None:
        return await remove_files(layout, ids)
    deleted = 0
    for batch in batches(ids):
        await _keep_for_rollback(layout, within, batch)
        result = await layout.files.delete_many({"_id": {"$in": batch}}, session=within.session)
        deleted += result.deleted_count

    async def remove() -> None:
        await remove_chunks(layout, ids)

    within.on_commit(remove)
    return deleted


def removal(layout: Layout[Any], ids: Sequence[Any]) -> Callable[[], Awaitable[int]]:
    """:func:`remove_files` as a callback."""

    async def remove() -> int:
        return await remove_files(layout, ids)

    return remove


async def remove_files(layout: Layout[Any], ids: Sequence[Any]) -> int:
    deleted = 0
    async with layout.client.start_session(causal_consistency=False) as outside:
        for batch in batches(ids):
            result = await layout.files.delete_many({"_id": {"$in": batch}}, session=outside)
            deleted += result.deleted_count
            await layout.early_chunks.delete_many({"files_id": {"$in": batch}}, session=outside)
    return deleted


async def remove_chunks(layout: Layout[Any], ids: Sequence[Any]) -> None:
    async with layout.client.start_session(causal_consistency=False) as outside:
        for batch in batches(ids):
            await layout.early_chunks.delete_many({"files_id": {"$in": batch}}, session=outside)


async def _keep_for_rollback(layout: Layout[Any], within: Joined, batch: list[Any]) -> None:
    if within.undone_by_rollback:
        return
    documents = await layout.files.find({"_id": {"$in": batch}}).to_list()

    async def put_back() -> None:
        await layout.files.insert_many(documents)

    if documents:
        within.on_rollback(put_back)
