"""How an upload becomes a file of a storage, depending on the storage's options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import DuplicateKeyError

from djongo_services.storage import sharing
from djongo_services.storage.base import BucketStorage
from djongo_services.storage.bucket import StoredFile, UploadStream, queries
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.layout import server_now
from djongo_services.storage.errors import NameTaken, name_taken
from djongo_services.storage.following.aliases import followed
from djongo_services.storage.following.blocks import is_sql
from djongo_services.storage.following.rows import FollowedRows, hidden_names, is_anothers, rows_of
from djongo_services.transaction.current import apart, joined

LONGEST_NAME: ContextVar[int | None] = ContextVar("djongo_services_longest_name", default=None)
"""The ``max_length`` of the save in progress."""


class Publishing(BucketStorage):
    """A storage that chooses names, and may replace or share files."""

    # Reading:

    def _session(self) -> Any:
        return self.bucket.session()

    def _beside(self, filename: str) -> AbstractContextManager[None]:
        return self.beside(filename, self.bucket.layout.client)

    def _all(self, filename: str) -> list[Document]:
        """All revisions that a reader sees, the newest first."""
        found = list(
            self.bucket.files.find(
                self.current(filename), sort=queries.NEWEST_FIRST, session=self._session()
            )
        )
        return [each for each in found if not is_anothers(each)] or found

    def _contents(self, folder: str) -> list[Document]:
        """The direct contents of a folder, and whether each is a folder."""
        files_, session = self.bucket.files, self._session()
        hidden = hidden_names(self)
        if not self.options.deduplicate:
            ids = [files_id for some in hidden.values() for files_id in some]
            return list(files_.aggregate(queries.folder_contents(folder, ids=ids), session=session))
        pipelines = (
            queries.folder_contents(folder, names=hidden),
            queries.shared_folder_contents(folder, hidden),
        )
        return [each for some in pipelines for each in files_.aggregate(some, session=session)]

    # Writing:

    @contextmanager
    def _following(self) -> Iterator[FollowedRows | None]:
        """Write files in the block, and postpone what must wait for the rows' transaction.

        If a row in SQL decides about a file, it is kept out of MongoDB's transaction.
        """
        decides = followed(self.options.follow)
        if not is_sql(decides.alias):
            yield None
            return
        rows = rows_of(decides, self)
        if not decides.sure:
            yield rows
            return
        with apart():
            yield rows

    def _publish(self, stream: UploadStream, document: Document, *, may_rename: bool = True) -> str:
        """Make the upload a file of the storage, and return the filename that it got."""
        with stream.aborting(), self._following() as rows:
            name = self._publish_as(stream, document, rows, may_rename=may_rename)
            self.leave_out(name)
            return name

    def _publish_as(
        self,
        stream: UploadStream,
        document: Document,
        rows: FollowedRows | None,
        *,
        may_rename: bool,
    ) -> str:
        if self.options.allow_overwrite:
            return str(self._publish_in_place(stream, document, rows).filename)
        if self.options.deduplicate:
            return self._publish_shared(stream, document, rows, may_rename=may_rename)
        document["metadata"]["exclusive"] = True
        _mark(document, rows)
        rename = self._take_other_name if may_rename else None
        return str(stream.publish(document, rename, rows).filename)

    def _delete(self, filename: str) -> bool:
        """Delete all revisions of a file, and return whether there were any."""
        with self._following() as rows:
            self.leave_out(filename)
            ids = [each["_id"] for each in self._all(filename)]
            if not ids:
                return False
            if rows is None:
                self._remove(filename, ids)
            elif self.options.deduplicate:
                rows.deleted(filename, ids, lambda: self._remove(filename, ids))
            else:
                rows.deleted(filename, ids)
            return True

    def _remove(self, filename: str, ids: list[Any]) -> None:
        if self.options.deduplicate:
            for files_id in ids:
                self._drop_name(filename, files_id)
        elif ids:
            self.bucket.delete_many(ids)

    def _publish_in_place(
        self, stream: UploadStream, document: Document, rows: FollowedRows | None
    ) -> StoredFile:
        """Publish as the newest revision; at any moment, a reader finds either the old or the new
        one."""
        if self.options.deduplicate:
            sharing.make_shareable(document, exclusive=False)
        self._make_newest(document)
        _mark(document, rows)
        stored = stream.publish(document, rows=rows)
        if rows is None:
            self._finish_in_place(stored)
        else:
            rows.on_commit(lambda: self._finish_in_place(stored))
        return stored

    def _finish_in_place(self, stored: StoredFile) -> None:
        if not self.options.keep_revisions:
            self._remove_superseded(stored)
        if not self.options.allow_overwrite:
            self._make_exclusive(stored)

    def _make_newest(self, document: Document) -> None:
        """Make it newer than the stored revisions, even if another client's clock is ahead."""
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
        # The one that looks last sees the files of all competitors, and keeps only the newest. A
        # file that waits for its row supersedes nothing, and belongs to its own transaction.
        filename = str(stored.filename)
        found = self.bucket.files.find(
            queries.settled(self.named(filename)),
            {"_id": 1},
            sort=queries.NEWEST_FIRST,
            skip=1,
            session=self._session(),
        )
        self._remove(filename, [document["_id"] for document in found])

    def _make_exclusive(self, stored: StoredFile) -> None:
        files_, query = self.bucket.files, {"_id": {"$eq": stored.id}}
        within = joined(self.bucket.layout.client)
        if within is not None and not within.undone_by_rollback:
            # So that the file it replaced can be restored beside it.
            back = {"$unset": {"metadata.exclusive": 1}}
            within.on_rollback(lambda: files_.update_one(query, back))
        change = {"$set": {"metadata.exclusive": True}}
        try:
            files_.update_one(query, change, session=self._session())
        except DuplicateKeyError:
            if self._session() is not None:
                raise
            # Another client replaced it at the same time; that file is the exclusive one now.

    def _publish_shared(
        self,
        stream: UploadStream,
        document: Document,
        rows: FollowedRows | None,
        *,
        may_rename: bool,
    ) -> str:
        """Publish as a further name of the file with the same content, or as its first name."""
        sharing.make_shareable(document, exclusive=True)
        _mark(document, rows)
        undone = rows and rows.undone_by(lambda: self._withdraw_name(stream, document))
        while True:
            try:
                if self._join(document, rows):
                    break
                return str(stream.publish(document, rows=undone).filename)
            except NameTaken:
                if self._session() is not None or not may_rename:
                    raise
                self._take_other_name(document)
        stream.abort()
        return str(document["filename"])

    def _withdraw_name(self, stream: UploadStream, document: Document) -> None:
        """Undo after a rollback: the file is deleted with its name, unless other names have joined
        it."""
        filename, files_ = document["filename"], self.bucket.files
        query = {**sharing.only_name(filename), "_id": {"$eq": stream.id}}
        if files_.find_one_and_delete(query, {"_id": 1}, session=self._session()) is not None:
            stream.withdrawn()
            return
        self._drop_name(filename, stream.id)
        change = {"$unset": {queries.PROVISIONAL: 1}}
        files_.update_one({"_id": {"$eq": stream.id}}, change, session=self._session())

    def _join(self, document: Document, rows: FollowedRows | None) -> bool:
        """Whether there was a file with the same content, which now has the document's name too."""
        filename, files_ = document["filename"], self.bucket.files
        within = joined(self.bucket.layout.client)
        try:
            found = files_.find_one_and_update(
                sharing.same_content(document),
                sharing.add_name(filename, document["uploadDate"]),
                {"_id": 1},
                session=self._session(),
            )
        except DuplicateKeyError as error:
            raise name_taken(filename) from error
        if found is not None and within is not None and not within.undone_by_rollback:
            within.on_rollback(lambda: self._drop_name(filename, found["_id"]))
        if found is not None and rows is not None:
            rows.on_rollback(lambda: self._drop_name(filename, found["_id"]))
        return found is not None

    def _drop_name(self, filename: str, files_id: Any) -> None:
        """Remove a name from a file, which is deleted with its last name."""
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
            again = sharing.add_name(filename, server_now(self.bucket.layout.client))
            within.on_rollback(lambda: files_.update_one({"_id": {"$eq": files_id}}, again))
        if sharing.has_no_name(found):
            # Unless it got a new name in the meantime.
            self.bucket.delete_if(files_id, sharing.NAMELESS)

    def _take_other_name(self, document: Document) -> None:
        """Choose another name, after another client took this one."""
        name = self.place.name(document["filename"])
        other = self.get_available_name(name, max_length=LONGEST_NAME.get())
        document["filename"] = self.full_name(other)
        sharing.follow_filename(document)


def _mark(document: Document, rows: FollowedRows | None) -> None:
    if rows is not None:
        document["metadata"]["provisional"] = rows.alias
