"""How what was uploaded becomes a file of a storage, by the storage's options."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import DuplicateKeyError

from djongo_services.storage import queries, sharing
from djongo_services.storage.async_gridfs import AsyncReading
from djongo_services.storage.bucket import StoredFile, UploadStream
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.uploading import taken
from djongo_services.storage.errors import NameTaken
from djongo_services.transaction.joining import joined

LONGEST_NAME: ContextVar[int | None] = ContextVar("djongo_services_longest_name", default=None)
"""``max_length`` of the save that is under way."""


class Publishing(AsyncReading):
    """A storage that has names of its own, others' or shared ones."""

    def _publish(self, stream: UploadStream, document: Document, *, may_rename: bool = True) -> str:
        """Make what was uploaded a file of the storage; the filename that it got."""
        with stream.aborting():
            if self.options.allow_overwrite:
                return str(self._publish_in_place(stream, document).filename)
            if self.options.deduplicate:
                return self._publish_shared(stream, document, may_rename=may_rename)
            document["metadata"]["exclusive"] = True
            rename = self._take_other_name if may_rename else None
            return str(stream.publish(document, rename).filename)

    def _session(self) -> Any:
        return self.bucket.session()

    def _publish_in_place(self, stream: UploadStream, document: Document) -> StoredFile:
        """As the newest revision; a reader finds the one or the other at any moment."""
        if self.options.deduplicate:
            sharing.make_shareable(document, exclusive=False)
        self._make_newest(document)
        stored = stream.publish(document)
        if not self.options.keep_revisions:
            self._remove_superseded(stored)
        if not self.options.allow_overwrite:
            self._make_exclusive(stored)
        return stored

    def _make_newest(self, document: Document) -> None:
        """Newer than what is there, also when the clock of whoever stored that is ahead."""
        newest = self.bucket.files.find_one(
            self.named(document["filename"]),
            {"uploadDate": 1},
            sort=queries.NEWEST_FIRST,
            session=self._session(),
        )
        date = newest and newest.get("uploadDate")
        if isinstance(date, datetime) and date >= document["uploadDate"]:
            document["uploadDate"] = date + timedelta(milliseconds=1)

    def _remove_superseded(self, stored: StoredFile) -> None:
        # Whoever looks last sees the files of all who race, and leaves the newest alone.
        filename = str(stored.filename)
        found = self.bucket.files.find(
            self.named(filename),
            {"_id": 1},
            sort=queries.NEWEST_FIRST,
            skip=1,
            session=self._session(),
        )
        ids = [document["_id"] for document in found]
        if self.options.deduplicate:
            for files_id in ids:
                self._drop_name(filename, files_id)
        elif ids:
            self.bucket.delete_many(ids)

    def _make_exclusive(self, stored: StoredFile) -> None:
        files_, query = self.bucket.files, {"_id": {"$eq": stored.id}}
        within = joined(self.bucket.layout.client)
        if within is not None and not within.undone_by_rollback:
            # So that what it replaced can be put back beside it.
            back = {"$unset": {"metadata.exclusive": 1}}
            within.on_rollback(lambda: files_.update_one(query, back))
        change = {"$set": {"metadata.exclusive": True}}
        try:
            files_.update_one(query, change, session=self._session())
        except DuplicateKeyError:
            if self._session() is not None:
                raise
            # Somebody else replaced it at the same time; that file is the exclusive one now.

    def _publish_shared(self, stream: UploadStream, document: Document, *, may_rename: bool) -> str:
        """As one more name of the file that has the same content, or as its first."""
        sharing.make_shareable(document, exclusive=True)
        while True:
            try:
                if self._join(document):
                    break
                return str(stream.publish(document).filename)
            except NameTaken:
                if self._session() is not None or not may_rename:
                    raise
                self._take_other_name(document)
        stream.abort()
        return str(document["filename"])

    def _join(self, document: Document) -> bool:
        """Whether there was a file of the same content, which has the document's name now too."""
        filename, files_ = document["filename"], self.bucket.files
        within = joined(self.bucket.layout.client)
        try:
            found = files_.find_one_and_update(
                sharing.same_content(document),
                sharing.add_name(filename),
                {"_id": 1},
                session=self._session(),
            )
        except DuplicateKeyError as error:
            raise taken(filename) from error
        if found is not None and within is not None and not within.undone_by_rollback:
            within.on_rollback(lambda: self._drop_name(filename, found["_id"]))
        return found is not None

    def _drop_name(self, filename: str, files_id: Any) -> None:
        """Take a name from a file, which is deleted with its last one."""
        query = {**self.named(filename), "_id": {"$eq": files_id}}
        files_, within = self.bucket.files, joined(self.bucket.layout.client)
        found = files_.find_one_and_update(
            query,
            sharing.drop_name(filename),
            return_document=True,
            session=self._session(),
        )
        if found is None:
            return
        if within is not None and not within.undone_by_rollback:
            again = sharing.add_name(filename)
            within.on_rollback(lambda: files_.update_one({"_id": {"$eq": files_id}}, again))
        if sharing.has_no_name(found):
            # Unless somebody gave it a new name meanwhile.
            self.bucket.delete_if(files_id, sharing.NAMELESS)

    def _take_other_name(self, document: Document) -> None:
        """After somebody else was faster."""
        name = self.place.name(document["filename"])
        other = self.get_available_name(name, max_length=LONGEST_NAME.get())
        document["filename"] = self.full_name(other)
        sharing.follow_filename(document)
