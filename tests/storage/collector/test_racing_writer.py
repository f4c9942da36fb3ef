"""A writer races the collector for tens of thousands of files: nothing in use is ever lost.

The writer saves files and refers to them a moment later, refers to old files that had no
reference left, saves new revisions, and drops references. What it refers to in the end has to be
there.
"""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import Any

import gridfs
import pymongo
import pytest
from bson import Int64, ObjectId

from djongo_services.storage.collector import References, collect
from djongo_services.storage.collector.references.lookups import DocumentSource
from djongo_services.storage.collector.references.sources import Naming, Territory
from tests.storage.collector.by_hand import make_bucket, moment, object_id

FILES = 10_000
"""The least number of files that each writer saves."""
GRACE = timedelta(seconds=2)
"""Far more than the writer takes from a file to the reference to it."""
BATCH = 100


class Writer(threading.Thread):
    """Works on separate names, so that its references are known."""

    def __init__(self, uri: str, name: str, number: int, enough: threading.Event) -> None:
        super().__init__()
        self.uri, self.name_of_database, self.number = uri, name, number
        self.enough = enough
        self.used: set[str] = set()
        self.unused: set[str] = set()
        self.saved = self.adopted = 0
        self.random = random.Random(number)

    def run(self) -> None:
        with pymongo.MongoClient[Any](self.uri) as client:
            database = client[self.name_of_database]
            while self.saved < FILES or not self.enough.is_set():
                self.save_and_refer(database)
                self.save_again(database)
                self.drop_references(database)
                self.adopt(database)

    def save_and_refer(self, database: Any) -> None:
        names = [f"{self.number}/{self.saved + n}" for n in range(BATCH)]
        self.saved += BATCH
        put_now(database, names)
        database.rows.insert_many({"name": name} for name in names)
        self.used.update(names)

    def save_again(self, database: Any) -> None:
        """A newer revision of what is in use; the older one is garbage."""
        names = self.random.sample(sorted(self.used), BATCH // 4)
        put_now(database, names)
        self.saved += len(names)

    def drop_references(self, database: Any) -> None:
        names = self.random.sample(sorted(self.used), BATCH // 2)
        database.rows.delete_many({"name": {"$in": names}})
        self.used.difference_update(names)
        self.unused.update(names)

    def adopt(self, database: Any) -> None:
        """Refer to files that are in no use, such as are there: the collector may be at them."""
        wanted = self.random.sample(sorted(self.unused), min(BATCH // 4, len(self.unused)))
        there = database["fs.files"].distinct("filename", {"filename": {"$in": wanted}})
        if there:
            database.rows.insert_many({"name": name} for name in there)
        self.adopted += len(there)
        self.used.update(there)
        self.unused.difference_update(there)


def put_now(database: Any, names: list[str]) -> None:
    """Store a file as any driver does: the chunks first."""
    ids = [ObjectId() for _ in names]
    database["fs.chunks"].insert_many(
        {"_id": ObjectId(), "files_id": id, "n": 0, "data": name.encode()}
        for id, name in zip(ids, names, strict=True)
    )
    date = moment(timedelta(0))
    database["fs.files"].insert_many(
        {
            "_id": id,
            "filename": name,
            "length": Int64(len(name)),
            "chunkSize": 4096,
            "uploadDate": date,
        }
        for id, name in zip(ids, names, strict=True)
    )


def references_of(database: Any) -> References:
    source = DocumentSource(
        collection=database.rows, path="name", model="rows", alias="default", naming=Naming()
    )
    territory = Territory(prefix="", spoken_for=True, keeps_revisions=False)
    return References(sources=(source,), territories=(territory,))


@pytest.fixture
def fs(database):
    make_bucket(database)
    database.rows.create_index("name")
    return database


def test_nothing_in_use_is_lost(fs, mongodb_server):
    old = [object_id() for _ in range(500)]
    fs["fs.chunks"].insert_many({"files_id": id, "n": 0, "data": b"orphan"} for id in old)
    references = references_of(fs)
    caught_up = threading.Event()
    writers = [Writer(mongodb_server.uri, fs.name, number, caught_up) for number in range(2)]
    for writer in writers:
        writer.start()
    collected = runs = 0
    try:
        while any(writer.is_alive() for writer in writers):
            report = collect(fs, references=references, older_than=GRACE, batch_size=500)
            collected += report.count
            runs += 1
            if collected > len(old) + FILES // 100:
                caught_up.set()
    finally:
        caught_up.set()
        for writer in writers:
            writer.join()
    collect(fs, references=references, older_than=GRACE)

    used = set().union(*(writer.used for writer in writers))
    assert {row["name"] for row in fs.rows.find()} == used
    there = {each["filename"] for each in fs["fs.files"].find()}
    assert used - there == set()
    bucket = gridfs.GridFSBucket(fs)
    for name in random.Random(0).sample(sorted(used), 300):
        assert bucket.open_download_stream_by_name(name).read() == name.encode()
    chunks = {each["files_id"] for each in fs["fs.chunks"].find({}, {"files_id": 1})}
    assert {each["_id"] for each in fs["fs.files"].find({}, {"_id": 1})} <= chunks
    # And it was a race indeed: the collector took files while the writers were at work.
    assert sum(writer.saved for writer in writers) >= 2 * FILES
    assert sum(writer.adopted for writer in writers) > 100
    assert collected > len(old) + FILES // 100
    assert runs > 1
