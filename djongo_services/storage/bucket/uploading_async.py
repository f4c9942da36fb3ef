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
from djongo_services.storage.errors import NameTaken
from djongo_services.transaction.ending_async import to_the_end
from djongo_services.transaction.joining import Joined, joined


class AsyncUploadStream:
    """``await write(...)``, then ``await close()``; otherwise an UploadStream.

    A cancellation removes what was written before it goes on.
    """

    def __init__(
        self,
        layout: Layout[Any],
        chunker: Chunker,
        name: str | None,
        metadata: Document,
        *,
        is_new_id: bool = True,
    ) -> None:
        self.id = chunker.files_id
        self.file: StoredFile | None = None
        self.closed = False
        self._layout = layout
        self._chunker = chunker
        self._filename = name
        self._metadata = metadata
        self._is_new_id = is_new_id
        self._prepared = False
        self._outside: Any = None
        self._primary: object = None
        self._begun = False
        self._published = False
        self._latest: Document = {}

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
        self._check_open()
        before = self._chunker.length
        async with self.aborting():
            for batch in self._chunker.feed(data):
                await self._send(batch)
        return self._chunker.length - before

    async def close(self) -> StoredFile:
        document = await self.seal()
        async with self.aborting():
            return await self.publish(document)

    async def seal(self, metadata: Mapping[str, Any] | None = None) -> Document:
        self._check_open()
        async with self.aborting():
            await self._prepare()
            if batch := self._chunker.rest():
                await self._send(batch)
        kept = {**self._metadata, **(metadata or {})}
        return self._chunker.files_document(self._filename, kept)

    async def publish(self, document: Document, rename: Rename | None = None) -> StoredFile:
        self._check_open()
        try:
            await self._publish(document, rename)
        except NameTaken:
            raise
        except BaseException:
            await self.abort()
            raise
        self.closed = True
        await self._end_session()
        self.file = StoredFile.from_document(document)
        return self.file

    async def abort(self) -> None:
        if self.closed:
            return
        self.closed = True
        await to_the_end(self._remove_quietly())

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError(f"The upload of {self._filename!r} is closed.")

    async def _prepare(self) -> None:
        if self._prepared:
            return
        await aensure_indexes(self._layout)
        if not self._is_new_id:
            await self._refuse_existing_id()
        self._primary = self._layout.primary()
        self._prepared = True

    async def _refuse_existing_id(self) -> None:
        for collection, query in self._layout.traces(self.id):
            if await collection.find_one(query, {"_id": 1}, session=self._session()) is not None:
                raise already_exists(self.id)

    async def _remove_quietly(self) -> None:
        try:
            await self._remove(published=self._published)
        except PyMongoError as error:
            logger.warning("The chunks of an aborted upload are left for gridfs_gc: %s", error)
        finally:
            await self._end_session()

    async def _remove(self, *, published: bool) -> None:
        if published:
            await removing_async.remove_document(self._layout, self._latest, self._outside)
        if self._begun:
            await removing_async.remove_chunks(self._layout, [self.id], self._outside)

    def _session(self) -> Any:
        if self._outside is None:
            self._outside = self._layout.client.start_session(causal_consistency=False)
        return self._outside

    async def _end_session(self) -> None:
        outside, self._outside = self._outside, None
        if outside is not None:
            await outside.end_session()

    async def _send(self, batch: list[Document]) -> None:
        await self._prepare()
        layout = self._layout
        chunks = layout.early_chunks if joined(layout.client) is None else layout.chunks
        first, self._begun = not self._begun, True
        try:
            if len(batch) == 1:
                await chunks.insert_one(batch[0], session=self._session())
            else:
                await chunks.insert_many(batch, session=self._session())
        except PyMongoError as error:
            if first and is_duplicate(error):
                self._begun = False
                raise already_exists(self.id) from error
            raise

    async def _publish(self, document: Document, rename: Rename | None) -> None:
        layout = self._layout
        within = joined(layout.client)
        self._latest = document
        if within is not None:
            await self._check_nothing_lost()
            self._undo_on_rollback(within)
        while True:
            self._published = within is None or not within.undone_by_rollback
            try:
                session = self._session() if within is None else within.session
                await layout.files.insert_one(document, session=session)
                break
            except DuplicateKeyError as error:
                self._published = False
                if not is_taken_name(error.details):
                    raise already_exists(self.id) from error
                if rename is None or within is not None:
                    raise taken(document["filename"]) from error
                rename(document)
        if within is None:
            await self._check_nothing_lost()

    def _undo_on_rollback(self, within: Joined) -> None:
        published = not within.undone_by_rollback

        async def undo() -> None:
            await self._remove(published=published)

        within.on_rollback(undo)

    @asynccontextmanager
    async def aborting(self) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            await self.abort()
            raise

    async def _check_nothing_lost(self) -> None:
        layout, count = self._layout, self._chunker.count
        if not count or (self._primary is not None and layout.primary() == self._primary):
            return
        async with layout.client.start_session(causal_consistency=False) as outside:
            query = {"files_id": {"$eq": self.id}}
            found = await layout.chunks.count_documents(query, session=outside)
        if found != count:
            raise interrupted(self._filename)
