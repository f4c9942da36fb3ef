"""A GridFS bucket on PyMongo's MongoClient."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from djongo_services.storage.bucket import many, querying, reading, removing
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.bucket.options import BucketOptions, checked_name, kept_metadata
from djongo_services.storage.bucket.sources import Source, pieces
from djongo_services.storage.bucket.uploading import UploadStream, taken


class Bucket(BucketOptions[Collection[Document]]):
    """Files in chunks, by the GridFS specification, so that any GridFS tool reads what this writes.

    Inside a transaction (of ``atomic``, of the backend's own, or of a bound session) a file is
    part of it: it appears with the commit, and a rollback leaves nothing of it. Whatever needs a
    file that is not there raises NoFile.
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
        """A stream to write to; nothing is sent before it has a batch."""
        chunker = self._chunker(id, chunk_size)
        kept = kept_metadata(metadata, content_type)
        return UploadStream(
            self.layout, chunker, checked_name(filename), kept, is_new_id=id is None
        )

    def upload(self, filename: str | None, source: Source, **options: Any) -> StoredFile:
        """Store ``source``: bytes, a binary file, or an iterable of bytes.

        ``options`` are those of :meth:`open_upload`. An error in the source leaves nothing behind.
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

        They are stored in batches: when one fails, nothing of it is left, and the batches before it
        stay, unless a transaction is open.
        """
        kept = kept_metadata(metadata, content_type)
        new = ((filename, content, kept) for filename, content in items)
        return many.upload_many(self.layout, self.chunk_size, new)

    def upload_new(
        self,
        items: Iterable[many.NewFile],
        *,
        complete: many.Change | None = None,
        rename: many.Change | None = None,
    ) -> list[StoredFile]:
        """The same, with metadata for each of them; see :func:`many.upload_many`."""
        return many.upload_many(
            self.layout, self.chunk_size, items, complete=complete, rename=rename
        )

    def get(self, id: Any) -> StoredFile:
        document = self.files.find_one({"_id": {"$eq": id}}, session=self.session())
        if document is None:
            raise querying.no_id(id)
        return StoredFile.from_document(document)

    def get_by_name(self, filename: str, revision: int = -1) -> StoredFile:
        """The newest file of that name; 0 is the oldest, -2 the one before the newest."""
        query = querying.revision(filename, revision)
        document = self.files.find_one(**query, session=self.session())
        if document is None:
            raise querying.no_name(filename, revision)
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
    ) -> Generator[bytes, None, None]:
        """The bytes [start, stop) in pieces of at most a chunk; see :func:`reading.read`."""
        return reading.read(self.layout, file, start, stop)

    def read_bytes(self, file: StoredFile) -> bytes:
        """All of it, in memory."""
        return b"".join(self.read(file))

    def delete(self, id: Any) -> None:
        """Chunks of a file that is not there are removed all the same."""
        if not removing.delete_files(self.layout, [id]):
            raise querying.no_id(id)

    def delete_many(self, ids: Sequence[Any]) -> int:
        """How many of them there were; a thousand with each pair of commands."""
        return removing.delete_files(self.layout, ids)

    def delete_if(self, id: Any, condition: Mapping[str, Any]) -> bool:
        """Delete a file whose files document matches ``condition`` at that moment."""
        return removing.delete_if(self.layout, id, condition)

    def rename(self, id: Any, filename: str) -> None:
        """Raises NameTaken where names are exclusive and another file has it."""
        change = {"$set": {"filename": checked_name(filename)}}
        try:
            found = self.files.update_one({"_id": {"$eq": id}}, change, session=self.session())
        except DuplicateKeyError as error:
            raise taken(filename) from error
        if not found.matched_count:
            raise querying.no_id(id)
