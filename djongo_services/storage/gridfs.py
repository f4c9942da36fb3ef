"""``GridFSStorage``: Django's file storage on a GridFS bucket."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from asgiref.sync import sync_to_async
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri

from djongo_services.storage import files, queries
from djongo_services.storage.base import as_django_has_it
from djongo_services.storage.bucket import StoredFile, UploadStream
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.indexes import ensure_indexes
from djongo_services.storage.codecs import Chain, plain_size
from djongo_services.storage.codecs.chain import chain_for, decode, has_random_access
from djongo_services.storage.content_types import content_type_of
from djongo_services.storage.encoding import IterableFile, content_pieces, encoded, with_head
from djongo_services.storage.errors import FileExists, NoFile
from djongo_services.storage.held import HeldContent
from djongo_services.storage.publishing import LONGEST_NAME, Publishing
from djongo_services.storage.reading import StoredFileReader


@deconstructible(path="djongo_services.storage.GridFSStorage")
class GridFSStorage(Publishing):
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
        token = LONGEST_NAME.set(max_length)
        try:
            saved: str = super().save(name, content, max_length=max_length)
            return saved
        finally:
            LONGEST_NAME.reset(token)

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
        query = self.named(self.full_name(name))
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


def sorted_contents(found: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    named = [each for each in found if each["name"]]
    folders = {each["name"] for each in named if each["folder"]}
    plain = {each["name"] for each in named if not each["folder"]}
    return sorted(folders), sorted(plain)
