"""``DjongoGridFSStorage``: the storage of djongo, on this package's buckets."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri

from djongo_services.connections import DEFAULT_ALIAS, connections
from djongo_services.storage.base import Name
from djongo_services.storage.bucket import Bucket, StoredFile
from djongo_services.storage.bucket.synchronous.uploading import ensure_indexes
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.content import IterableFile
from djongo_services.storage.djongo.folders import FolderFile, Folders, check_length
from djongo_services.storage.errors import NoFile
from djongo_services.storage.files import GridFSFile
from djongo_services.storage.gridfs import GridFSStorage
from djongo_services.storage.options import parse_options
from djongo_services.storage.reading import AsyncGridFSFile, StoredFileReader

KEPT_FOLDERS = 256
"""Storages of folders that are cached."""


@deconstructible(path="djongo_services.storage.djongo.DjongoGridFSStorage")
class DjongoGridFSStorage(Storage):
    """Reads files where djongo stored them, and stores new ones where djongo would look for them.

    Every folder is a bucket of its own, below ``collection`` and ``location``; a file's URL is
    ``base_url`` and its id. Otherwise it is a GridFSStorage, and accepts the same options.
    """

    def __init__(
        self,
        location: str = "",
        collection: str = "storage",
        database: str = DEFAULT_ALIAS,
        base_url: str | None = None,
        **options: Any,
    ) -> None:
        """``database`` is an alias of the connections.

        Raises ImproperlyConfigured for an invalid collection name or an unknown option.
        """
        self.folders = Folders(collection, location)
        self.location = location
        self.collection = collection
        self.using = database
        self.bucket_name = self.folders.root
        """The bucket of the files that are in no folder."""
        self.base_url = base_url if not base_url or base_url.endswith("/") else f"{base_url}/"
        self.options = parse_options(options)
        if self.options.deduplicate:
            raise ImproperlyConfigured(
                "A DjongoGridFSStorage cannot deduplicate: in djongo's layout a file has one name."
            )
        self.cache_control = self.options.cache_control
        self.private = self.options.private
        self.url_expires = self.options.url_expires
        self.permission = self.options.permission
        self.inline_types = self.options.inline_types
        self._given = options
        self._storages: dict[str, GridFSStorage] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_storages": {}}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.bucket_name!r} on {self.using!r}>"

    # Django's API:

    def _open(self, name: Name, mode: str = "rb") -> GridFSFile:
        storage, place = self._at(name)
        with _naming(name):
            opened = storage._open(place.filename, mode)
        opened.name = os.fspath(name)
        return opened

    def save(self, name: Name | None, content: Any, max_length: int | None = None) -> str:
        """``content`` may also be an iterable of bytes, such as a generator."""
        name = None if name is None else os.fspath(name)
        # Before a transaction looks at the bucket: afterwards it could not use a new index.
        storage, _ = self._at(content.name if name is None else name)
        ensure_indexes(storage.bucket.layout)
        if not hasattr(content, "chunks") and not hasattr(content, "read"):
            content = IterableFile(content, name)
        saved: str = super().save(name, content, max_length=max_length)
        return saved

    def _save(self, name: str, content: Any) -> str:
        storage, place = self._at(name)
        return place.folder + storage._save(place.filename, content)

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        if self.options.allow_overwrite:
            return not (max_length and len(name) > max_length)
        storage, place = self._at(name)
        return not (max_length and len(name) > max_length) and storage.is_name_available(
            place.filename
        )

    def delete(self, name: Name) -> None:
        """Delete all revisions of a file; a file that does not exist is not an error."""
        if not name:
            raise ValueError("The name must be given to delete().")
        storage, place = self._at(name)
        storage.delete(place.filename)

    def exists(self, name: Name) -> bool:
        storage, place = self._at(name)
        return storage.exists(place.filename)

    def listdir(self, path: Name) -> tuple[list[str], list[str]]:
        """Subfolders are the folders that have a bucket, even an empty one, or one below them."""
        storage = self._of_bucket(self.folders.bucket(path))
        below = self._buckets_below(storage.bucket)
        return sorted({each.partition(".")[0] for each in below}), storage.listdir("")[1]

    def size(self, name: Name) -> int:
        return plain_size(self.stored(name))

    def url(self, name: Name | None) -> str:
        """``base_url`` and the file's id; its name if there is no such file.

        A private storage's URL contains the name; it is signed and expires.
        """
        if self.base_url is None:
            raise ValueError("This file is not accessible via a URL.")
        if name is not None and self.private:
            from djongo_services.storage.serving import signed_url

            return signed_url(self, os.fspath(name))
        try:
            return self.base_url + (quote(str(self.stored(name).id), safe="") if name else "")
        except NoFile:
            return self.base_url + filepath_to_uri(self.full_name(name or ""))

    def get_modified_time(self, name: Name) -> datetime:
        storage, place = self._at(name)
        return storage.get_modified_time(place.filename)

    get_created_time = get_modified_time
    get_accessed_time = get_modified_time

    # The same for coroutines:

    async def aopen(self, name: Name) -> AsyncGridFSFile:
        storage, place = self._at(name)
        with _naming(name):
            opened = await storage.aopen(place.filename)
        opened.name = os.fspath(name)
        return opened

    async def asave(self, name: Name | None, content: Any, max_length: int | None = None) -> str:
        saved: str = await sync_to_async(self.save)(name, content, max_length=max_length)
        return saved

    async def adelete(self, name: Name) -> None:
        await sync_to_async(self.delete)(name)

    async def aexists(self, name: Name) -> bool:
        storage, place = self._at(name)
        return await storage.aexists(place.filename)

    async def alistdir(self, path: Name) -> tuple[list[str], list[str]]:
        found: tuple[list[str], list[str]] = await sync_to_async(self.listdir)(path)
        return found

    async def asize(self, name: Name) -> int:
        return plain_size(await self.astored(name))

    async def aget_modified_time(self, name: Name) -> datetime:
        storage, place = self._at(name)
        return await storage.aget_modified_time(place.filename)

    aget_created_time = aget_modified_time
    aget_accessed_time = aget_modified_time

    # What GridFS has in addition; here, a StoredFile's filename is its whole name.

    @property
    def bucket(self) -> Bucket:
        """The bucket of the files that are in no folder."""
        return self._of_bucket(self.bucket_name).bucket

    def buckets(self) -> dict[str, GridFSStorage]:
        """All buckets, by their names without the collection and the location."""
        found = ["", *self._buckets_below(self.bucket)]
        return {
            each: self._of_bucket(f"{self.bucket_name}.{each}" if each else self.bucket_name)
            for each in found
        }

    def full_name(self, name: Name) -> str:
        """The name in its one form. Raises SuspiciousFileOperation for an invalid name."""
        return self.folders.name(name)

    def stored(self, name: Name) -> StoredFile:
        """The newest file of that name; raises NoFile, a FileNotFoundError."""
        storage, place = self._at(name)
        with _naming(name):
            stored = storage.stored(place.filename)
        return replace(stored, filename=place.folder + place.filename)

    async def astored(self, name: Name) -> StoredFile:
        storage, place = self._at(name)
        with _naming(name):
            stored = await storage.astored(place.filename)
        return replace(stored, filename=place.folder + place.filename)

    def revisions(self, name: Name) -> list[StoredFile]:
        """All files with that name; the first one is the newest and current one."""
        storage, place = self._at(name)
        found = storage.revisions(place.filename)
        return [replace(each, filename=place.folder + place.filename) for each in found]

    def cache_control_of(self, name: str) -> str:
        """The Cache-Control header for a file that is served."""
        return self.cache_control

    def size_of(self, stored: StoredFile) -> int:
        """The number of bytes that were saved."""
        return plain_size(stored)

    def read_range(self, stored: StoredFile, start: int, stop: int) -> Iterator[bytes]:
        """The bytes [start, stop) as they were saved. Closing the generator frees the cursor."""
        return self._at(stored.filename or "")[0].read_range(stored, start, stop)

    def aread_range(self, stored: StoredFile, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self._at(stored.filename or "")[0].aread_range(stored, start, stop)

    def reader(self, stored: StoredFile) -> StoredFileReader:
        """A raw binary file; a revision can be read this way too."""
        return self._at(stored.filename or "")[0].reader(stored)

    # How it works inside.

    def _at(self, name: Name) -> tuple[GridFSStorage, FolderFile]:
        place = self.folders.place(name)
        return self._of_bucket(place.bucket), place

    def _of_bucket(self, bucket: str) -> GridFSStorage:
        storage = self._storages.get(bucket)
        if storage is None:
            check_length(bucket, connections[self.using].database_name)
            if len(self._storages) >= KEPT_FOLDERS:
                self._storages = {}
            storage = GridFSStorage(bucket, using=self.using, **self._given)
            self._storages[bucket] = storage
        return storage

    def _buckets_below(self, bucket: Bucket) -> list[str]:
        # Collections cannot be listed in a transaction.
        with bucket.layout.client.start_session(causal_consistency=False) as outside:
            return self.folders.inside(bucket.name, bucket.layout.database, outside)


@contextmanager
def _naming(name: Name) -> Iterator[None]:
    """Put the whole name into errors: a folder's storage knows only its last part."""
    try:
        yield
    except NoFile:
        raise NoFile(f"There is no file {str(name)!r} in the storage.") from None
