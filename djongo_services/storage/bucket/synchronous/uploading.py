# Generated from asynchronous/uploading.py by `make synchronous`; edit that.
"""Uploading a file into a bucket: chunks first, the files document last.

A bucket gets its indexes before its first file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from djongo_services.storage.bucket.chunking import Chunker, Document
from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.bucket.indexes import (
    begun_transaction,
    is_done,
    is_put_off,
    mark_done,
    put_off_until_end,
    wanted_indexes,
)
from djongo_services.storage.bucket.layout import Change, Layout, Rows, server_now
from djongo_services.storage.bucket.synchronous import removing
from djongo_services.storage.errors import (
    NameTaken,
    file_exists,
    is_duplicate,
    is_taken_name,
    name_taken,
    upload_interrupted,
)
from djongo_services.transaction.current import Joined, joined
from djongo_services.transaction.uninterrupted import to_the_end

logger = logging.getLogger("djongo_services.storage")


class UploadStream:
    """Write bytes, then :meth:`close`; the file exists from then on, or never after :meth:`abort`.

    As a context manager it closes, or aborts when its block raises. Chunks are written outside of
    any transaction, under their final id; the files document becomes part of the transaction that
    is open when the stream is closed, and a rollback of that transaction removes the chunks. In an
    event loop, a cancellation first removes what was written.
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
        """``is_new_id``: nothing with that id can exist yet."""
        self.id = chunker.files_id
        self.file: StoredFile | None = None
        """What was stored, once the stream is closed."""
        self.closed = False
        self._layout = layout
        self._chunker = chunker
        self._filename = name
        self._metadata = metadata
        self._is_new_id = is_new_id
        self._prepared = False
        self._outside: Any = None
        """The session of everything that is written outside of transactions."""
        self._primary: object = None
        self._begun = False
        """Whether chunks of this upload may be in the bucket."""
        self._published = False
        """Whether its files document may be in the bucket, outside of any transaction."""
        self._latest: Document = {}
        """The files document of the last attempt to publish."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.closed:
            return
        if error is None:
            self.close()
        else:
            self.abort()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of ``data``, and return its length. When this raises, the upload is aborted."""
        self._check_open()
        before = self._chunker.length
        with self.aborting():
            for batch in self._chunker.feed(data):
                self._send(batch)
        return self._chunker.length - before

    def close(self) -> StoredFile:
        """Make the file exist. Whatever this raises, nothing of the file is left."""
        document = self.seal()
        with self.aborting():
            return self.publish(document)

    def seal(self, metadata: Mapping[str, Any] | None = None) -> Document:
        """Store the last chunks, and return the files document that would make them a file.

        ``metadata`` is what is known of the file only at its end.
        """
        self._check_open()
        with self.aborting():
            self._prepare()
            if batch := self._chunker.rest():
                self._send(batch)
        kept = {**self._metadata, **(metadata or {})}
        return self._chunker.files_document(self._filename, kept, server_now(self._layout.client))

    def publish(
        self, document: Document, rename: Change | None = None, rows: Rows | None = None
    ) -> StoredFile:
        """Insert what :meth:`seal` returned; with ``rows``, until they are rolled back.

        If the bucket's names are exclusive and another client took the name in the meantime,
        ``rename`` gives another one. Without it, and in a transaction, which cannot continue after
        that, NameTaken is raised; then the stream may be published again, or aborted. Any other
        exception aborts it.
        """
        self._check_open()
        try:
            self._publish(document, rename)
        except NameTaken:
            raise
        except BaseException:
            self.abort()
            raise
        self.closed = True
        self._end_session()
        self.file = StoredFile.from_document(document)
        if rows is not None:
            self._wait_for(rows)
        return self.file

    def withdrawn(self) -> None:
        """Record that the published files document was removed by another client."""
        removing.remove_chunks(self._layout, [self.id])

    def abort(self) -> None:
        """Remove what was written. If that fails, the collector removes it later."""
        if self.closed:
            return
        self.closed = True
        to_the_end(self._remove_quietly)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError(f"The upload of {self._filename!r} is closed.")

    def _prepare(self) -> None:
        if self._prepared:
            return
        ensure_indexes(self._layout)
        if not self._is_new_id:
            self._refuse_existing_id()
        self._primary = self._layout.primary()
        self._prepared = True

    def _refuse_existing_id(self) -> None:
        for collection, query in self._layout.traces(self.id):
            if collection.find_one(query, {"_id": 1}, session=self._session()) is not None:
                raise file_exists(self.id)

    def _remove_quietly(self) -> None:
        try:
            self._remove(published=self._published)
        except PyMongoError as error:
            logger.warning("The chunks of an aborted upload are left for gridfs_gc: %s", error)
        finally:
            self._end_session()

    def _remove(self, *, published: bool) -> None:
        # The files document first, and only if it is this upload's.
        if published:
            removing.remove_document(self._layout, self._latest, self._outside)
        if self._begun:
            removing.remove_chunks(self._layout, [self.id], self._outside)

    def _session(self) -> Any:
        if self._outside is None:
            self._outside = self._layout.client.start_session(causal_consistency=False)
        return self._outside

    def _end_session(self) -> None:
        outside, self._outside = self._outside, None
        if outside is not None:
            outside.end_session()

    def _send(self, batch: list[Document]) -> None:
        self._prepare()
        layout = self._layout
        # In a transaction they wait for their majority: the commit may go to another primary.
        chunks = layout.early_chunks if joined(layout.client) is None else layout.chunks
        first, self._begun = not self._begun, True
        try:
            if len(batch) == 1:  # Most files; this costs the driver less than a batch.
                chunks.insert_one(batch[0], session=self._session())
            else:
                chunks.insert_many(batch, session=self._session())
        except PyMongoError as error:
            if first and is_duplicate(error):
                self._begun = False  # The chunks belong to another file.
                raise file_exists(self.id) from error
            raise

    def _publish(self, document: Document, rename: Change | None) -> None:
        layout = self._layout
        within = joined(layout.client)
        self._latest = document
        if within is not None:
            self._check_nothing_lost()
            self._undo_on_rollback(within)
        while True:
            self._published = within is None or not within.undone_by_rollback
            try:
                session = self._session() if within is None else within.session
                layout.files.insert_one(document, session=session)
                break
            except DuplicateKeyError as error:
                self._published = False
                if not is_taken_name(error.details):
                    raise file_exists(self.id) from error
                if rename is None or within is not None:
                    raise name_taken(document["filename"]) from error
                rename(document)
        if within is None:
            self._check_nothing_lost()

    def _undo_on_rollback(self, within: Joined) -> None:
        """Remove the files document too: without transactions a rollback does not undo it."""
        published = not within.undone_by_rollback

        def undo() -> None:
            self._remove(published=published)

        within.on_rollback(undo)

    def _wait_for(self, rows: Rows) -> None:
        rows.saved(self.id)

    @contextmanager
    def aborting(self) -> Iterator[None]:
        """Abort when the block raises."""
        try:
            yield
        except BaseException:
            self.abort()
            raise

    def _check_nothing_lost(self) -> None:
        """Check whether a change of the primary lost chunks that no majority had yet."""
        layout, count = self._layout, self._chunker.count
        if not count or (self._primary is not None and layout.primary() == self._primary):
            return
        query = {"files_id": {"$eq": self.id}}
        with layout.client.start_session(causal_consistency=False) as outside:
            found = layout.chunks.count_documents(query, session=outside)
        if found != count:
            raise upload_interrupted(self._filename)


# The indexes of a bucket, which are created before its first file.
def ensure_indexes(layout: Layout[Any]) -> None:
    """Create the indexes, outside of any transaction. Nothing is sent once this process has seen
    them.

    If an index cannot be created, files are written without it and a warning says why; other errors
    of PyMongo are raised. An index that an open transaction prevents, or that the transaction could
    not continue after, is created when it has ended.
    """
    if is_done(layout):
        return
    within = begun_transaction(layout)
    if is_put_off(layout, within):
        return
    complete = True
    with layout.client.start_session(causal_consistency=False) as outside:
        for wanted in wanted_indexes(layout):
            collection = wanted.collection
            try:
                indexes = collection.list_indexes(session=outside)
                if wanted.is_among(indexes.to_list()):
                    continue
                if wanted.may_be_created(within):
                    how = wanted.how(within)
                    collection.create_index(wanted.keys, session=outside, **how)
                else:
                    complete = False
            except OperationFailure as error:
                complete = wanted.failed(within, error) and complete

    def again() -> None:
        ensure_indexes(layout)

    if complete:
        mark_done(layout)
    elif within is not None:
        put_off_until_end(layout, within, again)
