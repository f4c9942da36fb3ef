"""A stand-in for mongos, in front of a replica set: what a client sees of a sharded cluster.

No mongos can be started here. This one speaks the wire protocol: it forwards what clients send and
changes what a mongos would answer otherwise. Its rules are those of MongoDB's manual and of the
driver specifications:

- ``hello`` names no replica set, no members and no primary, but ``msg: "isdbgrid"`` (server
  discovery and monitoring, "TopologyType Sharded"). It cannot be waited for either, so that
  nothing of the member's own answer is streamed.
- Commands of a replica set's member are unknown to mongos (:data:`MEMBERS_ONLY`), and so is the
  database ``local``.
- ``$currentOp`` gives operations of shards: ``opid`` is ``"shard:number"``.
- A transaction is pinned to the mongos that it began on; its answers carry a ``recoveryToken``,
  with which any other mongos may be asked to commit it once more, and nothing else of it ("Sharded
  transactions" of the transactions specification).
- ``atClusterTime`` is refused inside a transaction.

What it does not prove: how chunks are distributed and moved, what a router does with a query that
concerns several shards, shard keys, writes that fail on one shard alone.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, Self

from bson import CodecOptions, ObjectId, decode, encode
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion

OP_MSG: Final = 2013
OP_QUERY: Final = 2004
OP_REPLY: Final = 1
HEADER: Final = struct.Struct("<iiii")
MORE_TO_COME: Final = 1 << 1
"""The flag of a request whose answer is not waited for."""

MEMBERS_ONLY: Final = frozenset(
    name.lower()
    for name in (
        "applyOps",
        "compact",
        "dbHash",
        "lockInfo",
        "logApplicationMessage",
        "oplog",
        "reIndex",
        "repairDatabase",
        "replSetAbortPrimaryCatchUp",
        "replSetFreeze",
        "replSetGetConfig",
        "replSetGetStatus",
        "replSetInitiate",
        "replSetMaintenance",
        "replSetReconfig",
        "replSetResizeOplog",
        "replSetStepDown",
        "replSetSyncFrom",
        "resync",
        "top",
    )
)
"""Commands that a mongos does not support, in lower case."""

OF_A_MEMBER: Final = frozenset(
    {"arbiterOnly", "arbiters", "electionId", "hidden", "hosts", "lastWrite", "me", "passive"}
    | {"passives", "primary", "secondary", "secondaryDelaySecs", "setName", "setVersion"}
    | {"slaveDelay", "tags", "topologyVersion"}
)
"""Fields that only a member's ``hello`` has."""

Document = dict[str, Any]
_EXACT: CodecOptions[Document] = CodecOptions(
    document_class=dict,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)


class Refused(Exception):
    """A command that a mongos answers with an error; its arguments are code, name and words."""

    def answer(self) -> Document:
        code, name, words = self.args
        return {"ok": 0.0, "errmsg": words, "code": code, "codeName": name}


class Cluster:
    """The state that all routers of a cluster share: which transaction began on which of them."""

    def __init__(self, mongod: tuple[str, int]) -> None:
        self.mongod = mongod
        self._lock = threading.Lock()
        self._pins: dict[tuple[bytes, int], tuple[str, ObjectId]] = {}
        self.commands: list[tuple[str, str]] = []
        """The router and the name of each command that came to one."""

    def note(self, router: str, name: str) -> None:
        with self._lock:
            self.commands.append((router, name))

    def pin(self, transaction: tuple[bytes, int], router: str) -> None:
        with self._lock:
            self._pins[transaction] = (router, ObjectId())

    def pinned(self, transaction: tuple[bytes, int]) -> tuple[str, ObjectId] | None:
        with self._lock:
            return self._pins.get(transaction)


class Router(socketserver.ThreadingTCPServer):
    """One mongos of the cluster: ``with Router(cluster) as router: router.address``."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.cluster = cluster
        self._open: set[socket.socket] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Act like a mongos that is killed: its connections end, and nothing listens any more."""
        self.shutdown()
        self.server_close()
        for each in list(self._open):
            _close(each)

    @contextmanager
    def connected(self, client: socket.socket) -> Iterator[socket.socket]:
        """A connection to mongod for as long as the client's is open."""
        with socket.create_connection(self.cluster.mongod) as server:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open |= {client, server}
            try:
                yield server
            finally:
                self._open -= {client, server}


class _Connection(socketserver.BaseRequestHandler):
    server: Router

    def handle(self) -> None:
        try:
            with self.server.connected(self.request) as mongod:
                while (request := _read(self.request)) is not None:
                    answer = self._answer(request, mongod)
                    if answer is not None:
                        self.request.sendall(answer)
        except OSError:
            pass  # Either side has ended.

    def _answer(self, request: bytes, mongod: socket.socket) -> bytes | None:
        _, id, _, kind = HEADER.unpack_from(request)
        if kind == OP_QUERY:
            # The first message of a connection, and nothing else: the older form of hello.
            mongod.sendall(request)
            return _of_hello_reply(_received(mongod))
        body, start, end = _body(request)
        name = next(iter(body))
        self.server.cluster.note(self.server.address, name)
        try:
            changed = self._checked(name, body)
        except Refused as refusal:
            return _message(id, refusal.answer())
        if changed is not None:
            request = _replaced(request, start, end, changed)
        mongod.sendall(request)
        flags = struct.unpack_from("<I", request, HEADER.size)[0]
        if flags & MORE_TO_COME:
            return None
        return self._seen_through_mongos(name, body, _received(mongod))

    def _checked(self, name: str, body: Document) -> Document | None:
        """The command as the shard gets it, where it differs; raises Refused."""
        if name.lower() in MEMBERS_ONLY:
            raise Refused(59, "CommandNotFound", f"no such command: '{name}'")
        if body.get("$db") == "local":
            raise Refused(73, "InvalidNamespace", "Can't use 'local' database through mongos")
        if name == "profile" and body["profile"] not in (0, -1):
            raise Refused(72, "InvalidOptions", "Profiling is not supported on mongos")
        transaction = _transaction(body)
        if transaction is None:
            return None
        if "atClusterTime" in body.get("readConcern", {}):
            raise Refused(
                72, "InvalidOptions", "atClusterTime is not supported in transactions on mongos"
            )
        if body.get("startTransaction"):
            self.server.cluster.pin(transaction, self.server.address)
            return None
        return self._of_transaction(name, body, transaction)

    def _of_transaction(
        self, name: str, body: Document, transaction: tuple[bytes, int]
    ) -> Document | None:
        pinned = self.server.cluster.pinned(transaction)
        number = transaction[1]
        token = body.get("recoveryToken")
        if pinned is None:
            raise Refused(251, "NoSuchTransaction", f"transaction {number} is not known")
        router, id = pinned
        # Another one can find out how a commit ended, if it is told where to ask.
        is_recovery = name == "commitTransaction" and token
        if router != self.server.address and not is_recovery:
            words = f"transaction {number} was begun on another mongos"
            raise Refused(251, "NoSuchTransaction", words)
        if token is None:
            return None
        if token.get("recoveryShardId") != str(id):
            raise Refused(9, "FailedToParse", "the recoveryToken is of another transaction")
        return {key: value for key, value in body.items() if key != "recoveryToken"}

    def _seen_through_mongos(self, name: str, body: Document, answer: bytes) -> bytes:
        change = self._change_of(name, body)
        if change is None:
            return answer
        document, start, end = _body(answer)
        return _replaced(answer, start, end, change(document))

    def _change_of(self, name: str, body: Document) -> Callable[[Document], Document] | None:
        if name in ("hello", "isMaster", "ismaster"):
            return _of_router
        if name == "aggregate" and "$currentOp" in _stages(body):
            return _of_shards
        transaction = _transaction(body)
        pinned = transaction and self.server.cluster.pinned(transaction)
        if not pinned:
            return None
        token = {"recoveryShardId": str(pinned[1])}
        return lambda document: {**document, "recoveryToken": token}


def _transaction(body: Mapping[str, Any]) -> tuple[bytes, int] | None:
    """Session and number of the transaction that a command is part of."""
    if "autocommit" not in body:
        return None
    return bytes(body["lsid"]["id"]), body["txnNumber"]


def _stages(body: Document) -> set[str]:
    return {key for stage in body.get("pipeline", ()) for key in stage}


def _of_router(hello: Document) -> Document:
    kept = {key: value for key, value in hello.items() if key not in OF_A_MEMBER}
    writable = "ismaster" if "ismaster" in kept else "isWritablePrimary"
    return {**kept, writable: True, "msg": "isdbgrid"}


def _of_shards(answer: Document) -> Document:
    cursor = answer.get("cursor")
    if cursor is None:
        return answer
    found = [
        {**each, "shard": "shard", **({"opid": f"shard:{each['opid']}"} if "opid" in each else {})}
        for each in cursor["firstBatch"]
    ]
    return {**answer, "cursor": {**cursor, "firstBatch": found}}


# The wire protocol.
def _read(connection: socket.socket) -> bytes | None:
    """The next message; None where the other side has closed the connection."""
    start = _exactly(connection, 4)
    if start is None:
        return None
    rest = _exactly(connection, struct.unpack("<i", start)[0] - 4)
    return None if rest is None else start + rest


def _received(connection: socket.socket) -> bytes:
    message = _read(connection)
    if message is None:
        raise ConnectionResetError
    return message


def _exactly(connection: socket.socket, number: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < number:
        part = connection.recv(number - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)


def _body(message: bytes) -> tuple[Document, int, int]:
    """The document of the command or of its answer, and where it begins and ends."""
    position = HEADER.size + 4
    while True:
        kind = message[position]
        start = position + 1
        size = struct.unpack_from("<i", message, start)[0]
        if kind == 0:
            end = start + size
            return decode(message[start:end], _EXACT), start, end
        position = start + size  # a sequence of documents


def _replaced(message: bytes, start: int, end: int, document: Document) -> bytes:
    whole = message[:start] + encode(document, codec_options=_EXACT) + message[end:]
    # A checksum would be another one now; no driver of Python sends any.
    return struct.pack("<i", len(whole)) + whole[4:]


def _message(answers: int, document: Document) -> bytes:
    body = struct.pack("<I", 0) + b"\x00" + encode(document)
    return HEADER.pack(HEADER.size + len(body), 0, answers, OP_MSG) + body


def _of_hello_reply(reply: bytes) -> bytes:
    start = HEADER.size + 20
    document = decode(reply[start:], _EXACT)
    whole = reply[:start] + encode(_of_router(document), codec_options=_EXACT)
    return struct.pack("<i", len(whole)) + whole[4:]


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
