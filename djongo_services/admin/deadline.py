"""A page's queries to a server, limited to the page's time, and the sentences for errors.

Every query has a thread of its own: it does not see the transaction or the session of the request,
and the page continues without it when the time is over. A server that does not respond to a ping is
not queried further.
"""

from __future__ import annotations

import contextvars
import logging
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

from djongo_services.conf import settings
from djongo_services.connections import Connection
from djongo_services.error_messages import describe_error, without_secrets
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import printable, shortened

REACHING = 0.7
"""The part of a page's time after which a server that does not respond to a ping is given up. The
driver checks twice a second whether there is a server, and notices the end of the time at the next
check."""
DOWN_SECONDS = 0.45
"""The time if no server responded to the driver's last check: enough for one more."""
LONG_SECONDS = 30.0
"""The time limit of a page whose user has accepted that it may take long."""
MOST_AT_ONCE = 32
"""The maximum number of queries in progress in this process; a server that hangs must not
accumulate threads."""

logger = logging.getLogger("djongo_services.admin")

Mongo = Database[dict[str, Any]]
T = TypeVar("T")
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class PageQuestion(Generic[T]):
    """One query; :attr:`value` and :attr:`trouble` wait for its result until the page's
    deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._page_deadline = deadline
        self._done = threading.Event()
        self._value: T | None = None
        self._trouble: str | None = None

    @property
    def value(self) -> T | None:
        """The result; None if there was an error."""
        self._wait()
        return self._value

    @property
    def trouble(self) -> str | None:
        """The reason as one sentence if the result is missing, otherwise None."""
        self._wait()
        return self._trouble

    def is_there_within(self, seconds: float) -> bool:
        """Whether it has a result or an error by then; it may still get one later."""
        return self._done.wait(min(seconds, self._page_deadline.left()))

    def _wait(self) -> None:
        if self._done.is_set() or self._trouble is not None:
            return
        if not self._done.wait(self._page_deadline.left()):
            self._trouble = self._page_deadline.too_late

    def _run(self, work: Callable[[], T], *, is_cut_off: bool) -> None:
        left = max(self._page_deadline.left(), 0.001) if is_cut_off else None
        try:
            with pymongo.timeout(left):
                self._value = work()
        except (PyMongoError, DatabaseError, ImproperlyConfigured, DjongoServicesError) as error:
            self._trouble = self._page_deadline.words(error)
        except Exception:
            # Without an error, the page would treat the result as empty.
            logger.exception("A part of a page of %r failed.", self._page_deadline.connection.alias)
            self._trouble = _("An error occurred; see the site's log for details.")
        finally:
            self._done.set()


class Deadline:
    """The queries of one page to one connection, and their common time limit."""

    def __init__(self, connection: Connection, seconds: float | None = None) -> None:
        """``seconds``: by default, the setting for pages."""
        seconds = settings.admin.timeout if seconds is None else seconds
        self.connection = connection
        self._deadline = time.monotonic() + seconds
        self._seconds = seconds
        self._language = translation.get_language()
        self._reached: PageQuestion[None] | None = None

    def ask(self, work: Callable[[Mongo], T], *, is_cut_off: bool = True) -> PageQuestion[T]:
        """Start ``work`` with the connection's database.

        It reads from the primary, or from a secondary while there is none. When the page's time is
        over, the server ends its operation, unless ``is_cut_off`` is False: then the page only
        stops waiting for it.
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
            # If a server refused the user, the driver waits for it as if it were down.
            told = _errors(self.connection.database)
            error = next((one for one in told if isinstance(one, OperationFailure)), error)
        elif isinstance(error, PyMongoError) and error.timeout:
            return self.too_late
        return error_text(error, self.connection)

    def _reach(self) -> None:
        database = readable(self.connection.database)
        is_down = all(error is not None for error in _errors(database))
        # Before the page's time is over, so that the driver's own message is shown.
        with pymongo.timeout(DOWN_SECONDS if is_down else self.left() * REACHING):
            database.command("ping", read_preference=ReadPreference.PRIMARY_PREFERRED)

    def _start(self, work: Callable[[], T], *, is_cut_off: bool = True) -> PageQuestion[T]:
        question: PageQuestion[T] = PageQuestion(self)
        if not _places.acquire(blocking=False):
            question._trouble = _(
                "This process is already waiting for too many responses; try again in a moment."
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
    """The error of each server at the driver's last check, or None."""
    servers = database.client.topology_description.server_descriptions()
    return [server.error for server in servers.values()]


def readable(database: Mongo) -> Mongo:
    """The database for pages, which also work without a primary."""
    if database.read_preference != ReadPreference.PRIMARY:
        return database
    return database.with_options(read_preference=ReadPreference.PRIMARY_PREFERRED)


# Errors, in the words of a page.
_LONGEST_ERROR = 1_000


def error_text(error: BaseException, connection: Connection) -> str:
    """One sentence without passwords, for errors of PyMongo, the ORM, the settings and our own
    services."""
    if isinstance(error, PyMongoError | DatabaseError | ImproperlyConfigured):
        text = describe_error(error, connection)
    else:
        text = without_secrets(printable(str(error)), connection)
    return shortened(text, _LONGEST_ERROR)
