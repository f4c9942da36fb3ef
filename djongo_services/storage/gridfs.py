"""``GridFSStorage``: Django's file storage on a GridFS bucket."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterable, Iterator
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from asgiref.sync import sync_to_async
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri
from pymongo.errors import DuplicateKeyError

from djongo_services.storage import files, queries, sharing
from djongo_services.storage.async_gridfs import AsyncReading
from djongo_services.storage.base import as_django_has_it
from djongo_services.storage.bucket import StoredFile, UploadStream
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.indexes import ensure_indexes
from djongo_services.storage.bucket.uploading import taken
from djongo_services.storage.codecs import Chain, plain_size
from djongo_services.storage.codecs.chain import chain_for, decode, has_random_access
from djongo_services.storage.content_types import content_type_of
from djongo_services.storage.encoding import IterableFile, content_pieces, encoded, with_head
from djongo_services.storage.errors import FileExists, NameTaken, NoFile
from djongo_services.storage.held import HeldContent
from djongo_services.storage.reading import StoredFileReader
from djongo_services.transaction.joining import joined

_LONGEST: ContextVar[int | None] = ContextVar("djongo_services_longest_name", default=None)
"""``max_length`` of the save that is under way."""


@deconstructible(path="djongo_services.storage.GridFSStorage")
class GridFSStorage(AsyncReading):
    """Files in a bucket of the connection ``using``, below ``location``.

    A file is part of the transaction in which it is saved or deleted: with ``atomic`` around both,
    it appears with the row that points to it, and after a rollback there is neither.

    Several storages may share a bucket.
    """

    # Django's API:

    def _open(self, name: str, mode: str = "rb") -> files.GridFSFile:
        wanted = files.Mode(mode)
        filename = self.full_name(name)
        reopen = functools.partial(self._open, name)
        if not wanted.writes:
            return files.reading(self.reader(self.stored(name)), name, wanted, reopen)
        if wanted.base == "x":
            self._refuse_existing(name)
        content: Iterator[bytes] = iter(())
        if wanted.keeps_content:
            content = self._content(name, missing_is_fine=wanted.base == "a")

        store = self._create if wanted.base == "x" else self._replace
        keep = functools.partial(store, filename)
        return files.changing(content, name, wanted, keep, reopen)

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """``content`` may also be an iterable of bytes, such as a generator."""
        # Before a transaction looks at the bucket: afterwards it could not use a new index.
        ensure_indexes(self.bucket.layout)
        if not hasattr(content, "chunks") and not hasattr(content, "read"):
            content = IterableFile(content, name)
        token = _LONGEST.set(max_length)
        try:
            saved: str = super().save(name, content, max_length=max_length)
            return saved
        finally:
            _LONGEST.reset(token)

    def _save(self, name: str, content: Any) -> str:
        filename = self.full_name(name)
        held = content.held_for(self) if isinstance(content, HeldContent) else None
        if held is not None:
            kept = content_type_of(self.options.content_type, name, content, held.head)
            held.document["filename"] = filename
            held.document["metadata"]["contentType"] = kept
            return self.place.name(self._publish(held.stream, held.document))
        head, pieces = with_head(content_pieces(content))
        kept = content_type_of(self.options.content_type, name, content, head)
        return self.place.name(self._store(filename, pieces, kept))

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        if self.options.allow_overwrite:
            return not (max_length and len(name) > max_length)
        return super().is_name_available(name, max_length)

    def delete(self, name: str) -> None:
        """All revisions of it; a file that is not there is fine."""
        if not name:
            raise ValueError("The name must be given to delete().")
        filename = self.full_name(name)
        query, session = self.named(filename), self._session()
        ids = [each["_id"] for each in self.bucket.files.find(query, {"_id": 1}, session=session)]
        if self.options.deduplicate:
            for files_id in ids:
                self._drop_name(filename, files_id)
        elif ids:
            self.bucket.delete_many(ids)

    def exists(self, name: str) -> bool:
        """Whether it is a file, or a folder with something in it."""
        query = self.there(name)
        if query is None:
            return True
        return self.bucket.files.find_one(query, {"_id": 1}, session=self._session()) is not None

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Folders and files right in ``path``, sorted; an object store has no empty folders."""
        folder = self.place.folder(path)
        files_, session = self.bucket.files, self._session()
        found = list(files_.aggregate(queries.folder_contents(folder), session=session))
        if self.options.deduplicate:
            found += files_.aggregate(queries.shared_folder_contents(folder), session=session)
        return sorted_contents([each["_id"] for each in found])

    def size(self, name: str) -> int:
        return plain_size(self.stored(name))

    def url(self, name: str | None) -> str:
        """Below ``base_url``, by default MEDIA_URL; a private storage's is signed and expires."""
        if self.base_url is None:
            raise ValueError("This file is not accessible via a URL.")
        if name is not None and self.options.private:
            from djongo_services.storage.serving import signed_url

            return signed_url(self, name, expires=self.options.url_expires)
        return urljoin(self.base_url, filepath_to_uri(name or "").lstrip("/"))

    def get_modified_time(self, name: str) -> datetime:
        """When its content was stored. Aware in UTC with USE_TZ, else in local time."""
        uploaded = self.stored(name).upload_date
        return as_django_has_it(uploaded)

    def get_created_time(self, name: str) -> datetime:
        """The same as its modification: content is replaced, never changed."""
        return self.get_modified_time(name)

    def get_accessed_time(self, name: str) -> datetime:
        """The same as its modification: MongoDB does not note reads."""
        return self.get_modified_time(name)

    async def asave(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """In Django's thread for blocking code, as the ORM's ``asave``."""
        saved: str = await sync_to_async(self.save)(name, content, max_length=max_length)
        return saved

    async def adelete(self, name: str) -> None:
        await sync_to_async(self.delete)(name)

    async def alistdir(self, path: str) -> tuple[list[str], list[str]]:
        found: tuple[list[str], list[str]] = await sync_to_async(self.listdir)(path)
        return found

    # What GridFS has besides:

    def stored(self, name: str) -> StoredFile:
        """The newest file of that name; raises NoFile, a FileNotFoundError."""
        query = self.named(self.full_name(name))
        document = self.bucket.files.find_one(
            query, sort=queries.NEWEST_FIRST, session=self._session()
        )
        if document is None:
            raise NoFile(f"There is no file {name!r} in the storage.")
        return StoredFile.from_document(document)

    def revisions(self, name: str) -> list[StoredFile]:
        """All files of that name, the newest, which is the current one, first."""
        query = {"filename": self.full_name(name)}
        return list(self.bucket.find(query, sort=queries.NEWEST_FIRST))

    def read_range(self, stored: StoredFile, start: int, stop: int) -> Generator[bytes, None, None]:
        """The bytes [start, stop) as they were saved. Closing the generator frees the cursor."""
        reading = chain_for(stored, start, stop)
        if reading is None:
            return self.bucket.read(stored, start, stop)
        return decode(reading, self.bucket.read(stored, reading.start, reading.stop))

    def reader(self, stored: StoredFile) -> StoredFileReader:
        """A raw binary file; a revision can be read this way too."""
        return StoredFileReader(
            stored,
            plain_size(stored),
            lambda start, stop: self.read_range(stored, start, stop),
            random_access=has_random_access(stored),
        )

    def save_many(self, items: Iterable[tuple[str, bytes]]) -> list[str]:
        """Save many small files with few commands: pairs of a name and its bytes.

        The names that they got, in order. Names are made available among those of the bucket
        and of the call; content is held in memory a batch at a time.
        """
        from djongo_services.storage.saving_many import save_many

        return save_many(self, items)

    # How it is done:

    def _session(self) -> Any:
        return self.bucket.session()

    def _content(self, name: str, *, missing_is_fine: bool) -> Iterator[bytes]:
        try:
            stored = self.stored(name)
        except NoFile:
            if missing_is_fine:
                return iter(())
            raise
        return self.read_range(stored, 0, plain_size(stored))

    def _store(self, filename: str, pieces: Iterator[bytes], content_type: str) -> str:
        """Store new content; the filename that it got."""
        return self._publish(*self._upload(filename, pieces, content_type))

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

    def _create(self, filename: str, pieces: Iterator[bytes]) -> None:
        """Store content that a file was opened for which was not there. Raises FileExistsError."""
        name = self.place.name(filename)
        self._refuse_existing(name)
        head, pieces = with_head(pieces)
        kept = content_type_of(self.options.content_type, name, None, head)
        self._publish(*self._upload(filename, pieces, kept), may_rename=False)

    def _refuse_existing(self, name: str) -> None:
        if self.exists(name):
            raise FileExists(f"There is a file {name!r} already.")

    def _replace(self, filename: str, pieces: Iterator[bytes]) -> None:
        """Store content in place of what a file that was opened for writing held."""
        head, pieces = with_head(pieces)
        kept = content_type_of(self.options.content_type, self.place.name(filename), None, head)
        stream, document = self._upload(filename, pieces, kept)
        with stream.aborting():
            self._publish_in_place(stream, document)

    def _upload(
        self, filename: str, pieces: Iterator[bytes], content_type: str
    ) -> tuple[UploadStream, Document]:
        chain = Chain(self.options.codecs)
        stream = self.bucket.open_upload(filename, content_type=content_type)
        try:
            for piece in encoded(chain, pieces):
                stream.write(piece)
            return stream, stream.seal(chain.metadata)
        except BaseException:
            stream.abort()
            raise

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
        other = self.get_available_name(name, max_length=_LONGEST.get())
        document["filename"] = self.full_name(other)
        sharing.follow_filename(document)


def sorted_contents(found: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    named = [each for each in found if each["name"]]
    folders = {each["name"] for each in named if each["folder"]}
    plain = {each["name"] for each in named if not each["folder"]}
    return sorted(folders), sorted(plain)
