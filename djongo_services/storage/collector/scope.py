"""What a run looks for in a bucket, and how much of it it reads for that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.errors import OperationFailure

from djongo_services.storage.collector.chunk_runs import (
    COVERED,
    SIZED,
    WHOLE,
    Run,
    covered_runs,
    read_runs,
)
from djongo_services.storage.collector.errors import BucketUnusable
from djongo_services.storage.collector.file_rows import (
    CHECKSUMS,
    IDS,
    NAMES,
    NUMBERS,
    Entry,
    decoded,
    identified,
    numbered,
)
from djongo_services.storage.collector.integrity import READ_AT_ONCE
from djongo_services.storage.collector.kinds import ALL, Kind
from djongo_services.storage.collector.places import Places
from djongo_services.storage.collector.references import References

SIZES_UP_TO_CHUNKS = 100_000
SIZES_UP_TO_BYTES = 256 * 1024 * 1024
"""Up to which sizes of chunks are compared as well. The server has to read the chunks for that: two
to three times the work of an index that tells their numbers alone, and all the bytes from a disk
where they are not in its cache."""

_NAMED = frozenset({Kind.UNREFERENCED, Kind.SUPERSEDED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    kinds: frozenset[Kind]
    asked: frozenset[Kind]
    """Those that the user named."""
    read: bool
    """Whether chunks are read whole, to compare checksums."""
    sized: bool
    """Whether the sizes of chunks are compared."""
    notes: tuple[str, ...]

    @property
    def names(self) -> bool:
        """Whether the names of all files are wanted."""
        return bool(self.kinds & _NAMED)

    @property
    def merges(self) -> bool:
        """Whether chunks are looked at."""
        return bool(self.kinds & {Kind.ORPHAN_CHUNKS, Kind.BROKEN})

    @property
    def scans(self) -> bool:
        """Whether the bucket is gone over at all."""
        return self.merges or self.names

    def file_stream(self) -> tuple[Mapping[str, Any], Callable[[Iterable[bytes]], Iterator[Entry]]]:
        """The projection of files, and what decodes its batches."""
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
    places: Places, references: References, *, only: Collection[Kind], verify: bool
) -> Scope:
    """Raises BucketUnusable when a kind that was asked for cannot be told here."""
    asked = frozenset(only)
    kinds, notes = asked or ALL, []
    if Kind.UNREFERENCED in kinds and not references.speaks:
        sentence = (
            f"No field and no provider says which files of the bucket {places.name!r} are in use"
        )
        if Kind.UNREFERENCED in asked:
            raise BucketUnusable(f"{sentence}; register a provider that answers for the bucket.")
        notes.append(f"{sentence}, so unreferenced files were not looked for.")
        kinds -= {Kind.UNREFERENCED}
    if Kind.SUPERSEDED in kinds - asked and not references.discards_revisions:
        notes.append(
            f"No storage says that the bucket {places.name!r} keeps no revisions, so superseded "
            f"ones were not looked for; --only {Kind.SUPERSEDED} does."
        )
        kinds -= {Kind.SUPERSEDED}
    stored = _stored(places)
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


def _stored(places: Places) -> tuple[int, int] | None:
    """How many chunks there are and their bytes; None where the user may not know."""
    try:
        found = list(places.chunks.aggregate([{"$collStats": {"storageStats": {}}}]))
    except OperationFailure:
        return None
    stats = [each["storageStats"] for each in found]
    count = sum(int(each.get("count", 0)) for each in stats)
    return count, sum(int(each.get("size", 0)) for each in stats)
