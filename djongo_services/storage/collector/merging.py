"""One pass over files and chunks, both in the order of the files' ids.

Memory stays the same at any size: a window of files, a run of chunks and a batch of each stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from djongo_services.storage.collector.chunk_runs import Run
from djongo_services.storage.collector.file_rows import Entry, FileRow, id_of, names_of
from djongo_services.storage.collector.integrity import has_its_bytes
from djongo_services.storage.collector.order import Key


@dataclass(kw_only=True, slots=True)
class Window:
    """A stretch of the bucket."""

    last: Any = None
    """The greatest id of it, behind which the next one begins."""
    is_last: bool = False
    """It has no :attr:`last`, then."""
    files: int = 0
    chunks: int = 0
    rows: list[FileRow] = field(default_factory=list)
    """All files, where names are asked for."""
    suspects: list[Any] = field(default_factory=list)
    """The ids of files whose chunks do not add up."""
    orphans: list[Any] = field(default_factory=list)
    """The files_id of chunks that nothing accounts for."""


class Merge:
    """Of files and runs of chunks, both in the server's order of the ids.

    ``is_accounted`` is asked, in that order, for the key of chunks without a file.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        runs: Iterator[Run],
        *,
        is_accounted: Callable[[Key], bool],
        keep_rows: bool,
        keep_suspects: bool,
        size: int,
        files: int,
    ) -> None:
        """Windows hold at most ``files`` files, and ``size`` that are suspicious or orphans."""
        self._entries = entries
        self._runs = runs
        self._run = next(runs, None)
        self._is_accounted = is_accounted
        self._keep_rows = keep_rows
        self._keep_suspects = keep_suspects
        self._size = size
        self._files = files
        self._window = Window()

    def windows(self) -> Iterator[Window]:
        """The last one may be empty."""
        for key, value, expected, document in self._entries:
            run = self._run
            if run is not None and run[0] < key:
                yield from self._orphans(before=key)
                run = self._run
            window = self._window
            if run is None or run[0] != key:
                sound = expected == 0
            else:
                sound = run[2] == expected and run[3]
                if run[4] is not None:
                    sound = sound and has_its_bytes(document or {}, run[4])
                window.chunks += run[2]
                self._run = next(self._runs, None)
            if self._keep_rows:
                window.rows.append(FileRow(key, id_of(key, value), names_of(document or {})))
            if not sound and self._keep_suspects:
                window.suspects.append(id_of(key, value))
            window.files += 1
            if window.files >= self._files or len(window.suspects) >= self._size:
                yield self._finished(key, value)
        yield from self._orphans(before=None)
        self._window.is_last = True
        yield self._window

    def _orphans(self, *, before: Key | None) -> Iterator[Window]:
        """Go over runs that have no file; windows that they fill are yielded."""
        run = self._run
        while run is not None and (before is None or run[0] < before):
            key, value, count, _, _ = run
            self._window.chunks += count
            if not self._is_accounted(key):
                self._window.orphans.append(id_of(key, value))
                if len(self._window.orphans) >= self._size:
                    yield self._finished(key, value)
            run = self._run = next(self._runs, None)

    def _finished(self, key: Key, value: Any) -> Window:
        window, self._window = self._window, Window()
        window.last = id_of(key, value)
        return window
