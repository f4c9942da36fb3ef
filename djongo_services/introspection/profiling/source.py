"""The collection that is profiled, with all queries that are sent while profiling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bson.codec_options import CodecOptions
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError
from pymongo.read_preferences import _ServerMode

from djongo_services import server_errors
from djongo_services.introspection.profiling.interruption import aggregate, interruptible
from djongo_services.introspection.profiling.walk import split_documents
from djongo_services.progress import Stop

_FIRST_BATCH = 16
"""The number of first documents, whose size determines the number in the next batch."""
_BATCH_BYTES = 2 * 1024 * 1024
"""The size of a batch of large documents, such as chunks of files. Otherwise the server sends 16 MB
at once, and each of several threads has two or three copies of that."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of the collection with a name."""

    exists: bool = True
    uuid: UUID | None = None
    """None for a view, and if the user may not list collections."""
    by_id: bool = True
    """Whether there is an index on ``_id``; a view and a time series have none."""
    collated: bool = False
    """Whether the order of strings may differ from that of their bytes."""


@dataclass(frozen=True, slots=True)
class CollectionSource:
    """A collection; setting ``halt`` ends the running operation with ProfilingInterrupted."""

    collection: Collection[Any]
    halt: Stop

    @classmethod
    def of(
        cls, collection: Collection[Any], halt: Stop, read_preference: _ServerMode | None
    ) -> CollectionSource:
        plain: Collection[Any] = collection.with_options(
            codec_options=CodecOptions(), read_preference=read_preference
        )
        return cls(plain, halt)

    @property
    def name(self) -> str:
        return self.collection.name

    def identity(self) -> Identity:
        try:
            found = list(self.collection.database.list_collections(filter={"name": self.name}))
        except OperationFailure:
            return Identity(by_id=self._has_id_index(), collated=True)
        if not found:
            return Identity(exists=False)
        ordinary = found[0].get("type", "collection") == "collection"
        return Identity(
            uuid=found[0].get("info", {}).get("uuid"),
            by_id=ordinary and self._has_id_index(),
            collated="collation" in found[0].get("options", {}),
        )

    def _has_id_index(self) -> bool:
        """Whether a hint finds the index, which needs no privilege except reading."""
        try:
            self.collection.find_one({}, {"_id": 1}, hint=[("_id", 1)])
        except OperationFailure:
            return False
        return True

    def count(self) -> int:
        """The count in the server's metadata; a view is counted by reading it, which ``halt`` can
        end."""
        # As a plain command: PyMongo's estimated_document_count accepts no session by which it
        # could be killed.
        with interruptible(self.collection, self.halt) as session:
            answer = self.collection.database.command(
                "count",
                self.name,
                read_preference=self.collection.read_preference,
                session=session,
                allowable_errors=[server_errors.NAMESPACE_NOT_FOUND],
            )
            return int(answer.get("n", 0))

    def sample(self, size: int) -> Iterator[bytes]:
        return self.aggregate_raw([{"$sample": {"size": size}}])

    def everything(self) -> Iterator[bytes]:
        return self.aggregate_raw([])

    def first(self, number: int) -> Iterator[bytes]:
        """The first documents, at most ``number``, in one batch if they fit."""
        with interruptible(self.collection, self.halt) as session:
            cursor = self.collection.find_raw_batches(
                limit=number, batch_size=number, session=session
            )
            with cursor:
                for batch in cursor:
                    yield from split_documents(batch)

    def aggregate_raw(self, pipeline: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
        with interruptible(self.collection, self.halt) as session:
            cursor = self.collection.aggregate_raw_batches(
                list(pipeline), session=session, allowDiskUse=True, batchSize=_FIRST_BATCH
            )
            with cursor:
                for batch in cursor:
                    documents = 0
                    for document in split_documents(batch):
                        documents += 1
                        yield document
                    cursor.batch_size(max(_BATCH_BYTES * documents // max(len(batch), 1), 1))

    def find_raw(self, query: Mapping[str, Any], *, limit: int, by_id: bool) -> Iterator[bytes]:
        """Raw documents, in the order of ``_id`` if ``by_id``."""
        with interruptible(self.collection, self.halt) as session:
            cursor = self.collection.find_raw_batches(dict(query), limit=limit, session=session)
            if by_id:
                cursor = cursor.sort("_id", 1).hint([("_id", 1)])
            with cursor:
                for batch in cursor:
                    yield from split_documents(batch)

    def group(self, pipeline: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run an aggregation; field names are compared by their bytes, except in a view with
        another collation."""
        return aggregate(self.collection, pipeline, stop=self.halt, tolerant=True)


def reason(name: str, error: PyMongoError) -> str:
    """Why a query failed, as a sentence."""
    match error:
        case OperationFailure(code=server_errors.UNAUTHORIZED):
            return f"the user may not read {name} any more."
        case OperationFailure():
            message = (error.details or {}).get("errmsg") or str(error)
            return f"the server answered: {message}".rstrip(".") + "."
        case ConnectionFailure():
            return f"the connection to the server was lost ({_first_line(error)})."
        case _:
            return f"{_first_line(error)}."


def _first_line(error: PyMongoError) -> str:
    return str(error).partition("\n")[0].partition(", Timeout:")[0].rstrip(".")
