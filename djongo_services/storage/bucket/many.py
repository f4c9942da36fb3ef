"""Many small files at once: the same two steps as for one, for a batch of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bson import ObjectId
from pymongo.errors import BulkWriteError, PyMongoError

from djongo_services.storage.bucket import removing
from djongo_services.storage.bucket.chunking import BATCH_BYTES, BATCH_CHUNKS, Chunker, Document
from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.bucket.indexes import ensure_indexes
from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.bucket.sources import checked
from djongo_services.storage.bucket.uploading import interrupted, is_taken_name, taken
from djongo_services.transaction.joining import Joined, joined

logger = logging.getLogger("djongo_services.storage")


NewFile = tuple[str | None, bytes, Document]
"""Filename, content, metadata."""

Change = Callable[[Document], None]
"""Of a files document that is not stored yet."""


def upload_many(
    layout: Layout[Any],
    chunk_size: int,
    items: Iterable[NewFile],
    *,
    complete: Change | None = None,
    rename: Change | None = None,
) -> list[StoredFile]:
    """``complete`` changes each files document before it is inserted; ``rename`` one whose name
    somebody else was faster to take, outside of transactions."""
    ensure_indexes(layout)
    stored: list[StoredFile] = []
    for files, chunks in _batches(items, chunk_size):
        if complete is not None:
            for document in files:
                complete(document)
        store(layout, files, chunks, rename)
        stored.extend(StoredFile.from_document(document) for document in files)
    return stored


def store(
    layout: Layout[Any], files: list[Document], chunks: list[Document], rename: Change | None
) -> None:
    """Files documents, and the chunks of them all. Nothing else may have their ids."""
    ids = [document["_id"] for document in files]
    within = joined(layout.client)
    primary = layout.primary()
    if within is not None:
        within.on_rollback(lambda: removing.remove_files(layout, ids))
    with layout.client.start_session(causal_consistency=False) as outside:
        try:
            if chunks:
                target = layout.early_chunks if within is None else layout.chunks
                target.insert_many(chunks, session=outside, ordered=False)
            if within is None:
                _insert(layout, files, rename, outside)
            else:
                _insert_within(layout, files, within)
            if within is None and (primary is None or layout.primary() != primary):
                _check_nothing_lost(layout, ids, len(chunks), files[0]["filename"])
        except BaseException:
            _remove(layout, files, outside)
            raise


def _insert(
    layout: Layout[Any], files: list[Document], rename: Change | None, session: Any
) -> None:
    waiting = files
    while True:
        try:
            layout.files.insert_many(waiting, ordered=False, session=session)
            return
        except BulkWriteError as error:
            clashes = _taken_names(error)
            if not clashes:
                raise
            waiting = [waiting[index] for index in clashes]
            if rename is None:
                raise taken(waiting[0]["filename"]) from error
            for document in waiting:
                rename(document)


def _insert_within(layout: Layout[Any], files: list[Document], within: Joined) -> None:
    try:
        layout.files.insert_many(files, session=within.session, ordered=False)
    except BulkWriteError as error:
        if clashes := _taken_names(error):
            raise taken(files[clashes[0]]["filename"]) from error
        raise


def _taken_names(error: BulkWriteError) -> list[int]:
    """Where the names of some are taken; none when anything else went wrong."""
    details: Any = error.details
    errors = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or not all(is_taken_name(each) for each in errors):
        return []
    return [each["index"] for each in errors]


def _check_nothing_lost(layout: Layout[Any], ids: list[Any], count: int, filename: Any) -> None:
    with layout.client.start_session(causal_consistency=False) as outside:
        found = layout.chunks.count_documents({"files_id": {"$in": ids}}, session=outside)
    if found != count:
        raise interrupted(filename)


def _remove(layout: Layout[Any], files: list[Document], session: Any) -> None:
    try:
        # By itself, so that nothing that was inserted with this session comes later.
        removing.remove_document(layout, files[0], session)
        removing.remove_files(layout, [document["_id"] for document in files])
    except PyMongoError as error:
        logger.warning("The chunks of a failed upload are left for gridfs_gc: %s", error)


def _batches(
    items: Iterable[NewFile], chunk_size: int
) -> Iterator[tuple[list[Document], list[Document]]]:
    files: list[Document] = []
    chunks: list[Document] = []
    size = 0
    for filename, content, metadata in items:
        chunker = Chunker(ObjectId(), chunk_size)
        for batch in chunker.feed(checked(content)):
            chunks.extend(batch)
        chunks.extend(chunker.rest())
        files.append(chunker.files_document(filename, metadata))
        size += chunker.length
        if size >= BATCH_BYTES or max(len(files), len(chunks)) >= BATCH_CHUNKS:
            yield files, chunks
            files, chunks, size = [], [], 0
    if files:
        yield files, chunks
