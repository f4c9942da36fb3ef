"""The same as :mod:`uploading` on PyMongo's AsyncMongoClient."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from pymongo.errors import DuplicateKeyError, PyMongoError

from djongo_services.storage.bucket import removing_async
from djongo_services.storage.bucket.chunking import Chunker, Document
from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.bucket.indexes import aensure_indexes
from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.bucket.uploading import (
    Rename,
    already_exists,
    interrupted,
    is_duplicate,
    is_taken_name,
    logger,
    taken,
)
from djongo_services.transaction.ending_async import to_the_end
from djongo_services.transaction.joining import joined


class AsyncUploadStream:
    """``await write(...)``, then ``await close()``; otherwise an UploadStream.

    A cancellation removes what was written before it goes on.
    """

    def __init__(self, layout: Layout[Any], chunker: Chunker, name: str | None, metadata: Document):
        self.id = chunker.files_id
        self.file: StoredFile | None = None
        self.closed = False
        self._layout = layout
        self._chunker = chunker
        self._filename = name
        self._metadata = metadata
        self._primary: object = None
        self._begun = False
        self._published = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.closed:
            return
        if error is None:
            await self.close()
        else:
            await self.abort()

    async def write(self, data: bytes | bytearray | memoryview) -> int:
        if self.closed:
            raise ValueError(f"The upload of {self._filename!r} is closed.")
        before = self._chunker.length
        for batch in self._chunker.feed(data):
            await self._send(batch)
        return self._chunker.length - before

    async def close(self) -> StoredFile:
        document = await self.seal()
        async with self.aborting():
            return await self.publish(document)

    async def seal(self, metadata: Mapping[str, Any] | None = None) -> Document:
        if self.closed:
            raise ValueError(f"The upload of {self._filename!r} is closed.")
        async with self.aborting():
            if batch := self._chunker.rest():
                await self._send(batch)
        kept = {**self._metadata, **(metadata or {})}
        return self._chunker.files_document(self._filename, kept)

    async def publish(self, document: Document, rename: Rename | None = None) -> StoredFile:
        await self._publish(document, rename)
        self.closed = True
        self.file = StoredFile.from_document(document)
        return self.file

    async def abort(self) -> None:
        if self.closed:
            return
        self.closed = True
        await to_the_end(self._remove())

    async def _remove(self) -> None:
        try:
            if self._published:
                await removing_async.remove_files(self._layout, [self.id])
            elif self._begun:
                await removing_async.remove_chunks(self._layout, [self.id])
        except PyMongoError as error:
            logger.warning("The chunks of an aborted upload are left for gridfs_gc: %s", error)

    async def _send(self, batch: list[Document]) -> None:
        layout = self._layout
        if self._primary is None:
            await aensure_indexes(layout)
            self._primary = layout.primary()
        chunks = layout.early_chunks if joined(layout.client) is None else layout.chunks
        first, self._begun = not self._begun, True
        try:
            async with layout.client.start_session(causal_consistency=False) as outside:
                await chunks.insert_many(batch, session=outside)
        except PyMongoError as error:
            if first and is_duplicate(error):
                self._begun = False
                raise already_exists(self.id) from error
            raise

    async def _publish(self, document: Document, rename: Rename | None) -> None:
        layout = self._layout
        if not self._chunker.count:
            await aensure_indexes(layout)
        within = joined(layout.client)
        if within is not None:
            await self._check_nothing_lost()
            within.on_rollback(removing_async.removal(layout, [self.id]))
        self._published = within is None
        while True:
            try:
                await layout.files.insert_one(document, session=within and within.session)
                break
            except DuplicateKeyError as error:
                self._published = False
                if not is_taken_name(error):
                    raise already_exists(self.id) from error
                if rename is None or within is not None:
                    raise taken(document["filename"]) from error
                rename(document)
                self._published = True
        if within is None:
            await self._check_nothing_lost()

    @asynccontextmanager
    async def aborting(self) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            await self.abort()
            raise

    async def _check_nothing_lost(self) -> None:
        layout, count = self._layout, self._chunker.count
        if not count or layout.primary() == self._primary:
            return
        async with layout.client.start_session(causal_consistency=False) as outside:
            found = await layout.chunks.count_documents({"files_id": self.id}, session=outside)
        if found != count:
            raise interrupted(self._filename)
