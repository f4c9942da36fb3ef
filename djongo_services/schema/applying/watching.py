"""Sending a long command, watching its build, and ending it on request.

The command carries a comment of its own, by which ``$currentOp`` finds both the client's operation
and the server's index builder. Killing the former makes the server abort the build, on all members,
and remove the unfinished index (measured on 4.4 to 6.0: the client gets 11601). The builder itself
is never killed: 6.0.27 crashes when that happens as it begins ("Invariant failure
_buildIsCleanedUp"), and the manual forbids it for all internal operations.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Any, TypeAlias

from pymongo.database import Database
from pymongo.errors import PyMongoError, WriteConcernError

from djongo_services.bson_decoding import LENIENT

Document = dict[str, Any]
BuildHook: TypeAlias = Callable[[int, int], None]
"""Called with the number of documents or keys done and their total, several times a build."""

POLL_SECONDS = 0.5


def send(
    database: Database[Document],
    command: Document,
    *,
    stop: threading.Event,
    progress: BuildHook | None = None,
) -> Document:
    """The server's response to the command; raises PyMongo's errors, 11601 after ``stop`` was set.

    A majority of the members has applied it when this returns, so that no election undoes it.
    """
    comment = f"djongo_services {uuid.uuid4().hex}"
    whole = {**command, "writeConcern": {"w": "majority"}, "comment": comment}
    with ThreadPoolExecutor(1, "djongo_services-schema") as worker:
        # An error repeats the values of a duplicate, which Python may be unable to represent.
        answer = worker.submit(database.command, whole, codec_options=LENIENT)
        while not wait_for([answer], timeout=POLL_SECONDS).done:
            if stop.is_set():
                _kill(database, comment)
            elif progress is not None:
                _tell(database, comment, progress)
        return _acknowledged(answer.result())


def _acknowledged(answer: Document) -> Document:
    """Check the write concern, whose failure, for example in an election, PyMongo's ``command``
    ignores."""
    failed = answer.get("writeConcernError")
    if failed:
        raise WriteConcernError(failed.get("errmsg", ""), failed.get("code"), failed)
    return answer


def _tell(database: Database[Document], comment: str, progress: BuildHook) -> None:
    for operation in _operations(database, comment):
        found = operation.get("progress")
        if found:
            progress(int(found["done"]), int(found["total"]))


def _kill(database: Database[Document], comment: str) -> None:
    clients = [one for one in _operations(database, comment) if "connectionId" in one]
    for operation in clients:
        with contextlib.suppress(PyMongoError):  # It may have ended between the two commands.
            database.client.admin.command("killOp", op=operation["opid"])


def _operations(database: Database[Document], comment: str) -> list[Document]:
    # The index builder belongs to no user: a user who sees only their own operations sees no
    # progress, but can still stop.
    for whose in ({"allUsers": True}, {}):
        pipeline: list[Document] = [
            {"$currentOp": whose},
            {"$match": {"command.comment": comment}},
        ]
        with contextlib.suppress(PyMongoError):  # Without the privilege, or during an election.
            return list(database.client.admin.aggregate(pipeline))
    return []
