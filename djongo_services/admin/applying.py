"""Changing a database for a page: begun in a thread of this process, which goes on when the page
has been answered. What it does stands in the history, where every process sees it."""

from __future__ import annotations

import atexit
import contextvars
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from bson import ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from djongo_services.admin.patience import Mongo
from djongo_services.admin.troubles import trouble_text
from djongo_services.connections import Connection
from djongo_services.exceptions import DjongoServicesError
from djongo_services.schema.applying.running import OperationRefused
from djongo_services.schema.plan import Plan
from djongo_services.schema.reporting import duplicates_text
from djongo_services.schema.signals import schema_synced

SECONDS = 1.5
"""How long a page waits for the end; most changes take less."""

EXIT_SECONDS = 5.0
"""How long the end of the process waits for changes to be interrupted and noted as that."""

logger = logging.getLogger("djongo_services.admin")
_under_way: set[Attempt] = set()


@dataclass(kw_only=True, slots=True, eq=False)
class Attempt:
    """A change under way; its thread fills in how it ended."""

    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    run: ObjectId | None = None
    """In the history, once it has ended well."""
    trouble: str | None = None
    """One sentence, where it ended otherwise."""

    @property
    def goes_on(self) -> bool:
        return not self.ended.is_set()


def attempt(
    connection: Connection,
    work: Callable[[Mongo, threading.Event], ObjectId],
    *,
    plan: Plan | None = None,
    seconds: float = SECONDS,
) -> Attempt:
    """Begin ``work``, wait for at most ``seconds``, and tell how far it is.

    ``work`` takes the database, and an event that is set when the process ends.

    When ``plan`` is what it applies, the signal ``schema_synced`` is sent at its end.
    """
    tried = Attempt()
    _under_way.add(tried)

    def run() -> None:
        try:
            tried.run = work(connection.database, tried.stop)
            if plan is not None:
                schema_synced.send_robust(Plan, using=connection.alias, plan=plan, run=tried.run)
        except (PyMongoError, DatabaseError, ImproperlyConfigured, DjongoServicesError) as error:
            tried.trouble = _words(error, connection)
            logger.warning("A change of %r failed: %s", connection.alias, tried.trouble)
        finally:
            _under_way.discard(tried)
            tried.ended.set()

    outside = contextvars.Context()
    threading.Thread(
        target=outside.run, args=(run,), name="djongo_services-apply", daemon=True
    ).start()
    tried.ended.wait(seconds)
    return tried


def _words(error: Exception, connection: Connection) -> str:
    text = trouble_text(error, connection)
    if isinstance(error, OperationRefused) and error.duplicates:
        return f"{text} {duplicates_text(error.duplicates[:3]).strip()}"
    return text


@atexit.register
def _interrupt() -> None:
    """So that the history does not say for ever that they run."""
    begun = list(_under_way)
    for tried in begun:
        tried.stop.set()
    for tried in begun:
        tried.ended.wait(EXIT_SECONDS)
