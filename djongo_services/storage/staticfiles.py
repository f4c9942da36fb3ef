"""Static files in MongoDB, for ``collectstatic``: with plain and with hashed names."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.contrib.staticfiles.management.commands import collectstatic
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.exceptions import ImproperlyConfigured

from djongo_services.connections import DEFAULT_ALIAS
from djongo_services.patching import Method, patch
from djongo_services.storage.base import Name, as_django_has_it
from djongo_services.storage.bucket import StoredFile, queries
from djongo_services.storage.content import IterableFile, content_pieces
from djongo_services.storage.files import GridFSFile
from djongo_services.storage.gridfs import GridFSStorage
from djongo_services.storage.saving_many import BATCH, BATCH_BYTES, save_many

BUCKET = "static"
"""A bucket of its own: no row refers to static files, so a collector would take them."""

IMMUTABLE = "public, max-age=31536000, immutable"
"""A year, which is effectively for ever."""
_HASHED = re.compile(r"(.+)\.[0-9a-f]{12}(\.[^./]*)?")

_BATCHES: ContextVar[dict[int, Batch]] = ContextVar("djongo_services_static_files")
"""Batches by the id of a storage whose files are being collected in this context."""


class GridFSStaticFilesStorage(GridFSStorage):
    """A GridFSStorage for ``STORAGES["staticfiles"]``, which replaces files and uses STATIC_URL.

    While ``collectstatic`` runs, files are saved and deleted in batches, so a run that fails may
    leave some of that undone.
    """

    def __init__(
        self,
        bucket: str = BUCKET,
        location: str = "",
        base_url: str | None = None,
        using: str = DEFAULT_ALIAS,
        **options: Any,
    ) -> None:
        """Raises ImproperlyConfigured for options that would keep replaced files."""
        if not options.setdefault("allow_overwrite", True):
            raise ImproperlyConfigured(
                f"A {type(self).__name__} replaces files; it requires allow_overwrite."
            )
        super().__init__(bucket, location, base_url, using, **options)

    @property
    def base_url(self) -> str | None:
        """The beginning of its files' URLs; by default STATIC_URL."""
        url = django_settings.STATIC_URL if self._base_url is None else self._base_url
        return url if not url or url.endswith("/") else f"{url}/"

    @contextmanager
    def collecting(self) -> Iterator[Batch]:
        """Collect what is saved and deleted within the block into batches."""
        batches = _BATCHES.get({})
        if id(self) in batches:
            yield batches[id(self)]
            return
        batch = Batch(self)
        token = _BATCHES.set({**batches, id(self): batch})
        try:
            yield batch
            batch.flush()
        finally:
            _BATCHES.reset(token)

    def _save(self, name: str, content: Any) -> str:
        batch = self._batch
        if batch is None:
            return super()._save(name, content)
        return batch.save(name, content, super()._save)

    def delete(self, name: Name) -> None:
        batch = self._batch
        if batch is None or not name:
            super().delete(name)
        else:
            batch.delete(name)

    def exists(self, name: Name) -> bool:
        batch = self._batch
        return super().exists(name) if batch is None else batch.exists(name)

    def get_modified_time(self, name: Name) -> datetime:
        known = self._batch and self._batch.modified_time(name)
        return as_django_has_it(known) if known else super().get_modified_time(name)

    def listdir(self, path: Name) -> tuple[list[str], list[str]]:
        self._flush()
        return super().listdir(path)

    def stored(self, name: Name) -> StoredFile:
        self._flush()
        return super().stored(name)

    def _open(self, name: Name, mode: str = "rb") -> GridFSFile:
        self._flush()
        return super()._open(name, mode)

    @property
    def _batch(self) -> Batch | None:
        return _BATCHES.get({}).get(id(self))

    def _flush(self) -> None:
        if self._batch is not None:
            self._batch.flush()


class GridFSManifestStaticFilesStorage(ManifestFilesMixin, GridFSStaticFilesStorage):  # type: ignore[misc]  # the stubs of the mixin
    """The same with hashed names, which browsers may cache for ever, and a manifest of them."""

    def cache_control_of(self, name: str) -> str:
        """A hashed name, of this manifest or an earlier one, always has the same content."""
        match = _HASHED.fullmatch(name)
        is_hashed = match is not None and self.hash_key("".join(match.groups(""))) in self._known
        return IMMUTABLE if is_hashed else super().cache_control_of(name)

    @property
    def _known(self) -> Mapping[str, str]:
        known: Mapping[str, str] = self.hashed_files
        return known

    def save_manifest(self) -> None:
        """Save the manifest after all files that it names, and replace the previous one."""
        with self.collecting() as batch:
            batch.flush()
            super().save_manifest()


# What `collectstatic` does with thousands of small files, in few commands.
SMALL = 1024 * 1024
"""Files of up to this many bytes wait for others."""


class Batch:
    """Files that wait to be saved, names that wait to be deleted, and the resulting state.

    Code that reads what waits must call :meth:`flush` first.
    """

    def __init__(self, storage: GridFSStorage) -> None:
        self._storage = storage
        self._saved: dict[str, bytes] = {}
        self._size = 0
        self._deleted: set[str] = set()
        self._there: _Names | None = None

    def save(self, name: str, content: Any, save: Callable[[str, Any], str]) -> str:
        """Save a file with the batch, or at once by ``save`` if it is too large."""
        name = self._normal(name)
        pieces = content_pieces(content)
        head = bytearray()
        for piece in pieces:
            head += piece
            if len(head) > SMALL:
                self._replace(name)
                return save(name, IterableFile(itertools.chain([bytes(head)], pieces), name))
        self._replace(name)
        self._saved[name] = bytes(head)
        self._size += len(head)
        if len(self._saved) >= BATCH or self._size >= BATCH_BYTES:
            self._save_all()
        return name

    def delete(self, name: Name) -> None:
        name = self._normal(name)
        self._size -= len(self._saved.pop(name, b""))
        self._deleted.add(name)
        self.there.discard(name)

    def exists(self, name: Name) -> bool:
        if next(self._storage.there(name), None) is None:
            return True
        name = self._normal(os.fspath(name).replace("\\", "/").rstrip("/"))
        return name in self.there or self.there.is_folder(name)

    def modified_time(self, name: Name) -> datetime | None:
        """The known date of a file; None if it must be queried."""
        return self.there.date(self._normal(name))

    def flush(self) -> None:
        self._save_all()
        deleted, self._deleted = sorted(self._deleted), set()
        bucket = self._storage.bucket
        for at in range(0, len(deleted), BATCH):
            filenames = [self._storage.full_name(name) for name in deleted[at : at + BATCH]]
            query = {"filename": {"$in": filenames}}
            found = bucket.files.find(query, {"_id": 1}, session=bucket.session())
            bucket.delete_many([document["_id"] for document in found])

    @property
    def there(self) -> _Names:
        if self._there is None:
            self._there = _Names()
            for name, date in self._read_dates():
                self._there.add(name, date)
        return self._there

    def _read_dates(self) -> Iterator[tuple[str, datetime | None]]:
        storage = self._storage
        # Answered from the index alone; the newest file of a name comes last.
        found = storage.bucket.files.find(
            {"filename": queries.within(storage.place.prefix)},
            {"_id": 0, "filename": 1, "uploadDate": 1},
            sort={"filename": 1, "uploadDate": 1},
            session=storage.bucket.session(),
        )
        for document in found:
            date = document.get("uploadDate")
            known = date if isinstance(date, datetime) else None
            yield storage.place.name(document["filename"]), known

    def _replace(self, name: str) -> None:
        self._size -= len(self._saved.pop(name, b""))
        self._deleted.discard(name)
        self.there.add(name, None)

    def _save_all(self) -> None:
        saved, self._saved, self._size = self._saved, {}, 0
        if saved:
            save_many(self._storage, saved.items())

    def _normal(self, name: Name) -> str:
        return self._storage.place.name(self._storage.full_name(name))


class _Names:
    """The names of a storage, with each known date, and their folders."""

    def __init__(self) -> None:
        self._dates: dict[str, datetime | None] = {}
        self._folders: Counter[str] = Counter()

    def __contains__(self, name: str) -> bool:
        return name in self._dates

    def is_folder(self, name: str) -> bool:
        return self._folders[name] > 0

    def date(self, name: str) -> datetime | None:
        return self._dates.get(name)

    def add(self, name: str, date: datetime | None) -> None:
        if name not in self._dates:
            self._folders.update(_folders_of(name))
        self._dates[name] = date

    def discard(self, name: str) -> None:
        if name in self._dates:
            del self._dates[name]
            self._folders.subtract(_folders_of(name))


def _folders_of(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _in_batches(collect: Method) -> Method:
    """``collectstatic`` that informs storages, if they support it, when it begins and ends."""

    def in_batches(self: Any) -> Any:
        begin: Callable[[], AbstractContextManager[Any]]
        begin = getattr(self.storage, "collecting", nullcontext)
        with begin():
            return collect(self)

    return in_batches


patch(collectstatic.Command, "collect", _in_batches)
