"""What ``collectstatic`` does with thousands of small files, in few commands."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

from djongo_services.storage import queries
from djongo_services.storage.encoding import IterableFile, content_pieces
from djongo_services.storage.saving_many import BATCH, BATCH_BYTES, save_many

if TYPE_CHECKING:
    from djongo_services.storage.gridfs import GridFSStorage

SMALL = 1024 * 1024
"""Bytes of a file that waits for others."""


class Batch:
    """Files that wait to be saved, names that wait to be deleted, and what is there then.

    Whoever reads what waits has to :meth:`flush` first.
    """

    def __init__(self, storage: GridFSStorage) -> None:
        self._storage = storage
        self._saved: dict[str, bytes] = {}
        self._size = 0
        self._deleted: set[str] = set()
        self._there: _Names | None = None

    def save(self, name: str, content: Any, save: Callable[[str, Any], str]) -> str:
        """By ``save`` at once what is too large to wait."""
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

    def delete(self, name: str) -> None:
        name = self._normal(name)
        self._size -= len(self._saved.pop(name, b""))
        self._deleted.add(name)
        self.there.discard(name)

    def exists(self, name: str) -> bool:
        if self._storage.there(name) is None:
            return True
        name = self._normal(name.replace("\\", "/").rstrip("/"))
        return name in self.there or self.there.is_folder(name)

    def modified_time(self, name: str) -> datetime | None:
        """None when it has to be asked for."""
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
        # Answered from the index alone, the newest of a name last.
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

    def _normal(self, name: str) -> str:
        return self._storage.place.name(self._storage.full_name(name))


class _Names:
    """Those of a storage, with the date of each that is known, and their folders."""

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


def teach(command: Any) -> None:
    """Let ``collectstatic`` tell storages that want to know when it begins and ends."""
    collect = command.collect
    if hasattr(collect, "__wrapped__"):
        return

    @functools.wraps(collect)
    def in_batches(self: Any) -> Any:
        begin: Callable[[], AbstractContextManager[Any]]
        begin = getattr(self.storage, "collecting", nullcontext)
        with begin():
            return collect(self)

    command.collect = in_batches
