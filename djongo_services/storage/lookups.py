"""Looking up files of a storage and reading them, in blocking code and in coroutines."""

from __future__ import annotations

import os
import weakref
from collections.abc import AsyncGenerator, Generator
from datetime import datetime
from typing import Any

from djongo_services.connections import connections
from djongo_services.event_loops import ByLoop
from djongo_services.storage.base import BucketStorage, Name, as_django_has_it
from djongo_services.storage.bucket import AsyncBucket, StoredFile, queries
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.codecs.chain import adecode, chain_for, decode
from djongo_services.storage.errors import NoFile
from djongo_services.storage.following.rows import is_anothers
from djongo_services.storage.reading import AsyncGridFSFile

_buckets: ByLoop[weakref.WeakKeyDictionary[Any, AsyncBucket]] = ByLoop()
"""Buckets by event loop and by storage. Not by client: PyMongo's clients of one server are
equal."""


class FileLookups(BucketStorage):
    """A storage whose files are found by their names, also natively in an event loop."""

    @property
    def abucket(self) -> AsyncBucket:
        """The bucket of the running event loop."""
        connection = connections[self.using]
        client = connection.async_client
        kept = _buckets.get()
        if kept is None:
            kept = _buckets.keep(weakref.WeakKeyDictionary())
        bucket = kept.get(self)
        if bucket is None or bucket.layout.client is not client:
            database = client[connection.database_name]
            bucket = kept[self] = AsyncBucket(database, **self.bucket_options())
        return bucket

    async def aopen(self, name: Name) -> AsyncGridFSFile:
        """Open a file for reading, in binary mode; use ``asave`` to write."""
        return AsyncGridFSFile(self, os.fspath(name), await self.astored(name))

    def exists(self, name: Name) -> bool:
        """Whether the name is a file, or a folder that is not empty."""
        bucket, is_location = self.bucket, True
        for filename in self.there(name):
            is_location, query = False, self.file_or_folder(filename)
            with self.beside(filename, bucket.layout.client):
                if bucket.files.find_one(query, {"_id": 1}, session=bucket.session()):
                    return True
        return is_location

    async def aexists(self, name: Name) -> bool:
        bucket, is_location = self.abucket, True
        for filename in self.there(name):
            is_location, query = False, self.file_or_folder(filename)
            with self.beside(filename, bucket.layout.client):
                if await bucket.files.find_one(query, {"_id": 1}, session=bucket.session()):
                    return True
        return is_location

    def size(self, name: Name) -> int:
        return plain_size(self.stored(name))

    async def asize(self, name: Name) -> int:
        return plain_size(await self.astored(name))

    def get_modified_time(self, name: Name) -> datetime:
        """When its content was stored. Aware in UTC with USE_TZ, else in local time."""
        return as_django_has_it(self.stored(name).upload_date)

    async def aget_modified_time(self, name: Name) -> datetime:
        return as_django_has_it((await self.astored(name)).upload_date)

    def get_created_time(self, name: Name) -> datetime:
        """The same as the modification time: content is replaced, never changed."""
        return self.get_modified_time(name)

    def get_accessed_time(self, name: Name) -> datetime:
        """The same as the modification time: MongoDB does not record reads."""
        return self.get_modified_time(name)

    aget_created_time = aget_modified_time
    aget_accessed_time = aget_modified_time

    def stored(self, name: Name) -> StoredFile:
        """The newest file with that name; raises NoFile, a FileNotFoundError."""
        for filename in self.readings(name):
            document = self._newest(filename)
            if document is not None:
                return StoredFile.from_document(document)
        raise NoFile(f"There is no file {str(name)!r} in the storage.")

    async def astored(self, name: Name) -> StoredFile:
        for filename in self.readings(name):
            document = await self._anewest(filename)
            if document is not None:
                return StoredFile.from_document(document)
        raise NoFile(f"There is no file {str(name)!r} in the storage.")

    def read_range(self, stored: StoredFile, start: int, stop: int) -> Generator[bytes, None, None]:
        """The bytes [start, stop) as they were saved. Closing the generator frees the cursor."""
        self.check_encrypted(stored)
        reading = chain_for(stored, start, stop)
        if reading is None:
            return self.bucket.read(stored, start, stop)
        return decode(reading, self.bucket.read(stored, reading.start, reading.stop))

    def aread_range(self, stored: StoredFile, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes [start, stop). Close it (``contextlib.aclosing``) to free the cursor
        early."""
        self.check_encrypted(stored)
        reading = chain_for(stored, start, stop)
        if reading is None:
            return self.abucket.read(stored, start, stop)
        return adecode(reading, self.abucket.read(stored, reading.start, reading.stop))

    def _newest(self, filename: str) -> Document | None:
        """The file that a reader sees: not another transaction's, unless there is no other."""
        bucket, query = self.bucket, self.current(filename)
        files, newest = bucket.files, queries.NEWEST_FIRST
        with self.beside(filename, bucket.layout.client):
            found = files.find_one(query, sort=newest, session=bucket.session())
            if found is None or not is_anothers(found):
                return found
            before = queries.settled(query)
            return files.find_one(before, sort=newest, session=bucket.session()) or found

    async def _anewest(self, filename: str) -> Document | None:
        bucket, query = self.abucket, self.current(filename)
        files, newest = bucket.files, queries.NEWEST_FIRST
        with self.beside(filename, bucket.layout.client):
            found = await files.find_one(query, sort=newest, session=bucket.session())
            if found is None or not is_anothers(found):
                return found
            before = queries.settled(query)
            return await files.find_one(before, sort=newest, session=bucket.session()) or found
