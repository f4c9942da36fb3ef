"""Buckets written by hand, whose files are as old and as broken as a test needs."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
from bson import Int64, ObjectId
from pymongo.database import Database

from djongo_services.storage.collector import CollectorReport, Kind, References, collect
from djongo_services.storage.collector.references.lookups import ProviderSource

OLD = timedelta(days=10)
GRACE = timedelta(hours=48)


def moment(age: timedelta) -> datetime:
    return datetime.now(UTC) - age


def object_id(age: timedelta = OLD) -> ObjectId:
    """A new one, as if made so long ago."""
    return ObjectId(struct.pack(">I", int(moment(age).timestamp())) + os.urandom(8))


def make_bucket(database: Database[Any], bucket: str = "fs") -> None:
    database[f"{bucket}.files"].create_index([("filename", 1), ("uploadDate", 1)])
    database[f"{bucket}.chunks"].create_index([("files_id", 1), ("n", 1)], unique=True)


def put(
    database: Database[Any],
    filename: str | None,
    data: bytes = b"0123456789",
    *,
    bucket: str = "fs",
    id: Any = ...,
    age: timedelta = OLD,
    chunk_size: int = 4,
    **fields: Any,
) -> Any:
    """A file of so many chunks of four bytes; its id."""
    id = object_id(age) if id is ... else id
    put_chunks(database, id, data, bucket=bucket, age=age, chunk_size=chunk_size)
    database[f"{bucket}.files"].insert_one(
        {
            "_id": id,
            "length": Int64(len(data)),
            "chunkSize": chunk_size,
            "uploadDate": moment(age),
            **({} if filename is None else {"filename": filename}),
            **fields,
        }
    )
    return id


def put_chunks(
    database: Database[Any],
    files_id: Any,
    data: bytes = b"0123456789",
    *,
    bucket: str = "fs",
    age: timedelta = OLD,
    chunk_size: int = 4,
) -> None:
    chunks = [
        {
            "_id": object_id(age),
            "files_id": files_id,
            "n": n,
            "data": data[n * chunk_size : (n + 1) * chunk_size],
        }
        for n in range(-(-len(data) // chunk_size))
    ]
    if chunks:
        database[f"{bucket}.chunks"].insert_many(chunks)


def in_use(*names: str) -> References:
    """References to these names, and to no others, as in a project."""
    used = set(names)
    source = ProviderSource(path="tests.in_use", provider=lambda asked: used.intersection(asked))
    return References(sources=(source,), answers_for_all=True)


def run(
    database: Database[Any],
    references: References | None = None,
    *,
    older_than: timedelta = GRACE,
    **options: Any,
) -> CollectorReport:
    return collect(database, references=references or in_use(), older_than=older_than, **options)


def counts(report: CollectorReport) -> dict[Kind, int]:
    """Counts of the kinds that were found at all."""
    return {kind: found.count for kind, found in report.found.items() if found.count}


def contents(database: Database[Any], names: Iterable[str] | None = None) -> dict[str, list[bytes]]:
    """Every document of every collection, byte by byte."""
    from bson.raw_bson import RawBSONDocument

    raw = database.with_options(
        codec_options=bson.codec_options.CodecOptions(document_class=RawBSONDocument)
    )
    every = database.list_collection_names() if names is None else names
    return {name: sorted(bytes(each.raw) for each in raw[name].find()) for name in every}


def filenames(database: Database[Any], bucket: str = "fs") -> list[str]:
    return sorted(each["filename"] for each in database[f"{bucket}.files"].find())
