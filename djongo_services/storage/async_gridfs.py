"""Reading files in an event loop, on an AsyncMongoClient."""

from __future__ import annotations

import asyncio
import io
import weakref
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Any, Self

from django.conf import settings as django_settings
from django.utils.timezone import make_naive

from djongo_services.connections import connections
from djongo_services.storage import queries
from djongo_services.storage.base import BucketStorage
from djongo_services.storage.bucket import AsyncBucket, StoredFile
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.codecs.chain import adecode, chain_for
from djongo_services.storage.errors import NoFile
from djongo_services.storage.reading import FIRST_WINDOW, LARGEST_WINDOW

_buckets: weakref.WeakKeyDictionary[Any, weakref.WeakKeyDictionary[Any, AsyncBucket]]
_buckets = weakref.WeakKeyDictionary()
"""By event loop and by storage. Not by client: PyMongo's clients of one server are equal."""


class AsyncGridFSFile:
    """A file opened for reading: ``await read()``, ``seek()``, ``async for`` over its chunks."""

    def __init__(self, storage: AsyncReading, name: str, stored: StoredFile) -> None:
        self.name = name
        self.stored = stored
        self.size = plain_size(stored)
        self._storage = storage
        self._position = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        """There is nothing to close: each read is a query of its own."""

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"A file has no position {base + offset}.")
        self._position = base + offset
        return self._position

    async def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; all that is left when it is negative."""
        stop = self.size if size < 0 else min(self.size, self._position + size)
        start = min(self._position, stop)
        async with aclosing(self._storage.aread_range(self.stored, start, stop)) as pieces:
            data = b"".join([piece async for piece in pieces])
        self._position = start + len(data)
        return data

    async def chunks(self, chunk_size: int = FIRST_WINDOW) -> AsyncIterator[bytes]:
        """From the beginning, in pieces of ``chunk_size`` bytes."""
        self.seek(0)
        while piece := await self.read(min(chunk_size, LARGEST_WINDOW)):
            yield piece

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.chunks()


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
        try:
            await self.astored(name)
        except NoFile:
            return False
        return True

    async def asize(self, name: str) -> int:
        return plain_size(await self.astored(name))

    async def aget_modified_time(self, name: str) -> datetime:
        uploaded = (await self.astored(name)).upload_date
        return uploaded if django_settings.USE_TZ else make_naive(uploaded)

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
