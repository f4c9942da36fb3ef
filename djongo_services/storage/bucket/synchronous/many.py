# Generated from asynchronous/many.py by `make synchronous`; edit that.
"""Many small files at once: the same two steps as for one file, in batches."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from pymongo.errors import BulkWriteError, PyMongoError

from djongo_services.storage.bucket.chunking import BATCH_BYTES, BATCH_CHUNKS, Chunker, Document
from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.bucket.layout import Change, Layout, NewFile, server_now
from djongo_services.storage.bucket.sources import checked
from djongo_services.storage.bucket.synchronous import removing
from djongo_services.storage.bucket.synchronous.uploading import ensure_indexes
from djongo_services.storage.errors import is_taken_name, name_taken, upload_interrupted
from djongo_services.transaction.current import Joined, joined
from djongo_services.transaction.uninterrupted import to_the_end

logger = logging.getLogger("djongo_services.storage")

_File = tuple[Chunker, str | None, Document]
"""A chunker that has returned its chunks; filename, metadata."""


def upload_many(
    layout: Layout[Any],
    chunk_size: int,
    items: Iterable[NewFile],
    *,
    complete: Change | None = None,
    rename: Change | None = None,
) -> list[StoredFile]:
    """``complete`` changes each files document before it is inserted; ``rename`` changes one whose
    name another client took in the meantime, outside of transactions."""
    ensure_indexes(layout)
    stored: list[StoredFile] = []
    for files, chunks in _batches(items, layout.client, chunk_size):
        if complete is not None:
            for document in files:
                complete(document)
        store(layout, files, chunks, rename)
        stored.extend(StoredFile.from_document(document) for document in files)
    return stored


def store(
    layout: Layout[Any], files: list[Document], chunks: list[Document], rename: Change | None
) -> None:
    """Insert files documents, and the chunks of all of them. Nothing else may have their ids."""
    ids = [document["_id"] for document in files]
    within = joined(layout.client)
    primary = layout.primary()
    if within is not None:
        _remove_on_rollback(layout, within, ids)
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
            to_the_end(_remove, layout, files, outside)
            raise


def _remove_on_rollback(layout: Layout[Any], within: Joined, ids: list[Any]) -> None:
    def remove() -> None:
        removing.remove_files(layout, ids)

    within.on_rollback(remove)


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
                raise name_taken(waiting[0]["filename"]) from error
            for document in waiting:
                rename(document)


def _insert_within(layout: Layout[Any], files: list[Document], within: Joined) -> None:
    try:
        layout.files.insert_many(files, session=within.session, ordered=False)
    except BulkWriteError as error:
        if clashes := _taken_names(error):
            raise name_taken(files[clashes[0]]["filename"]) from error
        raise


def _taken_names(error: BulkWriteError) -> list[int]:
    """The positions of the files whose names are taken; empty if anything else went wrong."""
    details: Any = error.details
    errors = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or not all(is_taken_name(each) for each in errors):
        return []
    return [each["index"] for each in errors]


def _check_nothing_lost(layout: Layout[Any], ids: list[Any], count: int, filename: Any) -> None:
    with layout.client.start_session(causal_consistency=False) as outside:
        found = layout.chunks.count_documents({"files_id": {"$in": ids}}, session=outside)
    if found != count:
        raise upload_interrupted(filename)


def _remove(layout: Layout[Any], files: list[Document], session: Any) -> None:
    try:
        # Separately, so that nothing that was inserted with this session comes later.
        removing.remove_document(layout, files[0], session)
        removing.remove_files(layout, [document["_id"] for document in files])
    except PyMongoError as error:
        logger.warning("The chunks of a failed upload are left for gridfs_gc: %s", error)


def _batches(
    items: Iterable[NewFile], client: Any, chunk_size: int
) -> Iterator[tuple[list[Document], list[Document]]]:
    files: list[_File] = []
    chunks: list[Document] = []
    size = 0
    for files_id, filename, content, metadata in items:
        chunker = Chunker(files_id, chunk_size)
        for batch in chunker.feed(checked(content)):
            chunks.extend(batch)
        chunks.extend(chunker.rest())
        files.append((chunker, filename, metadata))
        size += chunker.length
        if size >= BATCH_BYTES or max(len(files), len(chunks)) >= BATCH_CHUNKS:
            yield _documents(files, client), chunks
            files, chunks, size = [], [], 0
    if files:
        yield _documents(files, client), chunks


def _documents(files: list[_File], client: Any) -> list[Document]:
    # The items may have arrived slowly: the files of a batch exist from its end on.
    at = server_now(client)
    return [chunker.files_document(name, metadata, at) for chunker, name, metadata in files]
