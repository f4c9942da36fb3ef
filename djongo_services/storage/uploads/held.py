"""An upload that nobody has asked for yet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pymongo.errors import PyMongoError

from djongo_services.storage.bucket import StoredFile, UploadStream, removing
from djongo_services.storage.bucket.chunking import Chunker, Document, now
from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.bucket.uploading import Rename
from djongo_services.storage.uploads.entries import Entry
from djongo_services.transaction.joining import Joined, joined

logger = logging.getLogger("djongo_services.storage")


class HeldUpload(UploadStream):
    """Its chunks stay until it is published or ended, whatever becomes of an attempt to publish it.

    A rollback makes it one that is held again, for the next attempt of the same request.
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
        """A files document of its own for each attempt; it is as new as that."""
        metadata = dict(self._document["metadata"])
        return {**self._document, "uploadDate": now(), "metadata": metadata}

    def publish(self, document: Document, rename: Rename | None = None) -> StoredFile:
        """Raises UploadInterrupted, too, when the collector was faster."""
        self._entry.claim()
        stored = super().publish(document, rename)
        within = joined(self._layout.client)
        if within is None:
            self._entry.remove()
        else:
            within.on_commit(self._entry.remove)
        return stored

    def abort(self) -> None:
        """Nothing is published; :meth:`end` removes the chunks."""
        if self._published and not self.closed:
            self._published = False
            self._removing(self._remove_files_document)

    def end(self) -> None:
        """Whoever sent the file has had the answer: remove it, unless it was published."""
        if self.ended:
            return
        self.ended = True
        if not self.closed:
            self._removing(self._remove_chunks)
        self._end_session()

    def _send(self, batch: list[Document]) -> None:
        self._entry.keep(self._chunker.length)
        super()._send(batch)

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
        """Of an insert of which nobody knows whether it was made, or that no rollback undoes."""
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
