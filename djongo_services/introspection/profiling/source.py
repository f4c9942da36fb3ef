"""The collection that is profiled: every question asked of the server while profiling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bson.codec_options import CodecOptions
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError
from pymongo.read_preferences import _ServerMode

from djongo_services.introspection.profiling.interruption import interruptible
from djongo_services.introspection.profiling.walk import split_documents
from djongo_services.introspection.progress import Stop

_NAMESPACE_NOT_FOUND = 26


@dataclass(frozen=True, slots=True)
class Identity:
    """Which collection stands behind the name."""

    exists: bool = True
    uuid: UUID | None = None
    """None for a view, and where the user may not list collections."""
    by_id: bool = True
    """Whether there is an index on ``_id``; a view and a time-series have none of their own."""


@dataclass(frozen=True, slots=True)
class Source:
    """``halt`` set ends the operation that is running, as Interrupted."""

    collection: Collection[Any]
    halt: Stop

    @classmethod
    def of(
        cls, collection: Collection[Any], halt: Stop, read_preference: _ServerMode | None
    ) -> Source:
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
            return Identity(by_id=self._has_id_index())
        if not found:
            return Identity(exists=False)
        ordinary = found[0].get("type", "collection") == "collection"
        return Identity(
            uuid=found[0].get("info", {}).get("uuid"),
            by_id=ordinary and self._has_id_index(),
        )

    def _has_id_index(self) -> bool:
        """Told by a hint, which needs no privilege beyond reading."""
        try:
            self.collection.find_one({}, {"_id": 1}, hint=[("_id", 1)])
        except OperationFailure:
            return False
        return True

    def count(self) -> int:
        """By the server's metadata; a view is counted by reading it, which ``halt`` ends."""
        # As a plain command: PyMongo's estimated_document_count takes no session to be killed by.
        with interruptible(self.collection, self.halt) as session:
            answer = self.collection.database.command(
                "count",
                self.name,
                read_preference=self.collection.read_preference,
                session=session,
                allowable_errors=[_NAMESPACE_NOT_FOUND],
            )
            return int(answer.get("n", 0))

    def sample(self, size: int) -> Iterator[bytes]:
        return self.aggregate_raw([{"$sample": {"size": size}}])

    def everything(self) -> Iterator[bytes]:
        return self.aggregate_raw([])

    def aggregate_raw(self, pipeline: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
        with interruptible(self.collection, self.halt) as session:
            cursor = self.collection.aggregate_raw_batches(
                list(pipeline), session=session, allowDiskUse=True
            )
            with cursor:
                for batch in cursor:
                    yield from split_documents(batch)

    def find_raw(self, query: Mapping[str, Any], *, limit: int, by_id: bool) -> Iterator[bytes]:
        """Raw documents, in the order of ``_id`` if ``by_id``."""
        with interruptible(self.collection, self.halt) as session:
            cursor = self.collection.find_raw_batches(dict(query), limit=limit, session=session)
            if by_id:
                cursor = cursor.sort("_id", 1).hint([("_id", 1)])
            with cursor:
                for batch in cursor:
                    yield from split_documents(batch)

    def group(self, pipeline: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        with interruptible(self.collection, self.halt) as session:
            with self.collection.aggregate(
                list(pipeline), session=session, allowDiskUse=True
            ) as cursor:
                yield from cursor


def reason(name: str, error: PyMongoError) -> str:
    """Why a query failed, as a sentence."""
    match error:
        case OperationFailure(code=13):
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
