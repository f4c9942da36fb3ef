"""Reading files in an event loop, on an AsyncMongoClient."""

from __future__ import annotations

import asyncio
import io
import weakref
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Any, Self

from djongo_services.connections import connections
from djongo_services.storage import queries
from djongo_services.storage.base import BucketStorage, as_django_has_it
from djongo_services.storage.bucket import AsyncBucket, StoredFile
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.codecs.chain import adecode, chain_for, has_random_access
from djongo_services.storage.errors import NoFile
from djongo_services.storage.reading import FIRST_WINDOW, LARGEST_WINDOW, Checksum, moved

_buckets: weakref.WeakKeyDictionary[Any, weakref.WeakKeyDictionary[Any, AsyncBucket]]
_buckets = weakref.WeakKeyDictionary()
"""By event loop and by storage. Not by client: PyMongo's clients of one server are equal."""


class AsyncGridFSFile:
    """A file opened for reading: ``await read()``, ``seek()``, ``async for`` over its chunks.

    A file that was read from its beginning to its end is compared with its checksum. Leaving its
    block, or ``await close()``, frees the cursor of one that can only be read in order.
    """

    def __init__(self, storage: AsyncReading, name: str, stored: StoredFile) -> None:
        self.name = name
        self.stored = stored
        self.size = plain_size(stored)
        self.closed = False
        self._storage = storage
        self._position = 0
        self._checksum = Checksum(stored, self.size)
        self._random_access = has_random_access(stored)
        self._stream: AsyncGenerator[bytes, None] | None = None
        self._left = b""
        """What the stream gave already, from ``_left_at`` on."""
        self._left_at = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        self.closed = True
        await self._drop_stream()

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = moved(self._position, self.size, offset, whence)
        return self._position

    async def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; all that is left when it is negative."""
        if self.closed:
            raise ValueError(f"The file {self.name!r} is closed.")
        start = self._position
        stop = self.size if size < 0 else min(self.size, start + size)
        if start >= stop:
            return b""
        data = await (self._range(start, stop) if self._random_access else self._on(start, stop))
        self._position = start + len(data)
        self._checksum.take(start, data)
        return data

    async def chunks(self, chunk_size: int = FIRST_WINDOW) -> AsyncIterator[bytes]:
        """From the beginning, in pieces of ``chunk_size`` bytes."""
        self.seek(0)
        while piece := await self.read(min(chunk_size, LARGEST_WINDOW)):
            yield piece

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.chunks()

    async def _range(self, start: int, stop: int) -> bytes:
        async with aclosing(self._storage.aread_range(self.stored, start, stop)) as pieces:
            return b"".join([piece async for piece in pieces])

    async def _on(self, start: int, stop: int) -> bytes:
        """From one query that goes on, because each would have to read all that comes before."""
        if self._stream is None or self._left_at != start:
            await self._drop_stream()
            self._stream = self._storage.aread_range(self.stored, start, self.size)
        found = bytearray(self._left)
        try:
            # With the last bytes it is read out, because what follows them proves them.
            while not stop - start <= len(found) < self.size - start:
                piece = await anext(self._stream, None)
                if piece is None:
                    break
                found += piece
        except BaseException:
            await self._drop_stream()
            raise
        self._left, self._left_at = bytes(found[stop - start :]), stop
        return bytes(found[: stop - start])

    async def _drop_stream(self) -> None:
        stream, self._stream, self._left = self._stream, None, b""
        if stream is not None:
            await stream.aclose()


class AsyncReading(BucketStorage):
    """A storage that is read natively in an event loop."""

    @property
    def abucket(self) -> AsyncBucket:
        """Of the running event loop."""
        connection = connections[self.using]
        client = connection.async_client
        kept = _buckets.setdefault(asyncio.get_running_loop(), weakref.WeakKeyDictionary())
        bucket = kept.get(self)
        if bucket is None or bucket.layout.client is not client:
            database = client[connection.database_name]
            bucket = kept[self] = AsyncBucket(database, **self.bucket_options())
        return bucket

    async def aopen(self, name: str) -> AsyncGridFSFile:
        """For reading, in binary; ``asave`` takes whatever is to be written."""
        return AsyncGridFSFile(self, name, await self.astored(name))

    async def aexists(self, name: str) -> bool:
        query = self.there(name)
        if query is None:
            return True
        bucket = self.abucket
        return await bucket.files.find_one(query, {"_id": 1}, session=bucket.session()) is not None

    async def asize(self, name: str) -> int:
        return plain_size(await self.astored(name))

    async def aget_modified_time(self, name: str) -> datetime:
        return as_django_has_it((await self.astored(name)).upload_date)

    aget_created_time = aget_modified_time
    aget_accessed_time = aget_modified_time

    async def astored(self, name: str) -> StoredFile:
        """The newest file of that name; raises NoFile, a FileNotFoundError."""
        bucket = self.abucket
        document = await bucket.files.find_one(
            self.named(self.full_name(name)), sort=queries.NEWEST_FIRST, session=bucket.session()
        )
        if document is None:
            raise NoFile(f"There is no file {name!r} in the storage.")
        return StoredFile.from_document(document)

    async def aread_range(
        self, stored: StoredFile, start: int, stop: int
    ) -> AsyncGenerator[bytes, None]:
        """Close it (``contextlib.aclosing``) to free the cursor early."""
        reading = chain_for(stored, start, stop)
        if reading is None:
            pieces = self.abucket.read(stored, start, stop)
        else:
            pieces = adecode(reading, self.abucket.read(stored, reading.start, reading.stop))
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
