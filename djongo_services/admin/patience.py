"""What a page asks of a server, for as long as a page may wait.

Every question has a thread of its own: it sees neither the transaction nor the session of the
request, and the page goes on without it when the time is over. A server that does not answer a
ping is not asked further.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pymongo
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils import translation
from django.utils.translation import gettext as _
from pymongo import ReadPreference
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError, ServerSelectionTimeoutError

from djongo_services.admin.troubles import trouble_text
from djongo_services.connections import Connection
from djongo_services.exceptions import DjongoServicesError

SECONDS = 1.7
"""Of a page; with the rendering it is there within two."""
REACHING = 0.7
"""The part of it after which a server that does not answer a ping is given up. The driver looks
twice a second whether there is one, and notices the end of the time when it looks."""
DOWN_SECONDS = 0.45
"""That much where no server answered the driver's last look: enough for one more."""
LONG_SECONDS = 30.0
"""Of a page whose reader has said that it may take long."""
MOST_AT_ONCE = 32
"""Questions under way in this process; a server that hangs must not collect threads."""

Mongo = Database[dict[str, Any]]
T = TypeVar("T")
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class Question(Generic[T]):
    """One thing asked; :attr:`value` and :attr:`trouble` wait for it until the page's deadline."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._done = threading.Event()
        self._value: T | None = None
        self._trouble: str | None = None

    @property
    def value(self) -> T | None:
        """The answer; None when there is a trouble."""
        self._wait()
        return self._value

    @property
    def trouble(self) -> str | None:
        """One sentence when there is no answer."""
        self._wait()
        return self._trouble

    def _wait(self) -> None:
        if self._done.is_set() or self._trouble is not None:
            return
        if not self._done.wait(self._patience.left()):
            self._trouble = self._patience.too_late

    def _run(self, work: Callable[[], T], *, is_cut_off: bool) -> None:
        left = max(self._patience.left(), 0.001) if is_cut_off else None
        try:
            with pymongo.timeout(left):
                self._value = work()
        except (PyMongoError, DatabaseError, ImproperlyConfigured, DjongoServicesError) as error:
            self._trouble = self._patience.words(error)
        finally:
            self._done.set()


class Patience:
    """The questions of one page to one connection, and how long they may take together."""

    def __init__(self, connection: Connection, seconds: float = SECONDS) -> None:
        self.connection = connection
        self._deadline = time.monotonic() + seconds
        self._seconds = seconds
        self._language = translation.get_language()
        self._reached: Question[None] | None = None

    def ask(self, work: Callable[[Mongo], T], *, is_cut_off: bool = True) -> Question[T]:
        """Have ``work`` done with the connection's database, from now on.

        It reads from the primary, or from a secondary while there is none. When the page's time
        is over, the server ends its operation, unless ``is_cut_off`` is False: then it is only
        waited for no longer.
        """
        if self._reached is None:
            self._reached = self._start(self._reach)
        reached = self._reached

        def asked() -> T:
            if reached.trouble is not None:
                raise DjongoServicesError(reached.trouble)
            return work(readable(self.connection.database))

        return self._start(asked, is_cut_off=is_cut_off)

    def left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.0)

    @property
    def too_late(self) -> str:
        return _("The server did not answer within %(seconds)s seconds.") % {
            "seconds": f"{self._seconds:g}"
        }

    def words(self, error: Exception) -> str:
        if isinstance(error, ServerSelectionTimeoutError):
            # Where a server refused the user, the driver waits for it as if it were gone.
            told = _errors(self.connection.database)
            error = next((one for one in told if isinstance(one, OperationFailure)), error)
        elif isinstance(error, PyMongoError) and error.timeout:
            return self.too_late
        return trouble_text(error, self.connection)

    def _reach(self) -> None:
        database = readable(self.connection.database)
        is_down = all(error is not None for error in _errors(database))
        # Before the page's time is over, so that the driver's own words are told.
        with pymongo.timeout(DOWN_SECONDS if is_down else self.left() * REACHING):
            database.command("ping", read_preference=ReadPreference.PRIMARY_PREFERRED)

    def _start(self, work: Callable[[], T], *, is_cut_off: bool = True) -> Question[T]:
        question: Question[T] = Question(self)
        if not _places.acquire(blocking=False):
            question._trouble = _(
                "This process waits for too many answers already; try again in a moment."
            )
            return question

        def run() -> None:
            try:
                with translation.override(self._language):
                    question._run(work, is_cut_off=is_cut_off)
            finally:
                _places.release()

        outside = contextvars.Context()
        threading.Thread(
            target=outside.run, args=(run,), name="djongo_services-admin", daemon=True
        ).start()
        return question


def _errors(database: Mongo) -> list[Exception | None]:
    """What each server said, or why it said nothing, when the driver last looked."""
    servers = database.client.topology_description.server_descriptions()
    return [server.error for server in servers.values()]


def readable(database: Mongo) -> Mongo:
    """The database as pages read it: they are there while there is no primary, too."""
    if database.read_preference != ReadPreference.PRIMARY:
        return database
    return database.with_options(read_preference=ReadPreference.PRIMARY_PREFERRED)
