"""Changing a database for a page, in a thread of this process that continues after the page has
responded. The changes are recorded in the history, which every process can read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from bson import ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from djongo_services.admin.deadline import Mongo, error_text
from djongo_services.admin.jobs.background import Background, a_moment
from djongo_services.connections import Connection
from djongo_services.exceptions import DjongoServicesError
from djongo_services.schema.applying import ApplyProgress, OperationRefused
from djongo_services.schema.plan import Plan
from djongo_services.schema.reporting import duplicates_text
from djongo_services.schema.signals import schema_synced

logger = logging.getLogger("djongo_services.admin")


@dataclass(kw_only=True, eq=False)
class Attempt(Background):
    """A change in progress; its thread sets the result."""

    run: ObjectId | None = None
    """Its id in the history, once its first step has begun."""
    trouble: str | None = None
    """One sentence, if it failed."""

    @property
    def goes_on(self) -> bool:
        return not self.ended.is_set()

    def told(self, at: ApplyProgress) -> None:
        """A hook for :func:`~djongo_services.schema.applying.apply`."""
        self.run = at.run


def attempt(
    connection: Connection,
    work: Callable[[Mongo, Attempt], ObjectId],
    *,
    plan: Plan | None = None,
) -> Attempt:
    """Begin ``work``, wait a moment, and return its state.

    ``work`` takes the database and the attempt, whose ``stop`` is set when the process ends.

    If it applies a ``plan``, the signal ``schema_synced`` is sent at its end.
    """
    tried = Attempt()

    def run() -> None:
        try:
            tried.run = work(connection.database, tried)
            if plan is not None:
                schema_synced.send_robust(Plan, using=connection.alias, plan=plan, run=tried.run)
        except (PyMongoError, DatabaseError, ImproperlyConfigured, DjongoServicesError) as error:
            tried.trouble = _words(error, connection)
            logger.warning("A change of %r failed: %s", connection.alias, tried.trouble)

    tried.begin(run, name="apply", seconds=a_moment())
    return tried


def _words(error: Exception, connection: Connection) -> str:
    text = error_text(error, connection)
    if isinstance(error, OperationRefused) and error.duplicates:
        return f"{text} {duplicates_text(error.duplicates[:3]).strip()}"
    return text
