"""The collections of a bucket as the collector reads and writes them, and their indexes as streams.

Everything is read from the primary, whatever the client prefers: a secondary may not know yet that
a file is in use. Writes wait for the majority, so that no election undoes half of a move.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import bson
from bson import MaxKey
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure
from pymongo.read_concern import ReadConcern

from djongo_services.progress import Stop
from djongo_services.server_errors import CURSOR_LOST, RETRYABLE, UNAUTHORIZED
from djongo_services.storage.collector.bson_order import sort_key
from djongo_services.storage.collector.errors import BucketUnusable, CollectorInterrupted

Document = dict[str, Any]
Documents = Collection[Document]

CHUNKS_INDEX = (("files_id", 1), ("n", 1))
FILES_INDEX = (("filename", 1), ("uploadDate", 1))

LENIENT: CodecOptions[Document] = CodecOptions(
    document_class=dict,
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="surrogateescape",
)
"""Whatever another driver stored can be decoded."""

_RAW: CodecOptions[Any] = CodecOptions(
    document_class=RawBSONDocument,
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="surrogateescape",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketCollections:
    """``name.files``, ``name.chunks`` and the collections that this package keeps beside them."""

    name: str
    database: Database[Document]
    files: Documents
    chunks: Documents
    trash: Documents
    uploads: Documents
    journal: Documents
    """``name.gc``: runs, and the times at which files were restored."""

    @classmethod
    def of(cls, database: Database[Any], name: str) -> Self:
        plain = database.with_options(
            codec_options=LENIENT,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("local"),
            write_concern=WriteConcern("majority"),
        )
        return cls(
            name=name,
            database=plain,
            files=plain[f"{name}.files"],
            chunks=plain[f"{name}.chunks"],
            trash=plain[f"{name}.trash"],
            uploads=plain[f"{name}.uploads"],
            journal=plain[f"{name}.gc"],
        )

    def raw(self, collection: Documents) -> Collection[RawBSONDocument]:
        """The same collection with documents that are read and written unchanged, byte by byte."""
        found: Collection[RawBSONDocument] = collection.with_options(codec_options=_RAW)
        return found

    def check(self) -> None:
        """Raises BucketUnusable if the bucket does not exist, or cannot be read in order."""
        every = (self.files, self.chunks, self.trash, self.uploads, self.journal)
        names = [collection.name for collection in every]
        found = {
            each["name"]: each
            for each in self.database.list_collections(filter={"name": {"$in": names}})
        }
        if not {self.files.name, self.chunks.name} & found.keys():
            raise BucketUnusable(
                f"There is no bucket {self.name!r} in the database {self.database.name!r}; "
                f"it would have the collections {self.files.name} and {self.chunks.name}."
            )
        for name, each in found.items():
            if each.get("type", "collection") != "collection":
                raise BucketUnusable(f"{name} is a {each['type']}, not a collection.")
            if "collation" in each.get("options", {}):
                raise BucketUnusable(
                    f"{name} has a collation, under which ids that differ may sort as equal; "
                    f"copy the bucket to collections without one."
                )
        if self.chunks.name in found and not self._has_index(self.chunks, CHUNKS_INDEX):
            raise BucketUnusable(
                f"{self.chunks.name} lacks the index {{files_id: 1, n: 1}} of the GridFS "
                f"specification; create it, unique, and run again."
            )

    def now(self) -> datetime:
        """The current time by the server's clock."""
        answer: datetime = self.database.client.admin.command("hello", codec_options=LENIENT)[
            "localTime"
        ]
        return answer

    def prepare_trash(self) -> None:
        """Create the index by which entries are listed, searched and purged."""
        try:
            self.trash.create_index([("trashedAt", 1), ("_id", 1)])
        except OperationFailure as error:
            if error.code != UNAUTHORIZED:
                raise  # Without the privilege it is only slower.

    def has_names_index(self) -> bool:
        return self._has_index(self.files, FILES_INDEX)

    def _has_index(self, collection: Documents, keys: tuple[tuple[str, int], ...]) -> bool:
        """Whether there is an index of all documents: not a partial, sparse or hidden one."""
        narrowing = {"partialFilterExpression", "sparse", "hidden", "collation"}
        return any(
            tuple(index["key"].items()) == keys and not narrowing & index.keys()
            for index in collection.list_indexes()
        )


def buckets_of(database: Database[Any], *, half: bool = False) -> list[str]:
    """The buckets of a database: names that have both collections, or with ``half`` at least
    one."""
    names = database.list_collection_names()
    files = {name.removesuffix(".files") for name in names if name.endswith(".files")}
    chunks = {name.removesuffix(".chunks") for name in names if name.endswith(".chunks")}
    return sorted((files | chunks if half else files & chunks) - {""})


# Whole indexes as streams of raw batches; the next batch is fetched during the work on one.
EXACT: CodecOptions[Document] = CodecOptions(
    document_class=dict,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
    unicode_decode_error_handler="surrogateescape",
)
"""Ids in a form that can be compared and sent back, including dates beyond Python's calendar."""

BEYOND = MaxKey()
"""A value above every value that a key can have."""

ELECTION_SECONDS = 60.0
"""The time in seconds for which a stream is reopened without a primary."""
_RETRY_SECONDS = 0.5


@dataclass(kw_only=True)
class IndexStream:
    """The documents of a collection in the order of an index, as raw batches.

    The server and the client take about the same time for a batch, so that fetching one ahead
    nearly halves the total. Raw batches are cheaper than documents: with a million files, reading
    and merging both indexes takes 2.1 s of the client's CPU, and 2.7 s with PyMongo's ``find()``.

    A cursor that was lost, in an election or because the other streams delayed it for more than the
    server's ten minutes, is reopened at its position.
    """

    collection: Documents
    keys: Sequence[str]
    """The keys of the index, ascending."""
    projection: Mapping[str, Any]
    """The projection, which must contain the keys."""
    batch_size: int
    after: tuple[Any, ...] | None = None
    """Begin after this value of the keys, in the index's order of all types."""
    stop: Stop | None = None

    def batches(self) -> Generator[bytes]:
        """Raw batches; the next one is fetched in the meantime. Raises CollectorInterrupted, and
        PyMongo's errors."""
        with ThreadPoolExecutor(1, "djongo_services-collector") as fetcher:
            with closing(self._fetched()) as fetched:
                following = fetcher.submit(next, fetched, None)
                try:
                    while (batch := following.result()) is not None:
                        following = fetcher.submit(next, fetched, None)
                        yield batch
                finally:
                    following.exception()  # The generator cannot be closed while it runs.

    def _fetched(self) -> Generator[bytes]:
        after, deadline = self.after, None
        while True:
            last = b""
            try:
                for batch in self._opened(after):
                    if self.stop is not None and self.stop.is_set():
                        raise CollectorInterrupted
                    yield batch
                    last, deadline = batch, None
                return
            except (AutoReconnect, OperationFailure) as error:
                code = error.code if isinstance(error, OperationFailure) else None
                if code is not None and code not in RETRYABLE | CURSOR_LOST:
                    raise
                deadline = deadline or time.monotonic() + ELECTION_SECONDS
                if time.monotonic() > deadline:
                    raise
                if code not in CURSOR_LOST:
                    (self.stop or threading.Event()).wait(_RETRY_SECONDS)
            if last:
                after = self._position(last)

    def _opened(self, after: tuple[Any, ...] | None) -> Iterator[bytes]:
        index = [(key, 1) for key in self.keys]
        cursor: Any = self.collection.find_raw_batches(
            {}, dict(self.projection), batch_size=self.batch_size
        )
        cursor = cursor.sort(index).hint(index)
        if after is not None:
            # Unlike {$gt: ...}, min() does not distinguish types. It is inclusive.
            cursor = cursor.min(list(zip(self.keys, after, strict=True)))
        with closing(cursor):
            for batch in cursor:
                if after is not None:
                    batch, after = self._behind(batch, after), None
                if batch:
                    yield batch

    def _behind(self, batch: bytes, after: tuple[Any, ...]) -> bytes:
        """The batch without the document that the stream begins after, if that is still the
        first."""
        if not batch:
            return batch
        size = int.from_bytes(batch[:4], "little")
        first = bson.decode(batch[:size], EXACT)
        same = all(
            sort_key(first.get(key)) == sort_key(value)
            for key, value in zip(self.keys, after, strict=True)
        )
        return batch[size:] if same else batch

    def _position(self, batch: bytes) -> tuple[Any, ...]:
        """The keys of the last document of a batch."""
        start = end = 0
        while end < len(batch):
            start, end = end, end + int.from_bytes(batch[end : end + 4], "little")
        last = bson.decode(batch[start:end], EXACT)
        return tuple(last.get(key) for key in self.keys)
