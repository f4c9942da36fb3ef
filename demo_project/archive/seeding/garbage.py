"""Deliberate, listed garbage such as a bucket collects over the years; ``gridfs_gc`` finds all of
it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from bson import Int64, ObjectId
from django.core.files.storage import default_storage

from demo_project.archive.seeding.keys import SEEDED_AT, all_of, key
from demo_project.archive.seeding.plates import FOLDER, plate

LONG_AGO = dt.datetime.fromtimestamp(SEEDED_AT, dt.UTC)
CHUNK = 255 * 1024
TORN = key("JUNK", 7)
"""The id of the broken file."""
SEEDED = 11


@dataclass(frozen=True, kw_only=True, slots=True)
class Garbage:
    """Something to collect: a number of findings of one kind of ``gridfs_gc``."""

    kind: str
    count: int
    says: str

    def __str__(self) -> str:
        return f"media: {self.says}"


GARBAGE = (
    Garbage(kind="orphan-chunks", count=3, says="chunks of three files whose upload never ended"),
    Garbage(kind="unreferenced", count=4, says="four plates that no medium refers to"),
    Garbage(kind="broken", count=1, says="a plate of which the second chunk is missing"),
    Garbage(kind="superseded", count=2, says="two older revisions of the first plate"),
    Garbage(kind="stale-uploads", count=1, says="an upload that was abandoned"),
)


def seed_garbage() -> None:
    """Create the garbage, in place of that of an earlier run."""
    bucket = default_storage.bucket
    seeded = all_of("JUNK")
    bucket.files.delete_many(seeded)
    bucket.uploads.delete_many(seeded)
    bucket.trash.delete_many(seeded)
    bucket.chunks.delete_many({"files_id": seeded["_id"]})
    # The collector spares restored files for a while.
    restored = [{"restored": key("JUNK", number)} for number in range(SEEDED)]
    bucket.files.database[f"{default_storage.bucket_name}.gc"].delete_many(
        {"_id": {"$in": restored}}
    )
    first = next(bucket.find({"filename": {"$regex": rf"^{FOLDER}/plate-000000\."}}))
    for number in range(3):
        _chunk(number, 0, b"lost" * 5_000)
    for number in range(3, 7):
        _file(number, f"{FOLDER}/unlabelled-{number - 2}.jpg", plate(number, "jpg"))
    _file(7, f"{FOLDER}/torn.tif", b"t" * CHUNK, length=2 * CHUNK)
    for number in (8, 9):
        _file(number, str(first.filename), plate(number, "jpg"))
    _chunk(10, 0, b"half" * 9_000)
    bucket.uploads.insert_one(
        {
            "_id": key("JUNK", 10),
            "filename": f"{FOLDER}/given-up.wav",
            "startedAt": LONG_AGO,
            "touchedAt": LONG_AGO,
            "length": Int64(36_000),
            "metadata": {"contentType": "audio/wav"},
        }
    )


def _file(number: int, filename: str, data: bytes, *, length: int | None = None) -> None:
    _chunk(number, 0, data)
    document: dict[str, Any] = {
        "_id": key("JUNK", number),
        "length": Int64(length or len(data)),
        "chunkSize": CHUNK,
        "uploadDate": LONG_AGO + dt.timedelta(minutes=number),
        "filename": filename,
        "metadata": {"contentType": "image/jpeg"},
    }
    default_storage.bucket.files.insert_one(document)


def _chunk(number: int, n: int, data: bytes) -> None:
    default_storage.bucket.chunks.insert_one(
        {
            "_id": ObjectId(key("CHNK", number).binary),
            "files_id": key("JUNK", number),
            "n": n,
            "data": data,
        }
    )
