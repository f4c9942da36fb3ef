"""A GridFS bucket on PyMongo's AsyncMongoClient."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Sequence
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from djongo_services.storage.bucket import querying, reading_async, removing_async
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.bucket.options import BucketOptions, checked_name, kept_metadata
from djongo_services.storage.bucket.sources import Source, apieces
from djongo_services.storage.bucket.uninterrupted import uninterrupted
from djongo_services.storage.bucket.uploading import taken
from djongo_services.storage.bucket.uploading_async import AsyncUploadStream


class AsyncBucket(BucketOptions[AsyncCollection[Document]]):
    """:class:`Bucket` for coroutines, on an AsyncDatabase of the running event loop."""

    def open_upload(
        self,
        filename: str | None,
        *,
        id: Any = None,
        chunk_size: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        content_type: str = "",
    ) -> AsyncUploadStream:
        chunker = self._chunker(id, chunk_size)
        kept = kept_metadata(metadata, content_type)
        return AsyncUploadStream(
            self.layout, chunker, checked_name(filename), kept, is_new_id=id is None
        )

    async def upload(
        self, filename: str | None, source: Source | AsyncIterable[bytes], **options: Any
    ) -> StoredFile:
        """Also of an async iterable of bytes; a plain file is read in the event loop's thread."""
        async with self.open_upload(filename, **options) as stream:
            async for piece in apieces(source):
                await stream.write(piece)
            return await stream.close()

    async def get(self, id: Any) -> StoredFile:
        document = await self.files.find_one({"_id": {"$eq": id}}, session=self.session())
        if document is None:
            raise querying.no_id(id)
        return StoredFile.from_document(document)

    async def get_by_name(self, filename: str, revision: int = -1) -> StoredFile:
        query = querying.revision(filename, revision)
        document = await self.files.find_one(**query, session=self.session())
        if document is None:
            raise querying.no_name(filename, revision)
        return StoredFile.from_document(document)

    async def find(
        self,
        filter: Mapping[str, Any] | None = None,
        *,
        sort: Mapping[str, int] | None = None,
        skip: int = 0,
        limit: int = 0,
        batch_size: int = 1_000,
    ) -> AsyncIterator[StoredFile]:
        options: dict[str, Any] = {"skip": skip, "limit": limit, "batch_size": batch_size}
        query = self.files.find(filter, sort=sort, session=self.session(), **options)
        async with query as cursor:
            async for document in cursor:
                yield StoredFile.from_document(document)

    def read(
        self, file: StoredFile, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Close it (``contextlib.aclosing``) to free the cursor early."""
        return uninterrupted(reading_async.aread(self.layout, file, start, stop))

    async def read_bytes(self, file: StoredFile) -> bytes:
        return b"".join([piece async for piece in self.read(file)])

    async def delete(self, id: Any) -> None:
        if not await removing_async.delete_files(self.layout, [id]):
            raise querying.no_id(id)

    async def delete_many(self, ids: Sequence[Any]) -> int:
        return await removing_async.delete_files(self.layout, ids)

    async def rename(self, id: Any, filename: str) -> None:
        change = {"$set": {"filename": checked_name(filename)}}
        query = {"_id": {"$eq": id}}
        try:
            found = await self.files.update_one(query, change, session=self.session())
        except DuplicateKeyError as error:
            raise taken(filename) from error
        if not found.matched_count:
            raise querying.no_id(id)
