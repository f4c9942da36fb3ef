"""The totals of a whole database from the server: ``dbStats``.

For them, a server opens every collection and index. With thousands of them that takes longer than
the rest of a page, so the totals of such a database are cached for a minute, and a page does not
wait for new ones.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from djongo_services.admin.deadline import Deadline, Mongo, PageQuestion
from djongo_services.connections import Connection
from djongo_services.formatting import count, size

MANY = 1_000
"""The number of collections above which totals are cached."""
KEPT_FOR = timedelta(minutes=1)
PATIENCE = 0.05
"""Seconds that a page waits for the totals of so many collections when everything else is ready."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseTotals:
    collections: int
    documents: int
    data: float
    """In bytes, like the next two."""
    storage: float
    indexes: float
    when: datetime

    @property
    def is_kept(self) -> bool:
        return self.collections > MANY

    def texts(self) -> dict[str, str]:
        return {
            "collections": count(self.collections),
            "documents": count(self.documents),
            "data": size(self.data),
            "storage": size(self.storage),
            "indexes": size(self.indexes),
        }


_latest: weakref.WeakKeyDictionary[Connection, DatabaseTotals] = weakref.WeakKeyDictionary()
_asked: weakref.WeakKeyDictionary[Connection, PageQuestion[DatabaseTotals]] = (
    weakref.WeakKeyDictionary()
)


def ask_totals(deadline: Deadline) -> PageQuestion[DatabaseTotals] | DatabaseTotals:
    """The cached totals while they are recent, otherwise the server's response, to this page or to
    an earlier one that did not wait for it."""
    connection = deadline.connection
    latest, asked = _latest.get(connection), _asked.get(connection)
    if latest is not None and latest.is_kept and datetime.now(UTC) - latest.when < KEPT_FOR:
        return latest
    if latest is not None and latest.is_kept and asked is not None and not asked.is_there_within(0):
        return asked

    def work(database: Mongo) -> DatabaseTotals:
        found = _latest[connection] = _read(database)
        return found

    # The response is also useful after the page's time.
    asked = _asked[connection] = deadline.ask(work, is_cut_off=False)
    return asked


def found_totals(
    asked: PageQuestion[DatabaseTotals] | DatabaseTotals,
    connection: Connection,
    *,
    collections: int,
) -> DatabaseTotals | None:
    """The totals that are available now, if there are many ``collections``; if necessary, older
    ones."""
    if isinstance(asked, DatabaseTotals):
        return asked
    if collections > MANY and not asked.is_there_within(PATIENCE):
        return _latest.get(connection)
    return asked.value


def is_late(asked: PageQuestion[DatabaseTotals] | DatabaseTotals) -> bool:
    return isinstance(asked, PageQuestion) and not asked.is_there_within(0)


def _read(database: Mongo) -> DatabaseTotals:
    answer: dict[str, Any] = database.command("dbStats", read_preference=database.read_preference)
    return DatabaseTotals(
        collections=int(answer.get("collections", 0)),
        documents=int(answer.get("objects", 0)),
        data=answer.get("dataSize", 0),
        storage=answer.get("storageSize", 0),
        indexes=answer.get("indexSize", 0),
        when=datetime.now(UTC),
    )
