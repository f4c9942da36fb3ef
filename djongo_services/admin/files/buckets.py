"""The buckets of a database and their sizes, without counting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from djongo_services.admin.deadline import Mongo
from djongo_services.admin.files.listing import LENIENT
from djongo_services.server_errors import UNAUTHORIZED

PER_PAGE = 20

_PARTS = ("files", "chunks", "trash", "uploads")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    documents: int
    bytes: int
    on_disk: int
    """The size in bytes, compressed and with indexes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketSizes:
    """What the server knows about a bucket's collections; None for a missing one."""

    name: str
    files: Size | None = None
    chunks: Size | None = None
    trash: Size | None = None
    uploads: Size | None = None
    is_known: bool = True
    """False if the user may not read it."""

    @property
    def on_disk(self) -> int:
        return sum(
            each.on_disk for each in (self.files, self.chunks, self.trash, self.uploads) if each
        )


def bucket_names(database: Mongo) -> list[str]:
    """The names that have both collections of GridFS; views that look like buckets do not count."""
    pattern = rf"\.({'|'.join(_PARTS)})$"
    names = _collections(database, {"$regex": pattern})
    return sorted(
        name.removesuffix(".files")
        for name in names
        if name.endswith(".files") and f"{name.removesuffix('.files')}.chunks" in names
    )


def bucket_sizes(database: Mongo, names: Sequence[str]) -> list[BucketSizes]:
    """The sizes of these buckets, read with one command."""
    if not names:
        return []
    wanted = [f"{name}.{part}" for name in names for part in _PARTS]
    there = _collections(database, {"$in": wanted})
    try:
        sizes = _sizes(database, there)
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        return [BucketSizes(name=name, is_known=False) for name in names]
    return [
        BucketSizes(
            name=name,
            files=sizes.get(f"{name}.files"),
            chunks=sizes.get(f"{name}.chunks"),
            trash=sizes.get(f"{name}.trash"),
            uploads=sizes.get(f"{name}.uploads"),
        )
        for name in names
    ]


def files_of(database: Mongo, bucket: str) -> Collection[Any]:
    return database.get_collection(f"{bucket}.files", codec_options=LENIENT)


def chunks_of(database: Mongo, bucket: str) -> Collection[Any]:
    return database.get_collection(f"{bucket}.chunks", codec_options=LENIENT)


def trash_of(database: Mongo, bucket: str) -> Collection[Any]:
    return database.get_collection(f"{bucket}.trash", codec_options=LENIENT)


def _collections(database: Mongo, name: Mapping[str, Any]) -> set[str]:
    """Names of collections that are not views. A server with thousands of them opens each one if
    more than the name is requested, and searches all if the filter has more."""
    found = database.list_collections(filter={"name": name}, nameOnly=True)
    return {each["name"] for each in found if each.get("type", "collection") == "collection"}


def _sizes(database: Mongo, collections: Iterable[str]) -> dict[str, Size]:
    names = sorted(collections)
    if not names:
        return {}
    first, *others = names
    pipeline = [
        *_STATS,
        *({"$unionWith": {"coll": name, "pipeline": _STATS}} for name in others),
    ]
    sizes: dict[str, Size] = {}
    start = len(database.name) + 1
    for found in database[first].aggregate(pipeline):
        # On a sharded cluster there is one for each shard.
        name, before = found["ns"][start:], sizes.get(found["ns"][start:])
        sizes[name] = Size(
            documents=int(found["count"]) + (before.documents if before else 0),
            bytes=int(found["size"]) + (before.bytes if before else 0),
            on_disk=int(found["disk"]) + (before.on_disk if before else 0),
        )
    return sizes


_STATS: list[dict[str, Any]] = [
    {"$collStats": {"storageStats": {}}},
    {
        "$project": {
            "_id": 0,
            "ns": 1,
            "count": {"$ifNull": ["$storageStats.count", 0]},
            "size": {"$ifNull": ["$storageStats.size", 0]},
            "disk": {"$ifNull": ["$storageStats.totalSize", "$storageStats.storageSize", 0]},
        }
    },
]
