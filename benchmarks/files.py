"""Buckets compared with PyMongo's GridFSBucket: small files, ranges, whole files, and their memory.

Both work on one server with the client's default write concern. The server counts the bytes that
are sent (``serverStatus`` ``network.bytesOut``); memory is the growth of the peak of the resident
set while one contestant works.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gridfs
from pymongo import MongoClient
from pymongo.database import Database

from djongo_services.storage.bucket import Bucket, StoredFile

Document = dict[str, Any]
Row = dict[str, Any]

SMALL = bytes(1024)
ONE_BY_ONE = 300
MANY = 10_000
MEGABYTE = 1024 * 1024
LARGE = 512 * MEGABYTE
RANGE = 64 * 1024
RANGES = 100
PEER = "GridFSBucket"


def run(uri: str, repeats: int) -> list[Row]:
    with MongoClient[Document](uri) as client:
        database = client["benchmark_files"]
        client.drop_database(database)
        try:
            bucket, peer = Bucket(database, "ours"), gridfs.GridFSBucket(database, "peer")
            rows = [
                _saves(bucket, peer, repeats),
                _saves_of_many(bucket, peer, repeats),
                _deletions(bucket, peer, repeats),
            ]
            return rows + _large(database, bucket, peer, repeats)
        finally:
            client.drop_database(database)


def _saves(bucket: Bucket, peer: gridfs.GridFSBucket, repeats: int) -> Row:
    def ours() -> None:
        for number in range(ONE_BY_ONE):
            bucket.upload(f"small-{number}", SMALL)

    def theirs() -> None:
        for number in range(ONE_BY_ONE):
            peer.upload_from_stream(f"small-{number}", SMALL)

    seconds = _interleaved({"ours": ours, "peer": theirs}, repeats)
    return _faster("save 1 KB files one by one", seconds, "files/s", ONE_BY_ONE, 2.2)


def _saves_of_many(bucket: Bucket, peer: gridfs.GridFSBucket, repeats: int) -> Row:
    def ours() -> None:
        bucket.upload_many((f"many-{number}", SMALL) for number in range(MANY))

    def theirs() -> None:
        for number in range(ONE_BY_ONE):
            peer.upload_from_stream(f"many-{number}", SMALL)

    seconds = _interleaved({"ours": ours, "peer": theirs}, repeats)
    each = {"ours": seconds["ours"] / MANY, "peer": seconds["peer"] / ONE_BY_ONE}
    return _faster(f"save {MANY:,} files of 1 KB with upload_many", each, "files/s", 1, 15)


def _deletions(bucket: Bucket, peer: gridfs.GridFSBucket, repeats: int) -> Row:
    ids: list[Any] = []

    def prepare() -> None:
        ids[:] = [file.id for file in bucket.upload_many((None, SMALL) for _ in range(MANY))]

    peers: list[Any] = []

    def prepare_peer() -> None:
        peers[:] = [peer.upload_from_stream("x", SMALL) for _ in range(ONE_BY_ONE)]

    def theirs() -> None:
        for found in peers:
            peer.delete(found)

    seconds = _interleaved(
        {"ours": lambda: bucket.delete_many(ids), "peer": theirs},
        repeats,
        {"ours": prepare, "peer": prepare_peer},
    )
    each = {"ours": seconds["ours"] / MANY, "peer": seconds["peer"] / ONE_BY_ONE}
    return _faster(f"delete {MANY:,} files", each, "files/s", 1, 10)


def _large(
    database: Database[Document], bucket: Bucket, peer: gridfs.GridFSBucket, repeats: int
) -> list[Row]:
    few = min(repeats, 5)

    def remove() -> None:
        bucket.delete_many([file.id for file in bucket.find({"filename": "large-ours"})])
        for found in peer.find({"filename": "large-peer"}):
            peer.delete(found._id)

    writing = _Growth()
    writes = _interleaved(
        {
            "ours": lambda: bucket.upload("large-ours", _Zeros(LARGE)),
            "peer": lambda: peer.upload_from_stream("large-peer", _Zeros(LARGE)),
        },
        few,
        {"ours": remove, "peer": remove},
        growth=writing,
    )
    file = bucket.upload("large-ours", _Zeros(LARGE))
    theirs = peer.upload_from_stream("large-peer", _Zeros(LARGE))
    reading = _Growth()
    reads = _interleaved(
        {
            "ours": lambda: sum(map(len, bucket.read(file))),
            "peer": lambda: _read_all(peer, theirs),
        },
        2 * few,
        growth=reading,
    )
    return [
        *_parts(database, bucket, peer, file, theirs, repeats),
        _faster("read 512 MB", reads, "MB/s", LARGE // MEGABYTE, 1.2),
        _faster("write 512 MB", writes, "MB/s", LARGE // MEGABYTE, 1.0),
        _memory("read 512 MB", reading.most),
        _memory("write 512 MB", writing.most),
    ]


def _parts(
    database: Database[Document],
    bucket: Bucket,
    peer: gridfs.GridFSBucket,
    file: StoredFile,
    theirs: Any,
    repeats: int,
) -> list[Row]:
    starts = [random.Random(0).randrange(LARGE - RANGE) for _ in range(RANGES)]

    def ranges() -> None:
        for start in starts:
            assert sum(map(len, bucket.read(file, start, start + RANGE))) == RANGE

    def peer_ranges() -> None:
        for start in starts:
            with peer.open_download_stream(theirs) as stream:
                stream.seek(start)
                assert len(stream.read(RANGE)) == RANGE

    def first_bytes() -> None:
        for _ in starts:
            pieces = bucket.read(file)
            next(pieces)
            pieces.close()  # type: ignore[attr-defined]  # a generator

    def peer_first_bytes() -> None:
        for _ in starts:
            with peer.open_download_stream(theirs) as stream:
                stream.read(1)

    ranged = _interleaved({"ours": ranges, "peer": peer_ranges}, repeats)
    before = _bytes_out(database)
    ranges()
    wire = (_bytes_out(database) - before) / RANGES / MEGABYTE
    first = _interleaved({"ours": first_bytes, "peer": peer_first_bytes}, repeats)
    return [
        _faster("64 KB ranges of a 512 MB file", ranged, "ranges/s", RANGES, 12),
        {
            "name": "64 KB range of a 512 MB file, on the wire",
            "ours": wire,
            "peer_name": "allowed",
            "peer": 0.5,
            "unit": "MB",
            "ratio": wire / 0.5,
            "target": "at most 1",
            "reached": wire <= 0.5,
        },
        _faster("first byte of a 512 MB file", first, "files/s", RANGES, 8),
    ]


class _Zeros:
    """A source of zero bytes that is never completely in memory."""

    def __init__(self, length: int) -> None:
        self._left = length

    def read(self, size: int = -1) -> bytes:
        size = min(self._left, MEGABYTE if size < 0 else size)
        self._left -= size
        return bytes(size)


def _read_all(peer: gridfs.GridFSBucket, found: Any) -> int:
    length = 0
    with peer.open_download_stream(found) as stream:
        while piece := stream.readchunk():
            length += len(piece)
    return length


def _bytes_out(database: Database[Document]) -> int:
    return int(database.client.admin.command("serverStatus")["network"]["bytesOut"])


class _Growth:
    """MB by which the peak of this process's memory grew, by name: the largest value of all runs,
    because later runs reuse the memory of earlier ones."""

    def __init__(self) -> None:
        self.most: dict[str, float] = {}
        self._before = 0

    def begin(self) -> None:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
        self._before = _peak()

    def end(self, name: str) -> None:
        self.most[name] = max((_peak() - self._before) / 1024, self.most.get(name, 0.0))


def _peak() -> int:
    """The peak in KB."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def _interleaved(
    contestants: Mapping[str, Callable[[], object]],
    repeats: int,
    prepare: Mapping[str, Callable[[], object]] | None = None,
    growth: _Growth | None = None,
) -> dict[str, float]:
    """Medians in seconds; a first round is not counted, and each round reverses the order."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for number in range(repeats + 1):
        order.reverse()
        for name in order:
            if prepare is not None:
                prepare[name]()
            if growth is not None:
                growth.begin()
            started = time.perf_counter()
            contestants[name]()
            seconds = time.perf_counter() - started
            if growth is not None:
                growth.end(name)
            if number:
                taken[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _faster(name: str, seconds: Mapping[str, float], unit: str, things: int, target: float) -> Row:
    ratio = seconds["peer"] / seconds["ours"]
    return {
        "name": name,
        "ours": things / seconds["ours"],
        "peer_name": PEER,
        "peer": things / seconds["peer"],
        "unit": unit,
        "ratio": ratio,
        "target": f"at least {target:g}",
        "reached": ratio >= target,
    }


def _memory(name: str, growth: Mapping[str, float]) -> Row:
    ours = growth["ours"]
    return {
        "name": f"{name}, growth of the client's memory (peer: {growth['peer']:.0f} MB)",
        "ours": ours,
        "peer_name": "allowed",
        "peer": 12.0,
        "unit": "MB",
        "ratio": ours / 12,
        "target": "at most 1",
        "reached": ours <= 12,
    }
