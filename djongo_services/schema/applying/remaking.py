"""Creating a collection, or recreating it, while others write: any command may be the last.

The next step is always determined from the database, so everything can be repeated.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Any

from bson import decode_all
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference, WriteConcern
from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure

from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Collection
from djongo_services.schema.applying.watching import BuildHook, send
from djongo_services.schema.diff.collections import as_asked, is_made_by_insert
from djongo_services.schema.diff.filters import freeze
from djongo_services.schema.diff.matching import same
from djongo_services.schema.operations import BuildIndexes, CreateCollection
from djongo_services.schema.remaking import (
    FinishRemaking,
    RemakeCollection,
    aside_name,
    fresh_name,
)
from djongo_services.server_errors import DUPLICATE_KEY, NAMESPACE_EXISTS, NAMESPACE_NOT_FOUND

Document = dict[str, Any]

ATTEMPTS = 100
"""How often, in one run, a collection that the server created for a document is set aside."""
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


class InTheWay(Exception):
    """The existing collection cannot be replaced; the message is a sentence without its name."""


@dataclass(kw_only=True, slots=True)
class Remaking:
    """The commands that create a collection."""

    database: Database[Document]
    stop: threading.Event
    check: Callable[[], None]
    """Raises an exception to stop; called before each command."""
    progress: BuildHook | None = None

    def create(self, operation: CreateCollection) -> None:
        """Raises InTheWay if another collection has the name by now."""
        try:
            self._send(operation.command())
        except OperationFailure as error:
            found = self._read(operation.collection)
            if error.code != NAMESPACE_EXISTS or found is None:
                raise
            if not as_asked(found, operation.options):
                raise InTheWay(
                    "a collection of this name with other options was created in the "
                    "meantime; make a new plan"
                ) from error

    def remake(self, operation: RemakeCollection) -> None:
        """Raises InTheWay, and what PyMongo raises."""
        name, is_placed = operation.collection, "timeseries" not in operation.options
        asides: list[str] = []
        attempts = 0
        while (found := self._read(name)) is None or not as_asked(found, operation.options):
            asides += self._asides(name, after=len(asides))
            if found is not None:
                self._refuse_others(operation, found, asides)
            if attempts == ATTEMPTS:
                raise InTheWay(
                    f"it was written to {attempts} times in the moment between its old and its "
                    f"new collection; stop what writes to it and run again, which brings back "
                    f"what was written"
                )
            attempts += 1
            if is_placed:
                self._make_fresh(operation)
            if found is not None:
                self._refuse_others(operation, found, asides)
                self._rename(name, aside_name(name, len(asides) + 1))
            if is_placed:
                self._rename(fresh_name(name), name)
            else:  # Time-series collections cannot be renamed.
                self._send_unless({NAMESPACE_EXISTS}, operation.command())
        self._build(name, operation)

    def finish(self, operation: FinishRemaking) -> None:
        """Raises InTheWay if documents cannot be restored."""
        name = operation.collection
        # From the last to the first: the first one indicates that there may be others.
        for aside in reversed(self._asides(name)):
            self._bring_back(aside, name)
            self._drop(aside)
        fresh = self._read(fresh_name(name))
        if fresh is not None and self._is_empty(fresh.name):
            self._drop(fresh.name)

    def _make_fresh(self, operation: RemakeCollection) -> None:
        name = fresh_name(operation.collection)
        left = self._read(name)
        if left is not None and not _is_usable(left, operation):
            if not self._is_empty(name):
                raise InTheWay(f"the collection {name} has documents; rename or drop it")
            self._drop(name)
            left = None
        if left is None:
            self._send({"create": name, **operation.options})
        self._build(name, operation)

    def _build(self, name: str, operation: RemakeCollection) -> None:
        if operation.indexes:
            self._send(BuildIndexes(collection=name, indexes=operation.indexes).command())

    def _refuse_others(
        self, operation: RemakeCollection, found: Collection, asides: Sequence[str]
    ) -> None:
        """Set aside only what the plan saw without documents, and what the server has created for a
        document since then."""
        is_planned = freeze(found.options) == freeze(operation.found)
        if is_planned and self._is_empty(found.name):
            return
        if asides and is_made_by_insert(found):
            return
        if asides:
            raise InTheWay(
                f"another collection was created in the meantime, and earlier documents are in "
                f"{', '.join(asides)}; make a new plan, which restores them"
            )
        if is_planned:
            raise InTheWay(
                "it now has documents and was not recreated; copy them into a new collection"
            )
        raise InTheWay("another collection was created in the meantime; make a new plan")

    def _bring_back(self, aside: str, name: str) -> None:
        """Copy each document unchanged, in batches as the server sends them."""
        majority = WriteConcern("majority")
        primary = ReadPreference.PRIMARY
        source = self.database.get_collection(aside, read_preference=primary)
        target = self.database.with_options(codec_options=_RAW).get_collection(
            name, write_concern=majority, read_preference=primary
        )
        is_capped = source.options().get("capped", False)
        kept, reason = 0, ""
        batches: Iterable[Any] = source.find_raw_batches(batch_size=1000)
        for batch in batches:
            self.check()
            documents = decode_all(batch, _RAW)
            refused = _insert(target, documents)
            moved = [one["_id"] for n, one in enumerate(documents) if n not in refused]
            if moved and not is_capped:  # Before 5.0, nothing can be deleted from those.
                source.delete_many({"_id": {"$in": moved}})
            kept += len(refused)
            reason = reason or next(iter(refused.values()), "")
        if kept:
            were = "document that was" if kept == 1 else "documents that were"
            them = "it" if kept == 1 else "them"
            raise InTheWay(
                f"{kept:,} {were} written during the recreation cannot be restored from the "
                f"collection {aside} ({reason}); insert or remove {them}, and run again"
            )

    def _rename(self, old: str, new: str) -> None:
        """Rename, unless another process was faster; the next check shows that."""
        name = self.database.name
        command = {"renameCollection": f"{name}.{old}", "to": f"{name}.{new}"}
        admin = self.database.client.admin
        self._send_unless({NAMESPACE_EXISTS, NAMESPACE_NOT_FOUND}, command, admin)

    def _drop(self, name: str) -> None:
        self._send_unless({NAMESPACE_NOT_FOUND}, {"drop": name})

    def _send_unless(
        self, codes: set[int], command: Document, database: Database[Document] | None = None
    ) -> None:
        try:
            self._send(command, database)
        except OperationFailure as error:
            if error.code not in codes:
                raise

    def _send(self, command: Document, database: Database[Document] | None = None) -> None:
        self.check()
        target = self.database if database is None else database
        send(target, command, stop=self.stop, progress=self.progress)

    def _asides(self, name: str, after: int = 0) -> list[str]:
        """The collections that were set aside; there are no gaps, because the last one goes
        first."""
        numbered = (aside_name(name, number) for number in count(after + 1))
        return list(takewhile(lambda aside: self._read(aside) is not None, numbered))

    def _is_empty(self, name: str) -> bool:
        collection = self.database.get_collection(name, read_preference=ReadPreference.PRIMARY)
        return collection.find_one({}, {"_id": True}) is None

    def _read(self, name: str) -> Collection | None:
        catalog = read_catalog(
            self.database.with_options(read_preference=ReadPreference.PRIMARY),
            names=[name],
            statistics=False,
            usage=False,
            multikey=False,
        )
        return next(iter(catalog.collections), None)


def _is_usable(left: Collection, operation: RemakeCollection) -> bool:
    """Whether an interrupted attempt with the same goal left it."""
    wanted = {spec.name: spec for spec in operation.indexes}
    inherited = left.options.get("collation")
    own = [index for index in left.indexes if not (index.is_id or index.clustered)]
    return as_asked(left, operation.options) and all(
        index.name in wanted and same(wanted[index.name], index, inherited) for index in own
    )


def _insert(
    target: MongoCollection[RawBSONDocument], documents: Sequence[RawBSONDocument]
) -> dict[int, str]:
    """By position, the documents that were refused, and why. Existing ones do not count."""
    try:
        target.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        refused = {int(one["index"]): one for one in error.details["writeErrors"]}
        return {
            number: str(one.get("errmsg", ""))
            for number, one in refused.items()
            if not (one.get("code") == DUPLICATE_KEY and _is_there(target, documents[number]))
        }
    return {}


def _is_there(target: MongoCollection[RawBSONDocument], document: RawBSONDocument) -> bool:
    found = target.find_one({"_id": document["_id"]})
    return found is not None and found.raw == document.raw
