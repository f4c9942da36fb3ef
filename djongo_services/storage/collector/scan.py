"""What a run reads of a bucket, and the pass over files and chunks, both in the order of the ids.

Memory is the same for any size: a window of files, a run of chunks and a batch of each stream.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pymongo.errors import OperationFailure

from djongo_services.progress import Stop
from djongo_services.storage.collector.bson_order import Key
from djongo_services.storage.collector.collections import (
    BEYOND,
    BucketCollections,
    Documents,
    IndexStream,
)
from djongo_services.storage.collector.decoding import (
    CHECKSUMS,
    COVERED,
    IDS,
    NAMES,
    NUMBERS,
    READ_AT_ONCE,
    SIZED,
    WHOLE,
    Entry,
    Run,
    ScannedFile,
    covered_runs,
    decoded,
    has_its_bytes,
    id_of,
    identified,
    names_of,
    numbered,
    read_runs,
)
from djongo_services.storage.collector.errors import BucketUnusable
from djongo_services.storage.collector.kinds import ALL, Kind
from djongo_services.storage.collector.references import References

SIZES_UP_TO_CHUNKS = 100_000
SIZES_UP_TO_BYTES = 256 * 1024 * 1024
"""Up to this total size, the sizes of chunks are compared as well. For that, the server must read
the chunks: two to three times the work of an index that has only their numbers, and all the bytes
from disk if they are not in its cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    kinds: frozenset[Kind]
    asked: frozenset[Kind]
    """The kinds that the user named."""
    read: bool
    """Whether chunks are read completely, to compare checksums."""
    sized: bool
    """Whether the sizes of chunks are compared."""
    notes: tuple[str, ...]

    @property
    def names(self) -> bool:
        """Whether the names of all files are needed."""
        return any(kind.needs_names for kind in self.kinds)

    @property
    def merges(self) -> bool:
        """Whether chunks are checked."""
        return any(kind.needs_chunks for kind in self.kinds)

    @property
    def scans(self) -> bool:
        """Whether the bucket is scanned at all."""
        return self.merges or self.names

    def file_stream(self) -> tuple[Mapping[str, Any], Callable[[Iterable[bytes]], Iterator[Entry]]]:
        """The projection of files, and the function that decodes its batches."""
        if self.read and Kind.BROKEN in self.kinds:
            return CHECKSUMS, decoded
        if self.names:
            return NAMES, decoded
        if Kind.BROKEN in self.kinds:
            return NUMBERS, decoded if self.sized else numbered
        return IDS, identified

    def chunk_stream(self) -> tuple[Mapping[str, Any], Callable[[Iterable[bytes]], Iterator[Run]]]:
        if Kind.BROKEN not in self.kinds:
            return COVERED, covered_runs
        if self.read:
            return WHOLE, read_runs
        return (SIZED, read_runs) if self.sized else (COVERED, covered_runs)

    def chunks_at_once(self, batch_size: int) -> int:
        projection, _ = self.chunk_stream()
        return min(batch_size, READ_AT_ONCE) if projection is WHOLE else batch_size


def scope_of(
    collections: BucketCollections, references: References, *, only: Collection[Kind], verify: bool
) -> Scope:
    """Raises BucketUnusable if a requested kind cannot be detected here."""
    asked = frozenset(only)
    kinds, notes = asked or ALL, list[str]()
    if Kind.UNREFERENCED in kinds:
        notes += references.doubts
    if Kind.UNREFERENCED in kinds and not references.speaks:
        sentence = (
            f"No field and no provider says which files of the bucket {collections.name!r} are "
            f"in use"
        )
        if Kind.UNREFERENCED in asked:
            reason = f"{sentence}; register a provider that answers for the bucket."
            raise BucketUnusable(" ".join([*references.doubts, reason]))
        notes.append(f"{sentence}, so unreferenced files were not looked for.")
        kinds -= {Kind.UNREFERENCED}
    if Kind.SUPERSEDED in kinds - asked and not references.discards_revisions:
        notes.append(
            f"No storage says that the bucket {collections.name!r} keeps no revisions, so "
            f"superseded ones were not looked for; --only {Kind.SUPERSEDED} does."
        )
        kinds -= {Kind.SUPERSEDED}
    stored = _stored(collections)
    sized = verify or (stored is not None and _is_small(stored))
    if Kind.BROKEN in kinds and not sized:
        notes.append("The sizes of chunks were not read, only their numbers; --verify reads them.")
    return Scope(
        kinds=kinds,
        asked=asked,
        read=verify,
        sized=sized,
        notes=tuple(notes),
    )


def _is_small(stored: tuple[int, int]) -> bool:
    return stored[0] <= SIZES_UP_TO_CHUNKS and stored[1] <= SIZES_UP_TO_BYTES


def _stored(collections: BucketCollections) -> tuple[int, int] | None:
    """The number of chunks and their bytes; None if the user may not read it."""
    try:
        found = list(collections.chunks.aggregate([{"$collStats": {"storageStats": {}}}]))
    except OperationFailure:
        return None
    stats = [each["storageStats"] for each in found]
    count = sum(int(each.get("count", 0)) for each in stats)
    return count, sum(int(each.get("size", 0)) for each in stats)


@dataclass(kw_only=True, slots=True)
class Window:
    """A section of the bucket."""

    last: Any = None
    """Its greatest id, after which the next one begins."""
    is_last: bool = False
    """Whether it is the last window, which has no :attr:`last`."""
    files: int = 0
    chunks: int = 0
    rows: list[ScannedFile] = field(default_factory=list)
    """All files, if names are needed."""
    suspects: list[Any] = field(default_factory=list)
    """The ids of files whose chunks do not match."""
    orphans: list[Any] = field(default_factory=list)
    """The files_id of chunks that nothing owns."""


class Merge:
    """A merge of files and runs of chunks, both in the server's order of the ids.

    ``is_accounted`` is called, in that order, for the key of chunks without a file.
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
        """Windows contain at most ``files`` files, and ``size`` that are suspicious or orphans."""
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
                window.rows.append(ScannedFile(key, id_of(key, value), names_of(document or {})))
            if not sound and self._keep_suspects:
                window.suspects.append(id_of(key, value))
            window.files += 1
            if window.files >= self._files or len(window.suspects) >= self._size:
                yield self._finished(key, value)
        yield from self._orphans(before=None)
        self._window.is_last = True
        yield self._window

    def _orphans(self, *, before: Key | None) -> Iterator[Window]:
        """Process runs that have no file, and yield the windows that they fill."""
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


# Chunks that trash or uploads own, although they have no file.
class Owners:
    """Answers for ascending keys, and reads sorted streams of ids only as far as needed."""

    def __init__(self, streams: Iterable[Iterator[Entry]]) -> None:
        self._streams = list(streams)
        self._heads: list[Key | None] = []

    def __call__(self, key: Key) -> bool:
        if not self._heads:
            self._heads = [_next_key(stream) for stream in self._streams]
        found = False
        for at, stream in enumerate(self._streams):
            head = self._heads[at]
            while head is not None and head < key:
                head = _next_key(stream)
            self._heads[at] = head
            found = found or head == key
        return found


def _next_key(stream: Iterator[Entry]) -> Key | None:
    entry = next(stream, None)
    return None if entry is None else entry[0]


FILES_AT_ONCE = 2_000
"""Files in a batch of a stream: decoded with their names, they take two megabytes."""

WITHOUT_NAMES = 20
"""How many times as many files a window has if only the suspicious ones are remembered: each window
with garbage costs a dozen queries."""


@contextmanager
def scan(
    collections: BucketCollections,
    scope: Scope,
    *,
    after: tuple[Any] | None,
    batch_size: int,
    stop: Stop | None,
) -> Iterator[Iterator[Window]]:
    """The windows of the bucket, after the id ``after``; the streams end with the block."""
    with ExitStack() as stack:

        def opened(stream: IndexStream) -> Iterator[bytes]:
            batches: Iterator[bytes] = stack.enter_context(closing(stream.batches()))
            return batches

        def by_id(collection: Documents, projection: Any) -> Iterator[bytes]:
            return opened(
                IndexStream(
                    collection=collection,
                    keys=("_id",),
                    projection=projection,
                    batch_size=min(batch_size, FILES_AT_ONCE),
                    after=after,
                    stop=stop,
                )
            )

        def chunks(projection: Any) -> Iterator[bytes]:
            return opened(
                IndexStream(
                    collection=collections.chunks,
                    keys=("files_id", "n"),
                    projection=projection,
                    batch_size=scope.chunks_at_once(batch_size),
                    after=None if after is None else (*after, BEYOND),
                    stop=stop,
                )
            )

        file_projection, entries_of = scope.file_stream()
        chunk_projection, runs_of = scope.chunk_stream()
        owners = (collections.trash, collections.uploads)
        merge = Merge(
            entries_of(by_id(collections.files, file_projection)),
            runs_of(chunks(chunk_projection) if scope.merges else iter(())),
            is_accounted=Owners(identified(by_id(each, IDS)) for each in owners),
            keep_rows=scope.names,
            keep_suspects=Kind.BROKEN in scope.kinds,
            size=batch_size,
            files=batch_size if scope.names else batch_size * WITHOUT_NAMES,
        )
        yield merge.windows()
