"""Whose chunks are accounted for although they have no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from djongo_services.storage.collector.file_rows import Entry
from djongo_services.storage.collector.order import Key


class Accounts:
    """Asked for ascending keys, it goes along sorted streams of ids as far as it has to."""

    def __init__(self, streams: Iterable[Iterator[Entry]]) -> None:
        self._streams = list(streams)
        self._heads: list[Key | None] = []

    def __call__(self, key: Key) -> bool:
        if not self._heads:
            self._heads = [_key(stream) for stream in self._streams]
        found = False
        for at, stream in enumerate(self._streams):
            head = self._heads[at]
            while head is not None and head < key:
                head = _key(stream)
            self._heads[at] = head
            found = found or head == key
        return found


def _key(stream: Iterator[Entry]) -> Key | None:
    entry = next(stream, None)
    return None if entry is None else entry[0]
