"""The writes that a transaction has made, so that they can be repeated on the same snapshot.

An error of the server ends the whole transaction, so nothing can be undone in it. The state before
a savepoint is restored by beginning again and repeating what was acknowledged until then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import bson
from bson.codec_options import DEFAULT_CODEC_OPTIONS, CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from djongo_services.conf import settings

Document = dict[str, Any]

WRITES = frozenset({"insert", "update", "delete", "findAndModify", "bulkWrite"})
"""Commands that change something in a transaction."""

_OF_THE_SESSION = frozenset(
    {"lsid", "txnNumber", "autocommit", "startTransaction", "readConcern", "writeConcern"}
    | {"$clusterTime", "$db", "$readPreference"}
)
"""What a command has from its session; a repeated one has it from its own session."""
_CHANGING = re.compile(rb"\$\$NOW|\$\$CLUSTER_TIME|\$currentDate|\$rand|\$sampleRate")
"""Operators whose results differ each time."""
_TOGETHER = 1000
"""The number of documents of neighbouring inserts that are sent together."""
_SIZE_TOGETHER = 16 << 20
"""The maximum size of these documents, in bytes: a third of what a message can hold."""
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


@dataclass(frozen=True, slots=True)
class Write:
    """One acknowledged command."""

    database: str
    command: bytes
    """The command as BSON, without the parts from its session and without :attr:`documents`."""
    documents: tuple[bytes, ...] | None
    """What it inserted, as BSON; None for other commands."""
    size: int
    """The size of the command and the documents, in bytes."""
    upserted: tuple[Document, ...] = ()
    """``{"index": ..., "_id": ...}`` for each document that it inserted by an upsert."""

    @property
    def can_be_repeated(self) -> bool:
        return _CHANGING.search(self.command) is None


class WriteLog:
    """The recorded writes of one transaction."""

    __slots__ = ("_limit", "_size", "codec_options", "is_paused", "unkept", "writes")

    def __init__(self) -> None:
        self.codec_options: CodecOptions[Any] = DEFAULT_CODEC_OPTIONS
        """The client's options, which can encode most of what its users write."""
        self.writes: list[Write] = []
        self.unkept = ""
        """Why recording has ended, for error messages."""
        self._size = 0
        """The size in bytes."""
        self._limit: int | None = None
        """The maximum size; read with the first write."""
        self.is_paused = False
        """Whether its writes are not recorded, because they are known already."""

    def add(self, write: Write) -> None:
        if self._limit is None:
            self._limit = settings.transaction.savepoint_log
        self._size += write.size
        if self._size > self._limit:
            self._keep_no_more(
                f"The transaction has written more than {self._limit:,} bytes, which is what "
                f"savepoints keep; raise TRANSACTION['SAVEPOINT_LOG']."
            )
        if not self.unkept:
            self.writes.append(write)

    def cannot_encode(self) -> None:
        """Handle a write that only its collection's own ``codec_options`` can encode."""
        self._keep_no_more(
            "The transaction has written a value that only its collection's codec_options can "
            "encode; give them to the client."
        )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not record within the block."""
        self.is_paused = True
        try:
            yield
        finally:
            self.is_paused = False

    def go_back_to(self, writes: list[Write]) -> None:
        """Drop the later writes."""
        self.writes = writes
        self._size = sum(write.size for write in writes)

    def _keep_no_more(self, reason: str) -> None:
        self.unkept = self.unkept or reason
        self.writes = []


class WriteRecorder(CommandListener):
    """Records, for each open transaction, the writes that the server has acknowledged."""

    def __init__(self) -> None:
        self._open: dict[bytes, WriteLog] = {}
        self._sent: dict[int, tuple[WriteLog, Write]] = {}

    def __bool__(self) -> bool:
        """Whether there is anything to record."""
        return bool(self._open)

    def watch(self, session: Any, log: WriteLog) -> bytes:
        """Record until :meth:`forget` is called with the returned key."""
        key = bytes(session.session_id["id"])
        self._open[key] = log
        return key

    def forget(self, key: bytes) -> None:
        self._open.pop(key, None)

    def sent(self, command: Mapping[str, Any], database: str, request_id: int) -> None:
        if command.get("autocommit") is not False or next(iter(command)) not in WRITES:
            return
        log = self._open.get(bytes(command["lsid"]["id"]))
        if log is not None and not log.is_paused:
            try:
                self._sent[request_id] = (log, _write(command, database, log.codec_options))
            except Exception:  # noqa: BLE001 - of whatever codec the collection has of its own
                log.cannot_encode()

    def answered(self, reply: Mapping[str, Any], request_id: int) -> None:
        sent = self._sent.pop(request_id, None)
        if sent is None or "writeErrors" in reply:
            return
        log, write = sent
        if "upserted" in reply:
            write = replace(write, upserted=tuple(dict(one) for one in reply["upserted"]))
        log.add(write)

    def refused(self, request_id: int) -> None:
        self._sent.pop(request_id, None)

    # The same from PyMongo's events, if the project has listeners of its own.

    def started(self, event: CommandStartedEvent) -> None:
        self.sent(event.command, event.database_name, event.request_id)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self.answered(event.reply, event.request_id)

    def failed(self, event: CommandFailedEvent) -> None:
        self.refused(event.request_id)


recorder = WriteRecorder()
"""The listener of all clients of the engine."""


def _write(command: Mapping[str, Any], database: str, options: CodecOptions[Any]) -> Write:
    kept = {name: value for name, value in command.items() if name not in _OF_THE_SESSION}
    documents: tuple[bytes, ...] | None = None
    if "documents" in kept:
        inserted = kept.pop("documents")
        documents = tuple(bson.encode(each, codec_options=options) for each in inserted)
    rest = bson.encode(kept, codec_options=options)
    return Write(database, rest, documents, len(rest) + sum(map(len, documents or ())))


def repetitions(writes: list[Write]) -> Iterator[tuple[str, Document]]:
    """The database and command of each write; neighbouring inserts into one collection together."""
    for together in _together(writes):
        yield together[0].database, _command(together)


def _together(writes: list[Write]) -> Iterator[list[Write]]:
    group: list[Write] = []
    count = size = 0
    for write in writes:
        added = len(write.documents or ())
        if group and not (
            write.documents is not None
            and (write.database, write.command) == (group[0].database, group[0].command)
            and count + added <= _TOGETHER
            and size + write.size <= _SIZE_TOGETHER
        ):
            yield group
            group, count, size = [], 0, 0
        group.append(write)
        count, size = count + added, size + write.size
    if group:
        yield group


def _command(writes: list[Write]) -> Document:
    """One command for several inserts, or for one write of another kind."""
    first = writes[0]
    command = dict(RawBSONDocument(first.command, _RAW))
    if first.documents is not None:
        command["documents"] = [
            RawBSONDocument(document, _RAW)
            for write in writes
            for document in write.documents or ()
        ]
    if first.upserted:
        command["updates"] = [dict(one) for one in command["updates"]]
        for upserted in first.upserted:
            _give_id(command["updates"][upserted["index"]], upserted["_id"])
    return command


def _give_id(update: Document, key: Any) -> None:
    """Make a repeated upsert insert with the key that the application has seen."""
    if "_id" in update["q"]:
        return
    change = update["u"]
    if isinstance(change, Mapping) and not next(iter(change), "$").startswith("$"):
        update["u"] = {"_id": key, **change}
    elif isinstance(change, Mapping):
        update["u"] = {**change, "$setOnInsert": {**change.get("$setOnInsert", {}), "_id": key}}
    else:
        update["u"] = [*change, {"$set": {"_id": key}}]
