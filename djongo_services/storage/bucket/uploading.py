"""A file on its way into a bucket: chunks first, the files document last."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeAlias

from pymongo.errors import DuplicateKeyError, PyMongoError

from djongo_services.storage.bucket import removing
from djongo_services.storage.bucket.chunking import Chunker, Document
from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.bucket.indexes import ensure_indexes
from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.errors import FileExists, NameTaken, UploadInterrupted
from djongo_services.transaction.joining import Joined, joined

logger = logging.getLogger("djongo_services.storage")

Rename: TypeAlias = Callable[[Document], None]
"""Gives a files document, whose filename was taken, another one."""


class UploadStream:
    """Write bytes, then :meth:`close`; until then there is no file, after :meth:`abort` never.

    As a context manager it closes, or aborts when its block raises. Chunks are written outside of
    any transaction, under their final id; the files document goes into the transaction that is
    open when the stream is closed, and a rollback of that removes the chunks.
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
        """``is_new_id``: there cannot be anything of that id yet."""
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
        """The session of all that is written outside of transactions."""
        self._primary: object = None
        self._begun = False
        """Whether chunks of this upload may be in the bucket."""
        self._published = False
        """Whether its files document may be, outside of any transaction."""
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
        """The number of bytes taken: all of them. When this raises, the upload is aborted."""
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
        """Store the last chunks; the files document that would make them a file.

        ``metadata`` is what is known of the file at its end only.
        """
        self._check_open()
        with self.aborting():
            self._prepare()
            if batch := self._chunker.rest():
                self._send(batch)
        kept = {**self._metadata, **(metadata or {})}
        return self._chunker.files_document(self._filename, kept)

    def publish(self, document: Document, rename: Rename | None = None) -> StoredFile:
        """Insert what :meth:`seal` gave.

        Where the bucket's names are exclusive and somebody else was faster, ``rename`` gives
        another; without it, and in a transaction, which cannot go on after that, NameTaken. Then
        the stream may be published again, or aborted; anything else that this raises aborts it.
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
        return self.file

    def abort(self) -> None:
        """Remove what was written; an upload that cannot is left to the collector."""
        if self.closed:
            return
        self.closed = True
        try:
            self._remove(published=self._published)
        except PyMongoError as error:
            logger.warning("The chunks of an aborted upload are left for gridfs_gc: %s", error)
        finally:
            self._end_session()

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
                raise already_exists(self.id)

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
            if len(batch) == 1:  # As of most files; it costs the driver less than a batch.
                chunks.insert_one(batch[0], session=self._session())
            else:
                chunks.insert_many(batch, session=self._session())
        except PyMongoError as error:
            if first and is_duplicate(error):
                self._begun = False  # They are another file's.
                raise already_exists(self.id) from error
            raise

    def _publish(self, document: Document, rename: Rename | None) -> None:
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
                    raise already_exists(self.id) from error
                if rename is None or within is not None:
                    raise taken(document["filename"]) from error
                rename(document)
        if within is None:
            self._check_nothing_lost()

    def _undo_on_rollback(self, within: Joined) -> None:
        """The files document too: without transactions a rollback does not undo it."""
        published = not within.undone_by_rollback
        within.on_rollback(lambda: self._remove(published=published))

    @contextmanager
    def aborting(self) -> Iterator[None]:
        """Abort when the block raises."""
        try:
            yield
        except BaseException:
            self.abort()
            raise

    def _check_nothing_lost(self) -> None:
        """Look whether a change of the primary took chunks that no majority had yet."""
        layout, count = self._layout, self._chunker.count
        if not count or (self._primary is not None and layout.primary() == self._primary):
            return
        with layout.client.start_session(causal_consistency=False) as outside:
            found = layout.chunks.count_documents({"files_id": {"$eq": self.id}}, session=outside)
        if found != count:
            raise interrupted(self._filename)


def is_taken_name(error: Mapping[str, Any] | None) -> bool:
    """``error`` as the server tells it."""
    pattern = (error or {}).get("keyPattern") or {}
    return "filename" in pattern or "metadata.aliases.name" in pattern


def taken(filename: str | None) -> NameTaken:
    return NameTaken(
        f"Somebody else stored a file {filename!r} at the same time; try again to get another name."
    )


def is_duplicate(error: PyMongoError) -> bool:
    """Of an insert that stopped at its first document."""
    details = getattr(error, "details", None) or {}
    errors = details.get("writeErrors") or [details]
    return bool(errors[0].get("code") == 11000 and errors[0].get("index", 0) == 0)


def already_exists(files_id: Any) -> FileExists:
    return FileExists(f"A file with the id {files_id!r} exists already; it was left as it is.")


def interrupted(filename: str | None) -> UploadInterrupted:
    return UploadInterrupted(
        f"The primary changed while {filename!r} was uploaded, and a part of it was lost; nothing "
        f"was stored, upload it again."
    )
