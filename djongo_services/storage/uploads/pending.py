"""An upload that no storage has saved yet, and its entry in ``<bucket>.uploads``.

During an upload, its chunks belong to no file. The entry protects them from the collector, and
records their last activity, so that the chunks of a process that died can be distinguished from
those of one that waits for its client.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from pymongo import WriteConcern
from pymongo.errors import PyMongoError

from djongo_services.storage.bucket import StoredFile, UploadStream
from djongo_services.storage.bucket.chunking import Chunker, Document
from djongo_services.storage.bucket.layout import Change, Layout, Rows, server_now
from djongo_services.storage.bucket.synchronous import removing
from djongo_services.storage.errors import UploadInterrupted
from djongo_services.transaction.current import Joined, joined

logger = logging.getLogger("djongo_services.storage")


class HeldUpload(UploadStream):
    """An upload whose chunks stay until it is published or ended, whatever the result of an attempt
    to publish it.

    A rollback makes it a held upload again, for the next attempt of the same request.
    """

    def __init__(self, layout: Layout[Any], chunker: Chunker, name: str, metadata: Document):
        super().__init__(layout, chunker, name, {})
        self.ended = False
        self._entry = Entry(layout, chunker.files_id, name, metadata)
        self._document: Document = {}

    def seal(self, metadata: Mapping[str, Any] | None = None) -> Document:
        self._document = super().seal(metadata)
        return self.document()

    def document(self) -> Document:
        """A new files document for each attempt, with its current date."""
        metadata = dict(self._document["metadata"])
        at = server_now(self._layout.client)
        return {**self._document, "uploadDate": at, "metadata": metadata}

    def publish(
        self, document: Document, rename: Change | None = None, rows: Rows | None = None
    ) -> StoredFile:
        """Raises UploadInterrupted, too, if the collector removed the upload."""
        self._entry.claim()
        stored = super().publish(document, rename, rows)
        if rows is None:
            self._remove_entry()
        return stored

    def withdrawn(self) -> None:
        """Hold the upload again."""
        self._undo(published=False)

    def abort(self) -> None:
        """Do nothing, because nothing was published; :meth:`end` removes the chunks."""
        if self._published and not self.closed:
            self._published = False
            self._removing(self._remove_files_document)

    def end(self) -> None:
        """Remove the upload, unless it was published: its sender has received the response."""
        if self.ended:
            return
        self.ended = True
        if not self.closed:
            self._removing(self._remove_chunks)
        self._end_session()

    def _send(self, batch: list[Document]) -> None:
        self._entry.keep(self._chunker.length)
        super()._send(batch)

    def _wait_for(self, rows: Rows) -> None:
        rows.saved(self.id, undo=self._withdraw, settled=self._remove_entry)

    def _withdraw(self) -> None:
        within = joined(self._layout.client)
        removing.remove_document(self._layout, self._latest, within and within.session)
        self.withdrawn()

    def _remove_entry(self) -> None:
        within = joined(self._layout.client)
        if within is None:
            self._entry.remove()
        else:
            within.on_commit(self._entry.remove)

    def _undo_on_rollback(self, within: Joined) -> None:
        published = not within.undone_by_rollback
        within.on_rollback(lambda: self._undo(published=published))

    def _undo(self, *, published: bool) -> None:
        self.closed = self._published = False
        self.file = None
        if published:
            self._remove_files_document()
        if self.ended:
            self._remove_chunks()

    def _remove_files_document(self) -> None:
        """Remove what an insert left whose outcome is unknown, or that no rollback undoes."""
        removing.remove_document(self._layout, self._latest)

    def _remove_chunks(self) -> None:
        if self._begun:
            removing.remove_chunks(self._layout, [self.id])
            self._entry.remove()

    def _removing(self, remove: Any) -> None:
        try:
            remove()
        except PyMongoError as error:
            logger.warning("An upload that was given up is left for gridfs_gc: %s", error)


# The entry of an upload in ``<bucket>.uploads``.
TOUCH_SECONDS = 30.0
"""The greatest age that the entry of an active upload may have."""


class Entry:
    """An entry that is written with the first chunks, outside of any transaction.

    Code that removes a stale upload must remove its entry first, and only if it is still as old:
    ``{"_id": ..., "touchedAt": {"$lt": ...}}``.
    """

    def __init__(self, layout: Layout[Any], id: Any, filename: str | None, metadata: Document):
        self._layout = layout
        self._id = id
        self._filename = filename
        self._metadata = metadata
        self._touched: float | None = None
        """The time of the last update, by the monotonic clock; None before the first chunks."""

    def keep(self, length: int) -> None:
        """Renew the entry before more chunks are written; ``length`` is the number of bytes
        including them.

        Raises UploadInterrupted if the collector removed the upload as abandoned.
        """
        if self._touched is None:
            self._insert(length)
        elif time.monotonic() - self._touched >= TOUCH_SECONDS:
            self._touch({"length": length})
        else:
            return
        self._touched = time.monotonic()

    def claim(self) -> None:
        """Protect the chunks from the collector for its grace period, or raise UploadInterrupted if
        it has removed them already."""
        if self._touched is not None:
            self._touch({})

    def remove(self) -> None:
        """Remove the entry. If that fails, the collector removes it later."""
        if self._touched is None:
            return
        try:
            with self._outside() as session:
                self._uploads().delete_one({"_id": self._id}, session=session)
        except PyMongoError as error:
            logger.warning("The entry of an upload is left for gridfs_gc: %s", error)

    def _insert(self, length: int) -> None:
        moment = server_now(self._layout.client)
        document = {
            "_id": self._id,
            "filename": self._filename,
            "startedAt": moment,
            "touchedAt": moment,
            "length": length,
            "metadata": self._metadata,
        }
        with self._outside() as session:
            self._uploads().insert_one(document, session=session)

    def _touch(self, change: Document) -> None:
        change = {"$set": {"touchedAt": server_now(self._layout.client), **change}}
        with self._outside() as session:
            found = self._uploads().update_one({"_id": self._id}, change, session=session)
        if not found.matched_count:
            raise UploadInterrupted(
                f"The upload of {self._filename!r} lay still for so long that gridfs_gc removed it;"
                f" send it again."
            )

    def _outside(self) -> Any:
        return self._layout.client.start_session(causal_consistency=False)

    def _uploads(self) -> Any:
        # If an election loses an entry, the chunks' own age still protects them.
        return self._layout.uploads.with_options(write_concern=WriteConcern(w=1))
