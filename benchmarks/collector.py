"""The collector compared with a bare merge of the two covered cursors, and with ``$group`` and
``$lookup``.

All look for chunks without a file. The bare merge also finds files without chunks, and the
collector also compares the number of each file's chunks with its length. A pass that also looks up
every name, among as many documents that refer to them, has no peer. Memory is the growth of the
peak of a separate process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Int64, ObjectId
from pymongo import MongoClient
from pymongo.database import Database

from djongo_services.storage.collector import Kind, References, collect
from djongo_services.storage.collector.references.lookups import DocumentSource
from djongo_services.storage.collector.references.sources import Naming, Territory

FILES = 1_000_000
MANY_FILES = 4_000_000
WITHOUT_FILE = 1_033
"""One of this many chunks has no file."""
WITHOUT_CHUNKS = 12_500
LARGE_REPEATS = 3
"""The most repeats of work that takes many seconds."""
MEMORY_TARGET = 16.0
DATABASE = "benchmark_collector"

Document = dict[str, Any]
Row = dict[str, Any]

_INTEGRITY = (Kind.ORPHAN_CHUNKS, Kind.BROKEN)

_MEMORY = """
import json, sys
from pymongo import MongoClient
from benchmarks.collector import everything, integrity
uri, what = sys.argv[1:]
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
with MongoClient(uri) as client:
    client.admin.command("ping")
    before = peak()
    {"integrity": integrity, "everything": everything}[what](client["benchmark_collector"])
print(json.dumps({"kilobytes": peak() - before}))
"""


def run(uri: str, repeats: int) -> list[Row]:
    few = min(repeats, LARGE_REPEATS)
    with MongoClient[Document](uri) as client:
        database = client[DATABASE]
        client.drop_database(database)
        try:
            fill(database, 0, FILES)
            rows = _passes(database, few)
            rows += [_memory(uri, what, few) for what in ("integrity", "everything")]
            per_file = rows[0]["ours"] / FILES
            fill(database, FILES, MANY_FILES)
            return [
                *rows,
                _slope(database, few, per_file),
                _memory(uri, "integrity", few, MANY_FILES),
            ]
        finally:
            client.drop_database(database)


def integrity(database: Database[Document]) -> tuple[int, int]:
    """Orphan chunks and broken files, by the indexes and the files' numbers."""
    report = collect(
        database,
        references=References(),
        older_than=timedelta(0),
        only=_INTEGRITY,
        dry_run=True,
    )
    return report.found[Kind.ORPHAN_CHUNKS].count, report.found[Kind.BROKEN].count


def everything(database: Database[Document]) -> int:
    """All kinds; each name is looked up among the documents that refer to files."""
    source = DocumentSource(
        collection=database.rows, path="photo", model="rows", alias="default", naming=Naming()
    )
    territory = Territory(prefix="", spoken_for=True, keeps_revisions=False)
    report = collect(
        database,
        references=References(sources=(source,), territories=(territory,)),
        older_than=timedelta(0),
        dry_run=True,
    )
    return report.count


def bare_merge(database: Database[Document]) -> tuple[int, int]:
    """A merge as one would write it by hand, with the batch size that suits PyMongo best."""
    key = [("files_id", 1), ("n", 1)]
    files = database["fs.files"].find({}, {"_id": 1}, batch_size=1000).sort("_id", 1)
    chunks = database["fs.chunks"].find({}, {"_id": 0, "files_id": 1, "n": 1}, batch_size=1000)
    rows, entries = iter(files.hint([("_id", 1)])), iter(chunks.sort(key).hint(key))
    orphans = empty = 0
    file, chunk = next(rows, None), next(entries, None)
    while file is not None or chunk is not None:
        if chunk is None or (file is not None and file["_id"] < chunk["files_id"]):
            empty, file = empty + 1, next(rows, None)
            continue
        id = chunk["files_id"]
        orphans += file is None or id < file["_id"]
        if file is not None and id == file["_id"]:
            file = next(rows, None)
        while chunk is not None and chunk["files_id"] == id:
            chunk = next(entries, None)
    return orphans, empty


def group_and_lookup(database: Database[Document]) -> int:
    pipeline = [
        {"$group": {"_id": "$files_id"}},
        {"$lookup": {"from": "fs.files", "localField": "_id", "foreignField": "_id", "as": "file"}},
        {"$match": {"file": []}},
        {"$count": "orphans"},
    ]
    (found,) = database["fs.chunks"].aggregate(pipeline, allowDiskUse=True)
    return int(found["orphans"])


def fill(database: Database[Document], start: int, stop: int) -> None:
    """Insert files of one chunk each; some chunks have no file, and some files no chunk."""
    database["fs.files"].create_index([("filename", 1), ("uploadDate", 1)])
    database["fs.chunks"].create_index([("files_id", 1), ("n", 1)], unique=True)
    date, data = datetime(2024, 1, 1, tzinfo=UTC), os.urandom(1024)
    for first in range(start, stop, 5_000):
        ids = {number: ObjectId() for number in range(first, first + 5_000)}
        database["fs.chunks"].insert_many(
            (
                {"_id": ObjectId(), "files_id": id, "n": 0, "data": data}
                for number, id in ids.items()
                if number % WITHOUT_CHUNKS != 7
            ),
            ordered=False,
        )
        names = {number: f"{number % 997}/photo-{number}.jpeg" for number in ids}
        database["fs.files"].insert_many(
            (
                {
                    "_id": id,
                    "length": Int64(len(data)),
                    "chunkSize": 261_120,
                    "uploadDate": date,
                    "filename": names[number],
                    "metadata": {"contentType": "image/jpeg", "sha256": "0" * 64},
                }
                for number, id in ids.items()
                if number % WITHOUT_FILE != 5
            ),
            ordered=False,
        )
        if stop <= FILES:
            database.rows.insert_many([{"photo": name} for name in names.values()], ordered=False)
    database.rows.create_index("photo")


def _passes(database: Database[Document], repeats: int) -> list[Row]:
    measured = _interleaved(
        {
            "ours": lambda: integrity(database),
            "merge": lambda: bare_merge(database),
            "group": lambda: group_and_lookup(database),
            "everything": lambda: everything(database),
        },
        repeats,
    )
    name = f"collector, orphan and broken among {FILES:,} files"
    merge, group = (measured[peer] / measured["ours"] for peer in ("merge", "group"))
    return [
        _row(name, measured, "merge", "bare merge", 1 / merge, "at most 1.3", 1 / merge <= 1.3),
        _row(name, measured, "group", "$group, $lookup", group, "at least 3.5", group >= 3.5),
        _row(f"collector, all kinds, {FILES:,} files and names", {"ours": measured["everything"]}),
    ]


def _slope(database: Database[Document], repeats: int, per_file: float) -> Row:
    measured = _interleaved({"ours": lambda: integrity(database)}, repeats)
    ratio = measured["ours"] * 1000 / MANY_FILES / per_file
    name = f"collector, a file among {MANY_FILES:,}, in µs"
    return {
        "name": name,
        "ours": measured["ours"] * 1e6 / MANY_FILES,
        "peer_name": f"among {FILES:,}",
        "peer": per_file * 1000,
        "unit": "µs",
        "ratio": ratio,
        "target": "at most 1.1",
        "reached": ratio <= 1.1,
    }


def _memory(uri: str, what: str, repeats: int, files: int = FILES) -> Row:
    command = [sys.executable, "-c", _MEMORY, uri, what]
    grown = statistics.median(_grown(command) for _ in range(repeats))
    return {
        "name": f"collector, {what} of {files:,} files, growth of the client's memory",
        "ours": grown,
        "peer_name": "allowed",
        "peer": MEMORY_TARGET,
        "unit": "MB",
        "ratio": grown / MEMORY_TARGET,
        "target": "at most 1",
        "reached": grown <= MEMORY_TARGET,
    }


def _grown(command: list[str]) -> float:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kilobytes: float = json.loads(done.stdout)["kilobytes"]
    return kilobytes / 1024


def _interleaved(contestants: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Medians in seconds; a first round is not counted, and each round reverses the order."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for number in range(repeats + 1):
        order.reverse()
        for name in order:
            started = time.perf_counter()
            contestants[name]()
            if number:
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _row(
    name: str,
    seconds: Mapping[str, float],
    peer: str | None = None,
    peer_name: str | None = None,
    ratio: float | None = None,
    target: str = "",
    reached: bool | None = None,
) -> Row:
    return {
        "name": name,
        "ours": seconds["ours"] * 1000,
        "peer_name": peer_name,
        "peer": seconds[peer] * 1000 if peer else None,
        "unit": "ms",
        "ratio": ratio,
        "target": target,
        "reached": reached,
    }
