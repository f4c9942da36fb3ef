"""Many small files at once, through everything that a single one passes through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.core.files.base import ContentFile

from djongo_services.storage.bucket.many import NewFile
from djongo_services.storage.codecs import Chain
from djongo_services.storage.content_types import HEAD, content_type_of
from djongo_services.storage.encoding import encoded

if TYPE_CHECKING:
    from djongo_services.storage.gridfs import GridFSStorage

BATCH = 500
"""Names that are looked up at once."""


def save_many(storage: GridFSStorage, items: Iterable[tuple[str, bytes]]) -> list[str]:
    """The names that they got, in order."""
    if storage.options.deduplicate:
        # Each has to be compared with what is stored by then, the one before it included.
        return [storage.save(name, ContentFile(content)) for name, content in items]
    names: list[str] = []
    for batch in _batches(items):
        names += _save_batch(storage, batch)
    return names


def _save_batch(storage: GridFSStorage, batch: list[tuple[str, bytes]]) -> list[str]:
    filenames = [storage.full_name(name) for name, _ in batch]
    there = _there(storage, filenames)
    if not storage.options.allow_overwrite:
        filenames = _available(storage, filenames, {document["filename"] for document in there})
    bucket = storage.bucket
    stored = bucket.upload_new(
        _new(storage, filename, content)
        for filename, (_, content) in zip(filenames, batch, strict=True)
    )
    if storage.options.allow_overwrite and not storage.options.keep_revisions:
        last = {file.filename: file.id for file in stored}
        twice = [file.id for file in stored if last[file.filename] != file.id]
        bucket.delete_many([*(document["_id"] for document in there), *twice])
    return [storage.place.name(filename) for filename in filenames]


def _there(storage: GridFSStorage, filenames: list[str]) -> list[dict[str, Any]]:
    bucket = storage.bucket
    query = {"filename": {"$in": filenames}}
    return list(bucket.files.find(query, {"filename": 1}, session=bucket.session()))


def _available(storage: GridFSStorage, filenames: list[str], taken: set[str]) -> list[str]:
    found: list[str] = []
    for filename in filenames:
        if filename in taken:
            # An alternative is random; the storage itself looks whether even that is taken.
            filename = storage.full_name(storage.get_available_name(storage.place.name(filename)))
        while filename in taken:
            root, dot, extension = filename.rpartition(".")
            filename = storage.get_alternative_name(
                root or filename, dot + extension if root else ""
            )
        taken.add(filename)
        found.append(filename)
    return found


def _new(storage: GridFSStorage, filename: str, content: bytes) -> NewFile:
    chain = Chain(storage.options.codecs)
    data = b"".join(encoded(chain, [content]))
    name = storage.place.name(filename)
    kept = content_type_of(storage.options.content_type, name, None, content[:HEAD])
    exclusive = {} if storage.options.allow_overwrite else {"exclusive": True}
    return filename, data, {"contentType": kept, **exclusive, **chain.metadata}


def _batches(items: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    batch: list[tuple[str, bytes]] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
