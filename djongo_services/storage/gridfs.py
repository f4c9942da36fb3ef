"""``GridFSStorage``: Django's file storage on a GridFS bucket."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urljoin

from asgiref.sync import sync_to_async
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri

from djongo_services.storage import files, saving_many
from djongo_services.storage.base import HeldContent, Name
from djongo_services.storage.bucket import StoredFile, UploadStream
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.synchronous.uploading import ensure_indexes
from djongo_services.storage.codecs import Chain, plain_size
from djongo_services.storage.codecs.chain import has_random_access
from djongo_services.storage.content import (
    IterableFile,
    content_pieces,
    content_type_of,
    encoded,
    with_head,
)
from djongo_services.storage.errors import FileExists, NoFile
from djongo_services.storage.following.aliases import Followed, followed, following
from djongo_services.storage.following.rows import hidden_ids
from djongo_services.storage.lookups import FileLookups
from djongo_services.storage.publishing import LONGEST_NAME, Publishing
from djongo_services.storage.reading import StoredFileReader


@deconstructible(path="djongo_services.storage.GridFSStorage")
class GridFSStorage(Publishing, FileLookups):
    """Files in a bucket of the connection ``using``, below ``location``.

    A file is part of the transaction in which it is saved or deleted: with ``atomic`` around both,
    it appears with the row that points to it, and after a rollback neither exists.

    Several storages may share a bucket.
    """

    # Django's API:

    def _open(self, name: Name, mode: str = "rb") -> files.GridFSFile:
        wanted, name = files.Mode(mode), os.fspath(name)
        reopen = functools.partial(self._open, name)
        if not wanted.writes:
            return files.reading(self.reader(self.stored(name)), name, wanted, reopen)
        filename = self.full_name(name)
        if wanted.base == "x":
            self._refuse_existing(name)
        content: Iterator[bytes] = iter(())
        if wanted.keeps_content:
            content = self._content(name, missing_is_fine=wanted.base == "a")

        store = self._create if wanted.base == "x" else self._replace
        keep = functools.partial(self._keep, store, filename, followed(self.options.follow))
        return files.changing(content, name, wanted, keep, reopen)

    def save(self, name: Name | None, content: Any, max_length: int | None = None) -> str:
        """``content`` may also be an iterable of bytes, such as a generator."""
        # Before a transaction looks at the bucket: afterwards it could not use a new index.
        ensure_indexes(self.bucket.layout)
        name = None if name is None else os.fspath(name)
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
        # A file that is deleted with the row's transaction keeps its name until then.
        is_leaving = bool(hidden_ids(self, self.full_name(name)))
        return super().is_name_available(name, max_length) and not is_leaving

    def delete(self, name: Name) -> None:
        """Delete all revisions of a file; a file that does not exist is not an error."""
        if not name:
            raise ValueError("The name must be given to delete().")
        for filename in self.readings(name):
            if self._delete(filename):
                return

    def listdir(self, path: Name) -> tuple[list[str], list[str]]:
        """Folders and files directly in ``path``, sorted; an object store has no empty folders."""
        folder = self.place.folder(path)
        with self._beside(folder.rstrip("/")):
            return sorted_contents([each["_id"] for each in self._contents(folder)])

    def url(self, name: Name | None) -> str:
        """The URL below ``base_url``, by default MEDIA_URL; a private storage's is signed and
        expires."""
        if self.base_url is None:
            raise ValueError("This file is not accessible via a URL.")
        if name is not None and self.options.private:
            from djongo_services.storage.serving import signed_url

            return signed_url(self, os.fspath(name), expires=self.options.url_expires)
        return urljoin(self.base_url, filepath_to_uri(os.fspath(name or "")).lstrip("/"))

    async def asave(self, name: Name | None, content: Any, max_length: int | None = None) -> str:
        """Save in Django's thread for blocking code, as the ORM's ``asave`` does."""
        saved: str = await sync_to_async(self.save)(name, content, max_length=max_length)
        return saved

    async def adelete(self, name: Name) -> None:
        await sync_to_async(self.delete)(name)

    async def alistdir(self, path: Name) -> tuple[list[str], list[str]]:
        found: tuple[list[str], list[str]] = await sync_to_async(self.listdir)(path)
        return found

    # What GridFS has in addition:

    def revisions(self, name: Name) -> list[StoredFile]:
        """All files with that name; the first one is the newest and current one."""
        for filename in self.readings(name):
            with self._beside(filename):
                if found := self._all(filename):
                    return [StoredFile.from_document(each) for each in found]
        return []

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

        Returns the names that the files got, in order. A name is chosen that is free in the bucket
        and in this call; content is held in memory one batch at a time.
        """
        return saving_many.save_many(self, items)

    # How it works inside:

    def _content(self, name: str, *, missing_is_fine: bool) -> Iterator[bytes]:
        try:
            stored = self.stored(name)
        except NoFile:
            if missing_is_fine:
                return iter(())
            raise
        return self.read_range(stored, 0, plain_size(stored))

    def _store(self, filename: str, pieces: Iterator[bytes], content_type: str) -> str:
        """Store new content, and return the filename that it got."""
        return self._publish(*self._upload(filename, pieces, content_type))

    def _create(self, filename: str, pieces: Iterator[bytes]) -> None:
        """Store the content of a file that was opened for creation. Raises FileExistsError."""
        name = self.place.name(filename)
        self._refuse_existing(name)
        head, pieces = with_head(pieces)
        kept = content_type_of(self.options.content_type, name, None, head)
        self._publish(*self._upload(filename, pieces, kept), may_rename=False)

    def _keep(
        self,
        store: Callable[[str, Iterator[bytes]], None],
        filename: str,
        chosen: Followed,
        pieces: Iterator[bytes],
    ) -> None:
        """Follow the row that the file was opened for, whenever it is closed."""
        with following(chosen):
            store(filename, pieces)

    def _refuse_existing(self, name: str) -> None:
        if self.exists(name):
            raise FileExists(f"There is a file {name!r} already.")

    def _replace(self, filename: str, pieces: Iterator[bytes]) -> None:
        """Replace the content of a file that was opened for writing."""
        head, pieces = with_head(pieces)
        kept = content_type_of(self.options.content_type, self.place.name(filename), None, head)
        stream, document = self._upload(filename, pieces, kept)
        with stream.aborting(), self._following() as rows:
            self._publish_in_place(stream, document, rows)
            self.leave_out(filename)

    def _upload(
        self, filename: str, pieces: Iterator[bytes], content_type: str
    ) -> tuple[UploadStream, Document]:
        stream = self.bucket.open_upload(filename, content_type=content_type)
        chain = Chain(self.options.codecs, stream.id)
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
