# Generated from asynchronous/bucket.py by `make synchronous`; edit that.
"""A GridFS bucket, and reading a file's chunks from it, in their order and checked."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from bson import ObjectId
from pymongo import ReadPreference
from pymongo.errors import AutoReconnect, CursorNotFound, DuplicateKeyError
from pymongo.synchronous.collection import Collection

from djongo_services.storage.bucket import queries
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.bucket.layout import (
    BucketOptions,
    Change,
    Layout,
    NewFile,
    checked_name,
    kept_metadata,
)
from djongo_services.storage.bucket.ranges import RangeReader
from djongo_services.storage.bucket.sources import Source, pieces
from djongo_services.storage.bucket.synchronous import many, removing
from djongo_services.storage.bucket.synchronous.uploading import UploadStream
from djongo_services.storage.errors import CorruptFile, file_changed, name_taken
from djongo_services.transaction.uninterrupted import uninterrupted


class Bucket(BucketOptions[Collection[Document]]):
    """Files in chunks, as the GridFS specification defines them, so that any GridFS tool can read
    them.

    Inside a transaction (of ``atomic`` or ``aatomic``, of the backend's own, or of a bound session)
    a file is part of it: it appears with the commit, and a rollback leaves nothing of it. Every
    method that needs a file raises NoFile when it does not exist. An AsyncBucket belongs to the
    event loop of its client.
    """

    def open_upload(
        self,
        filename: str | None,
        *,
        id: Any = None,
        chunk_size: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        content_type: str = "",
    ) -> UploadStream:
        """A stream to write to. Nothing is sent before it has a full batch."""
        chunker = self._chunker(id, chunk_size)
        kept = kept_metadata(metadata, content_type)
        return UploadStream(
            self.layout, chunker, checked_name(filename), kept, is_new_id=id is None
        )

    def upload(self, filename: str | None, source: Source, **options: Any) -> StoredFile:
        """Store ``source``: bytes, a binary file, or an iterable of bytes.

        An AsyncBucket also takes an asynchronous iterable. ``options`` are those of
        :meth:`open_upload`. An error in the source leaves nothing behind.
        """
        with self.open_upload(filename, **options) as stream:
            for piece in pieces(source):
                stream.write(piece)
            return stream.close()

    def upload_many(
        self,
        items: Iterable[tuple[str | None, bytes]],
        *,
        metadata: Mapping[str, Any] | None = None,
        content_type: str = "",
    ) -> list[StoredFile]:
        """Store many small files with few commands: (filename, content) each.

        They are stored in batches. When a batch fails, nothing of it is left, and the batches
        before it stay, unless a transaction is open.
        """
        kept = kept_metadata(metadata, content_type)
        new = ((ObjectId(), filename, content, kept) for filename, content in items)
        return many.upload_many(self.layout, self.chunk_size, new)

    def upload_new(
        self,
        items: Iterable[NewFile],
        *,
        complete: Change | None = None,
        rename: Change | None = None,
    ) -> list[StoredFile]:
        """The same, with metadata for each of them; see :func:`many.upload_many`."""
        return many.upload_many(
            self.layout, self.chunk_size, items, complete=complete, rename=rename
        )

    def get(self, id: Any) -> StoredFile:
        document = self.files.find_one({"_id": {"$eq": id}}, session=self.session())
        if document is None:
            raise queries.no_id(id)
        return StoredFile.from_document(document)

    def get_by_name(self, filename: str, revision: int = -1) -> StoredFile:
        """The newest file of that name; 0 is the oldest, -2 the one before the newest."""
        query = queries.revision(filename, revision)
        document = self.files.find_one(**query, session=self.session())
        if document is None:
            raise queries.no_name(filename, revision)
        return StoredFile.from_document(document)

    def find(
        self,
        filter: Mapping[str, Any] | None = None,
        *,
        sort: Mapping[str, int] | None = None,
        skip: int = 0,
        limit: int = 0,
        batch_size: int = 1_000,
    ) -> Iterator[StoredFile]:
        """Files by a query on their files documents. Closing the generator frees the cursor."""
        options: dict[str, Any] = {"skip": skip, "limit": limit, "batch_size": batch_size}
        query = self.files.find(filter, sort=sort, session=self.session(), **options)
        with query as cursor:
            for document in cursor:
                yield StoredFile.from_document(document)

    def read(
        self, file: StoredFile, start: int = 0, stop: int | None = None
    ) -> Generator[bytes, None]:
        """Yield the bytes [start, stop) in pieces of at most a chunk; see :func:`read_chunks`.

        Closing the generator frees the cursor.
        """
        return uninterrupted(read_chunks(self.layout, file, start, stop))

    def read_bytes(self, file: StoredFile) -> bytes:
        """The whole content, in memory."""
        return b"".join(list(self.read(file)))

    def delete(self, id: Any) -> None:
        """Delete a file. If there is no file with this id, its remaining chunks are removed and
        NoFile is raised."""
        if not removing.delete_files(self.layout, [id]):
            raise queries.no_id(id)

    def delete_many(self, ids: Sequence[Any]) -> int:
        """Delete files, a thousand with each pair of commands, and return how many there were."""
        return removing.delete_files(self.layout, ids)

    def delete_if(self, id: Any, condition: Mapping[str, Any]) -> bool:
        """Delete a file whose files document matches ``condition`` at that moment."""
        return removing.delete_if(self.layout, id, condition)

    def rename(self, id: Any, filename: str) -> None:
        """Raises NameTaken if names are exclusive and another file has the name."""
        change = {"$set": {"filename": checked_name(filename)}}
        query = {"_id": {"$eq": id}}
        try:
            found = self.files.update_one(query, change, session=self.session())
        except DuplicateKeyError as error:
            raise name_taken(filename) from error
        if not found.matched_count:
            raise queries.no_id(id)


# Reading a file's chunks from a bucket, in their order and checked.
def read_chunks(
    layout: Layout[Any], file: StoredFile, start: int = 0, stop: int | None = None
) -> Generator[bytes, None]:
    """Yield the bytes [start, stop) in pieces of at most a chunk.

    The read is outside of any transaction: chunks never change under one id, and those of a file
    that the open transaction itself uploaded are not in its snapshot. Closing the generator frees
    the cursor. Raises CorruptFile, and FileChanged when the file is deleted in the meantime.
    """
    reader = RangeReader(file, start, stop)
    chunks = layout.chunks
    while True:
        before = reader.position
        try:
            with closing(_read_part(layout, chunks, file, reader)) as pieces:
                yield from pieces
            return
        except (AutoReconnect, CursorNotFound):
            # The driver repeats a query that an election interrupts, but does not continue its
            # cursor; this does, as long as it makes progress.
            if reader.position == before:
                raise
        except CorruptFile as damage:
            if chunks.read_preference != ReadPreference.PRIMARY:
                # A secondary may not have all chunks of a new file yet.
                chunks = _on_primary(chunks)
            elif _exists(layout, file):
                raise
            else:
                raise file_changed(file.filename, file.id) from damage


def _read_part(
    layout: Layout[Any], chunks: Any, file: StoredFile, reader: RangeReader
) -> Generator[bytes, None]:
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
        found = _on_primary(layout.files).find_one(query, {"_id": 1}, session=outside)
    return found is not None


def _on_primary(collection: Any) -> Any:
    return collection.with_options(read_preference=ReadPreference.PRIMARY)
