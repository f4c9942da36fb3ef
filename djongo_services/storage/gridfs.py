"""``GridFSStorage``: Django's file storage on a GridFS bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri
from django.utils.timezone import make_naive
from pymongo.errors import DuplicateKeyError

from djongo_services.storage import files, queries, sharing
from djongo_services.storage.async_gridfs import AsyncReading
from djongo_services.storage.bucket import StoredFile, UploadStream
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.uploading import taken
from djongo_services.storage.codecs import Chain, plain_size
from djongo_services.storage.codecs.chain import chain_for, decode
from djongo_services.storage.content_types import content_type_of
from djongo_services.storage.encoding import content_pieces, encoded, with_head
from djongo_services.storage.errors import FileExists, NoFile
from djongo_services.storage.held import HeldContent
from djongo_services.storage.reading import StoredFileReader


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
        if not wanted.writes:
            stored = self.stored(name)
            return files.reading(self.reader(stored), name, wanted)
        if wanted.base == "x" and self.exists(name):
            raise FileExistsError(f"There is a file {name!r} already.")
        content: Iterator[bytes] = iter(())
        if wanted.keeps_content:
            content = self._content(name, missing_is_fine=wanted.base == "a")
        return files.changing(content, name, wanted, lambda pieces: self._replace(filename, pieces))

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
        if self.options.deduplicate:
            self._drop_name(filename)
            return
        found = self.bucket.files.find({"filename": filename}, {"_id": 1}, session=self._session())
        if ids := [document["_id"] for document in found]:
            self.bucket.delete_many(ids)

    def exists(self, name: str) -> bool:
        query = self.named(self.full_name(name))
        return self.bucket.files.find_one(query, {"_id": 1}, session=self._session()) is not None

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Folders and files right in ``path``, sorted; an object store has no empty folders."""
        pipeline = queries.folder_contents(self.place.folder(path))
        found = self.bucket.files.aggregate(pipeline, session=self._session(), allowDiskUse=True)
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
        return uploaded if django_settings.USE_TZ else make_naive(uploaded)

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

    def read_range(self, stored: StoredFile, start: int, stop: int) -> Iterator[bytes]:
        """The bytes [start, stop) as they were saved. Closing the generator frees the cursor."""
        reading = chain_for(stored, start, stop)
        if reading is None:
            return self.bucket.read(stored, start, stop)
        return decode(reading, self.bucket.read(stored, reading.start, reading.stop))

    def reader(self, stored: StoredFile) -> StoredFileReader:
        """A raw binary file; a revision can be read this way too."""
        return StoredFileReader(
            stored, plain_size(stored), lambda start, stop: self.read_range(stored, start, stop)
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

    def _publish(self, stream: UploadStream, document: Document) -> str:
        """Make what was uploaded a file of the storage; the filename that it got."""
        with stream.aborting():
            if self.options.allow_overwrite:
                return str(self._publish_in_place(stream, document).filename)
            if self.options.deduplicate:
                return self._publish_shared(stream, document)
            document["metadata"]["exclusive"] = True
            return str(stream.publish(document, self._take_other_name).filename)

    def _replace(self, filename: str, pieces: Iterator[bytes]) -> StoredFile:
        """Store content in place of what a file that was opened for writing held."""
        head, pieces = with_head(pieces)
        kept = content_type_of(self.options.content_type, self.place.name(filename), None, head)
        if self.options.deduplicate:
            self._drop_name(filename)
            self._store(filename, pieces, kept)
            return self.stored(self.place.name(filename))
        return self._publish_in_place(*self._upload(filename, pieces, kept))

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
        stored = stream.publish(document)
        if self.options.keep_revisions:
            return stored
        files_, session = self.bucket.files, self._session()
        older = files_.find(queries.older_than(stored), {"_id": 1}, session=session)
        if ids := [found["_id"] for found in older]:
            self.bucket.delete_many(ids)
        if not self.options.allow_overwrite:
            self._make_exclusive(stored)
        return stored

    def _make_exclusive(self, stored: StoredFile) -> None:
        change = {"$set": {"metadata.exclusive": True}}
        try:
            self.bucket.files.update_one({"_id": stored.id}, change, session=self._session())
        except DuplicateKeyError:
            if self._session() is not None:
                raise
            # Somebody else replaced it at the same time; that file is the exclusive one now.

    def _publish_shared(self, stream: UploadStream, document: Document) -> str:
        """As one more name of the file that has the same content, or as its first."""
        sharing.make_shareable(document)
        while not self._join(document):
            try:
                return str(stream.publish(document).filename)
            except FileExists:
                if self._session() is not None:
                    raise
                self._take_other_name(document)
        stream.abort()
        return str(document["filename"])

    def _join(self, document: Document) -> bool:
        """Whether there was a file of the same content, which has the document's name now too."""
        try:
            found = self.bucket.files.find_one_and_update(
                sharing.same_content(document),
                sharing.add_name(document["filename"]),
                session=self._session(),
            )
        except DuplicateKeyError as error:
            if self._session() is not None:
                raise taken(document["filename"]) from error
            self._take_other_name(document)
            return self._join(document)
        return found is not None

    def _drop_name(self, filename: str) -> None:
        found = self.bucket.files.find_one_and_update(
            queries.named(filename, shared=True),
            sharing.drop_name(filename),
            return_document=True,
            session=self._session(),
        )
        if found is not None and sharing.has_no_name(found):
            # Unless somebody gave it a new name meanwhile.
            self.bucket.delete_if(found["_id"], sharing.NAMELESS)

    def _take_other_name(self, document: Document) -> None:
        """After somebody else was faster."""
        name = self.get_available_name(self.place.name(document["filename"]))
        document["filename"] = self.full_name(name)
        sharing.follow_filename(document)


def sorted_contents(found: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    folders = sorted({each["name"] for each in found if each["folder"] and each["name"]})
    plain = sorted({each["name"] for each in found if not each["folder"]})
    return folders, plain
