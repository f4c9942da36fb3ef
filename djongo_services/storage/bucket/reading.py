"""Chunks of a file out of a bucket, in their order, checked."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pymongo import ReadPreference
from pymongo.errors import AutoReconnect, CursorNotFound

from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.bucket.ranges import RangeReader
from djongo_services.storage.errors import CorruptFile, FileChanged


def read(
    layout: Layout[Any], file: StoredFile, start: int = 0, stop: int | None = None
) -> Generator[bytes, None, None]:
    """The bytes [start, stop), in pieces of at most a chunk.

    Outside of any transaction: chunks never change under one id, and those of a file that the
    open transaction itself uploaded are not in its snapshot. Closing the generator frees the
    cursor. Raises CorruptFile, and FileChanged when the file was deleted meanwhile.
    """
    reader = RangeReader(file, start, stop)
    try:
        try:
            yield from _read_on(layout, layout.chunks, file, reader)
        except CorruptFile:
            if layout.chunks.read_preference == ReadPreference.PRIMARY:
                raise
            # A secondary may not have all chunks of a new file yet.
            yield from _read_on(layout, on_primary(layout.chunks), file, reader)
    except CorruptFile as damage:
        if not _exists(layout, file):
            raise changed(file) from damage
        raise


def on_primary(collection: Any) -> Any:
    return collection.with_options(read_preference=ReadPreference.PRIMARY)


def changed(file: StoredFile) -> FileChanged:
    return FileChanged(
        f"The file {file.filename!r} (id {file.id!r}) was deleted while it was read."
    )


def _read_on(
    layout: Layout[Any], chunks: Any, file: StoredFile, reader: RangeReader
) -> Generator[bytes, None, None]:
    """The driver repeats a query that an election interrupts, but does not go on with its cursor;
    this does, as long as that leads any further."""
    while True:
        before = reader.position
        try:
            yield from _read(layout, chunks, file, reader)
            return
        except (AutoReconnect, CursorNotFound):
            if reader.position == before:
                raise


def _read(
    layout: Layout[Any], chunks: Any, file: StoredFile, reader: RangeReader
) -> Generator[bytes, None, None]:
    with layout.client.start_session(causal_consistency=False) as outside:
        for part in reader.parts():
            query = chunks.find(
                part.filter(file.id),
                session=outside,
                sort={"n": 1},
                limit=part.limit,
                batch_size=part.batch_size,
            )
            with query as cursor:
                for chunk in cursor:
                    if piece := reader.accept(chunk):
                        yield piece
        reader.finish()


def _exists(layout: Layout[Any], file: StoredFile) -> bool:
    query = {"_id": {"$eq": file.id}}
    with layout.client.start_session(causal_consistency=False) as outside:
        found = on_primary(layout.files).find_one(query, {"_id": 1}, session=outside)
    return found is not None
