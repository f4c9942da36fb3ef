"""The same as :mod:`reading` on PyMongo's AsyncMongoClient."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pymongo import ReadPreference
from pymongo.errors import AutoReconnect, CursorNotFound

from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.bucket.ranges import RangeReader
from djongo_services.storage.bucket.reading import changed, on_primary
from djongo_services.storage.errors import CorruptFile


async def aread(
    layout: Layout[Any], file: StoredFile, start: int = 0, stop: int | None = None
) -> AsyncGenerator[bytes, None]:
    reader = RangeReader(file, start, stop)
    try:
        try:
            async with aclosing(_read_on(layout, layout.chunks, file, reader)) as found:
                async for piece in found:
                    yield piece
        except CorruptFile:
            if layout.chunks.read_preference == ReadPreference.PRIMARY:
                raise
            async with aclosing(_read_on(layout, on_primary(layout.chunks), file, reader)) as found:
                async for piece in found:
                    yield piece
    except CorruptFile as damage:
        if not await _exists(layout, file):
            raise changed(file) from damage
        raise


async def _read_on(
    layout: Layout[Any], chunks: Any, file: StoredFile, reader: RangeReader
) -> AsyncGenerator[bytes, None]:
    while True:
        before = reader.position
        try:
            async with aclosing(_read(layout, chunks, file, reader)) as found:
                async for piece in found:
                    yield piece
            return
        except (AutoReconnect, CursorNotFound):
            if reader.position == before:
                raise


async def _read(
    layout: Layout[Any], chunks: Any, file: StoredFile, reader: RangeReader
) -> AsyncGenerator[bytes, None]:
    async with layout.client.start_session(causal_consistency=False) as outside:
        for part in reader.parts():
            query = chunks.find(
                part.filter(file.id),
                session=outside,
                sort={"n": 1},
                limit=part.limit,
                batch_size=part.batch_size,
            )
            async with query as cursor:
                async for chunk in cursor:
                    if piece := reader.accept(chunk):
                        yield piece
        reader.finish()


async def _exists(layout: Layout[Any], file: StoredFile) -> bool:
    query = {"_id": {"$eq": file.id}}
    async with layout.client.start_session(causal_consistency=False) as outside:
        found = await on_primary(layout.files).find_one(query, {"_id": 1}, session=outside)
    return found is not None
