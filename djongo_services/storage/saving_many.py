"""Saving many small files at once, in the same steps as a single one."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from bson import ObjectId
from django.core.files.base import ContentFile

from djongo_services.storage.bucket import queries
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.layout import NewFile
from djongo_services.storage.bucket.synchronous.uploading import ensure_indexes
from djongo_services.storage.codecs import Chain
from djongo_services.storage.content import HEAD, content_type_of, encoded
from djongo_services.storage.following.rows import FollowedRows
from djongo_services.storage.publishing import Publishing

BATCH = 500
"""Names that are looked up together."""
BATCH_BYTES = 8 * 1024 * 1024
"""Content that is held in memory, apart from the last file."""

A_MOMENT = timedelta(milliseconds=1)


def save_many(storage: Publishing, items: Iterable[tuple[str, bytes]]) -> list[str]:
    """Save files, and return the names that they got, in order."""
    if storage.options.deduplicate:
        # Each file must be compared with what is stored by then, including the one before it.
        return [storage.save(name, ContentFile(content)) for name, content in items]
    ensure_indexes(storage.bucket.layout)
    names: list[str] = []
    for batch in _batches(items):
        names += (
            _replace(storage, batch) if storage.options.allow_overwrite else _add(storage, batch)
        )
    return names


def _add(storage: Publishing, batch: list[tuple[str, bytes]]) -> list[str]:
    filenames = [storage.full_name(name) for name, _ in batch]
    taken = {document["filename"] for document in _there(storage, filenames)}
    available = [_available(storage, filename, taken) for filename in filenames]

    def rename(document: Document) -> None:
        # Another client took the name.
        taken.add(document["filename"])
        document["filename"] = _available(storage, document["filename"], taken)

    with storage._following() as rows:
        new = _new(storage, available, batch, rows)
        stored = storage.bucket.upload_new(new, complete=_waiting_for(rows), rename=rename)
        for file in stored:
            storage.leave_out(str(file.filename))
    return [storage.place.name(str(file.filename)) for file in stored]


def _replace(storage: Publishing, batch: list[tuple[str, bytes]]) -> list[str]:
    filenames = [storage.full_name(name) for name, _ in batch]
    newest: dict[str, datetime] = {}
    for document in _there(storage, filenames):
        if isinstance(document.get("uploadDate"), datetime):
            newest.setdefault(document["filename"], document["uploadDate"])

    def follow(document: Document) -> None:
        """Make it newer than the stored files, and than those before it in the batch."""
        before = newest.get(document["filename"])
        if before is not None and before >= document["uploadDate"]:
            document["uploadDate"] = before + A_MOMENT
        newest[document["filename"]] = document["uploadDate"]

    with storage._following() as rows:
        wait = _waiting_for(rows)

        def complete(document: Document) -> None:
            follow(document)
            wait(document)

        new = _new(storage, filenames, batch, rows)
        storage.bucket.upload_new(new, complete=complete)
        for filename in filenames:
            storage.leave_out(filename)
        _supersede(storage, filenames, rows)
    return [storage.place.name(filename) for filename in filenames]


def _there(storage: Publishing, filenames: list[str]) -> list[Document]:
    """The stored files, the newest of each name first."""
    return list(
        storage.bucket.files.find(
            {"filename": {"$in": filenames}},
            {"filename": 1, "uploadDate": 1, queries.PROVISIONAL: 1},
            sort=queries.NEWEST_FIRST,
            session=storage.bucket.session(),
        )
    )


def _waiting_for(rows: FollowedRows | None) -> Callable[[Document], None]:
    """Register a files document before it is inserted, so that none is missed."""

    def wait(document: Document) -> None:
        if rows is not None:
            rows.saved(document["_id"])

    return wait


def _supersede(storage: Publishing, filenames: list[str], rows: FollowedRows | None) -> None:
    if storage.options.keep_revisions:
        return
    if rows is None:
        _remove_superseded(storage, filenames)
    else:
        rows.on_commit(lambda: _remove_superseded(storage, filenames))


def _remove_superseded(storage: Publishing, filenames: list[str]) -> None:
    seen: set[str] = set()
    superseded = []
    for document in _there(storage, filenames):
        if "provisional" in document.get("metadata", {}):
            continue  # It supersedes nothing, and belongs to its own transaction.
        if document["filename"] in seen:
            superseded.append(document["_id"])
        seen.add(document["filename"])
    if superseded:
        storage.bucket.delete_many(superseded)


def _available(storage: Publishing, filename: str, taken: set[str]) -> str:
    """A name that is not in ``taken``, to which it is added."""
    folder, slash, last = filename.rpartition("/")
    ending = "".join(pathlib.PurePath(last).suffixes)
    while filename in taken:
        # It is random; if it is taken too, the bucket reports that.
        other = storage.get_alternative_name(last.removesuffix(ending), ending)
        filename = folder + slash + other
    taken.add(filename)
    return filename


def _new(
    storage: Publishing,
    filenames: list[str],
    batch: list[tuple[str, bytes]],
    rows: FollowedRows | None,
) -> Iterator[NewFile]:
    marks: Document = {} if storage.options.allow_overwrite else {"exclusive": True}
    if rows is not None:
        marks["provisional"] = rows.alias
    for filename, (_, content) in zip(filenames, batch, strict=True):
        files_id = ObjectId()
        chain = Chain(storage.options.codecs, files_id)
        data = b"".join(encoded(chain, [content]))
        name = storage.place.name(filename)
        kept = content_type_of(storage.options.content_type, name, None, content[:HEAD])
        yield files_id, filename, data, {"contentType": kept, **marks, **chain.metadata}


def _batches(items: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    batch: list[tuple[str, bytes]] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item[1])
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
