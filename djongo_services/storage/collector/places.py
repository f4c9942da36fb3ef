"""The collections of a bucket as the collector reads and writes them.

Everything is read from the primary, whatever the client prefers: a secondary may not know yet that
a file is in use. Writes wait for the majority, so that no election brings half of a move back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from djongo_services.storage.collector.errors import BucketUnusable

Document = dict[str, Any]
Documents = Collection[Document]

CHUNKS_INDEX = (("files_id", 1), ("n", 1))
FILES_INDEX = (("filename", 1), ("uploadDate", 1))
_UNAUTHORIZED = 13

LENIENT: CodecOptions[Document] = CodecOptions(
    document_class=dict,
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="surrogateescape",
)
"""Nothing that another driver stored fails to be decoded."""

_RAW: CodecOptions[Any] = CodecOptions(
    document_class=RawBSONDocument,
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="surrogateescape",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """``name.files``, ``name.chunks`` and what this package keeps beside them."""

    name: str
    database: Database[Document]
    files: Documents
    chunks: Documents
    trash: Documents
    uploads: Documents
    journal: Documents
    """``name.gc``: runs, and when files were restored."""

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
        """The same collection, whose documents come and go byte by byte as they are."""
        found: Collection[RawBSONDocument] = collection.with_options(codec_options=_RAW)
        return found

    def check(self) -> None:
        """Raises BucketUnusable when the bucket is not there, or cannot be read in order."""
        names = [self.files.name, self.chunks.name]
        found = {
            each["name"]: each
            for each in self.database.list_collections(filter={"name": {"$in": names}})
        }
        if not found:
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
        """By the server's clock."""
        answer: datetime = self.database.client.admin.command("hello", codec_options=LENIENT)[
            "localTime"
        ]
        return answer

    def prepare_trash(self) -> None:
        """Make the index by which entries are listed, looked through and purged."""
        try:
            self.trash.create_index([("trashedAt", 1), ("_id", 1)])
        except OperationFailure as error:
            if error.code != _UNAUTHORIZED:
                raise  # Without the privilege it is slower, no more.

    def has_names_index(self) -> bool:
        return self._has_index(self.files, FILES_INDEX)

    def _has_index(self, collection: Documents, keys: tuple[tuple[str, int], ...]) -> bool:
        """Whole: no partial or sparse one, which would leave documents out, and no hidden one."""
        narrowing = {"partialFilterExpression", "sparse", "hidden", "collation"}
        return any(
            tuple(index["key"].items()) == keys and not narrowing & index.keys()
            for index in collection.list_indexes()
        )


def buckets_of(database: Database[Any], *, half: bool = False) -> list[str]:
    """The buckets of a database: names that have both collections, or with ``half`` one of them."""
    names = database.list_collection_names()
    files = {name.removesuffix(".files") for name in names if name.endswith(".files")}
    chunks = {name.removesuffix(".chunks") for name in names if name.endswith(".chunks")}
    return sorted((files | chunks if half else files & chunks) - {""})
