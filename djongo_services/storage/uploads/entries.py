"""The entry of an upload in ``<bucket>.uploads``, which keeps the collector away from its chunks.

While an upload goes on, its chunks belong to no file. The entry says since when nobody touched
them, so that those of a process that died can be told from those of one that waits for its client.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from pymongo import WriteConcern
from pymongo.errors import PyMongoError

from djongo_services.storage.bucket.chunking import Document, now
from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.errors import UploadInterrupted

logger = logging.getLogger("djongo_services.storage")

TOUCH_SECONDS = 30.0
"""How old an upload that goes on may look."""


class Entry:
    """Written with the first chunks; everything outside of any transaction.

    Whoever removes a stale upload must remove its entry first, and only if it is as old as it was:
    ``{"_id": ..., "touchedAt": {"$lt": ...}}``.
    """

    def __init__(self, layout: Layout[Any], id: Any, filename: str | None, metadata: Document):
        self._layout = layout
        self._id = id
        self._filename = filename
        self._metadata = metadata
        self._touched: float | None = None
        """When, by the monotonic clock; None before the first chunks."""

    def keep(self, length: int) -> None:
        """Before more chunks are written; ``length`` are the bytes with them.

        Raises UploadInterrupted when the collector took the upload for one that nobody goes on
        with.
        """
        if self._touched is None:
            self._insert(length)
        elif time.monotonic() - self._touched >= TOUCH_SECONDS:
            self._touch({"length": length})
        else:
            return
        self._touched = time.monotonic()

    def claim(self) -> None:
        """From here on the collector leaves the chunks alone for its grace period, or raises
        UploadInterrupted when it was faster."""
        if self._touched is not None:
            self._touch({})

    def remove(self) -> None:
        """What cannot be removed is left to the collector."""
        if self._touched is None:
            return
        try:
            with self._outside() as session:
                self._uploads().delete_one({"_id": self._id}, session=session)
        except PyMongoError as error:
            logger.warning("The entry of an upload is left for gridfs_gc: %s", error)

    def _insert(self, length: int) -> None:
        moment = now()
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
        change = {"$set": {"touchedAt": now(), **change}}
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
        # Should an election lose an entry, the chunks' own age still protects them.
        return self._layout.uploads.with_options(write_concern=WriteConcern(w=1))
