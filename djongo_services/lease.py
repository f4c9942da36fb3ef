"""Allowing one run of a kind at a time: a lease in the database, timed by the server's clock.

The holder renews the lease from a thread of its own. If the holder dies, it stops renewing, and
after :data:`SECONDS` the next run takes over. Clocks of clients are irrelevant: every time is
``$$NOW``.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import threading
import uuid
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from pymongo import ReturnDocument, WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import printable

COLLECTION = "djongo_services_leases"
SECONDS = 30.0
"""How long a lease lasts after its last renewal: long enough for an election (10 to 12 s with the
server's defaults), short enough not to delay a deployment after a crash."""

Document = dict[str, Any]


class Locked(DjongoServicesError):
    """Another run is in progress."""


class LeaseLost(DjongoServicesError):
    """The lease expired and another run took over; run again."""


class Lease:
    """A context manager that acquires the lease on entering, renews it in the meantime, and
    releases it on leaving.

    Raises Locked on entering if another run holds it; :meth:`check` raises LeaseLost.
    """

    def __init__(
        self, database: Database[Document], name: str, *, doing: str, seconds: float = SECONDS
    ) -> None:
        """``name`` identifies the lease; ``doing`` describes the work in the error of other runs:
        "changing ..."."""
        majority = WriteConcern("majority")
        self._leases = database.get_collection(COLLECTION, write_concern=majority)
        self._name = name
        self._doing = doing
        self._seconds = seconds
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._released = threading.Event()
        self._renewer: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._acquire()
        self._renewer = threading.Thread(target=self._keep_renewing, daemon=True)
        self._renewer.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._released.set()
        if self._renewer is not None:
            self._renewer.join()
        try:
            self._leases.delete_one({"_id": self._name, "holder": self._holder})
        except PyMongoError:
            if exc is None:
                raise
            # The lease expires by itself; the first error is the one that the caller needs.

    def check(self) -> None:
        """Renew now, and raise LeaseLost if another run holds it.

        Call it before every operation: a process that was stopped for longer than the lease must
        not continue after another took over.
        """
        if not self._renew():
            raise LeaseLost

    def _acquire(self) -> None:
        while not self._take():
            held = self._leases.find_one({"_id": self._name})
            if held is not None:  # Otherwise it was released just now.
                raise Locked(_who(held, self._doing))

    def _take(self) -> bool:
        # $expr is refused in the filter of an upsert, so the document is created first.
        with contextlib.suppress(DuplicateKeyError):
            self._leases.insert_one({"_id": self._name, "expires": datetime.min})
        free = {"$lt": ["$expires", "$$NOW"]}
        taken = self._leases.find_one_and_update(
            {"_id": self._name, "$expr": free},
            [{"$set": {"holder": self._holder, "since": "$$NOW", "expires": self._until()}}],
            return_document=ReturnDocument.AFTER,
        )
        return taken is not None

    def _renew(self) -> bool:
        # A run that takes over writes its own name, and removes the document when it has ended: as
        # long as it has ours, no other run began, even when an election outlasted the lease.
        answer = self._leases.update_one(
            {"_id": self._name, "holder": self._holder}, [{"$set": {"expires": self._until()}}]
        )
        return answer.matched_count == 1

    def _keep_renewing(self) -> None:
        while not self._released.wait(self._seconds / 3):
            try:
                self._renew()
            except PyMongoError:
                continue  # The next attempt, or check(), shows whether it is lost.

    def _until(self) -> Document:
        return {"$add": ["$$NOW", round(self._seconds * 1000)]}


def holder_text() -> str:
    """A description of this process: ``user@host, process 4711``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # No entry in the password database, as in many containers.
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"


def _who(held: Document, doing: str) -> str:
    # A user who may write the lease may write anything into it.
    host, _, rest = printable(str(held.get("holder", "another host"))).partition(":")
    process = rest.partition(":")[0] or "?"
    since, expires = held.get("since"), held.get("expires")
    if not (isinstance(since, datetime) and isinstance(expires, datetime)):
        return f"Another run is {doing}; try again."
    return (
        f"Another run is {doing}: process {process} on {host}, since "
        f"{since:%H:%M:%S} UTC; try again when it has ended, or after {expires:%H:%M:%S} UTC "
        f"if it died."
    )
