"""How far a migration has come, written down so that it can be taken up again.

The server commits each change of a schema at once. Where ``migrate`` is interrupted within a
migration, or an operation of it fails, the next run begins that migration anew: what is done
already is passed over then, and the operation that was at work finds what it had noted.

One document for each migration that has begun, called by its first operation. It counts as long as
the same migrations are applied as when it began: once Django has recorded that one is applied, or
no longer, it is of no use.
"""

from __future__ import annotations

import hashlib
from typing import Any

import bson
from bson.binary import Binary
from pymongo import WriteConcern
from pymongo.database import Database

COLLECTION = "djongo_services_migrations"

_RECORDED = "django_migrations"
"""Where Django records which migrations are applied."""

Document = dict[str, Any]


class MigrationJournal:
    """The operations of one migration, from the opening of a schema editor to its end."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._kept = database.get_collection(COLLECTION, write_concern=WriteConcern("majority"))
        self._applied = ""
        self._id: str | None = None
        self._done: list[str] = []
        """Operations of this run, including those that an earlier run had done."""
        self._earlier: list[str] = []
        """Operations that the earlier run had ended, in order."""
        self._interrupted: str | None = None
        """The one that it was at."""
        self._notes: Document = {}

    def was_done(self, operation: str) -> bool:
        """Whether the earlier run has ended it, and all before it were the same as now."""
        if self._id is None:
            self._load(operation)
        place = len(self._done)
        return place < len(self._earlier) and self._earlier[place] == operation

    def pass_over(self, operation: str) -> None:
        self._done.append(operation)

    def begin(self, operation: str) -> bool:
        """Whether the earlier run had begun it; what it noted is there then."""
        resumed = (
            self._earlier[: len(self._done)] == self._done
            and len(self._earlier) == len(self._done)
            and self._interrupted == operation
        )
        if not resumed:
            self._notes = {}
        self._interrupted, self._earlier = None, []
        changes = {
            "applied": self._applied,
            "done": self._done,
            "at": operation,
            "notes": self._notes,
        }
        self._kept.update_one({"_id": self._id}, {"$set": changes}, upsert=True)
        return resumed

    def end(self, operation: str) -> None:
        self._done.append(operation)
        self._notes = {}

    def noted(self, name: str, value: Document) -> Document:
        """The value that was noted first under the name, by this run or the earlier one."""
        name = name.replace(".", "/")
        found = self._notes.get(name)
        if found is not None:
            return dict(bson.decode(found))
        # Queries have keys with dots and dollars, which documents of older servers cannot have.
        self._notes[name] = Binary(bson.encode(value))
        self._kept.update_one({"_id": self._id}, {"$set": {f"notes.{name}": self._notes[name]}})
        return value

    def _load(self, first: str) -> None:
        self._id = first
        self._applied = forget_ended(self._database)
        found = self._kept.find_one({"_id": first}) or {}
        self._earlier = list(found.get("done", ()))
        self._interrupted = found.get("at")
        self._notes = dict(found.get("notes", {}))


def forget_ended(database: Database[Document]) -> str:
    """Remove what other migrations than now were applied at; which are applied now, as a digest.

    Called whenever a migration begins, so that an old document is gone before the same migrations
    can be applied again.
    """
    names = sorted(
        f"{one.get('app')}.{one.get('name')}"
        for one in database[_RECORDED].find({}, {"app": 1, "name": 1})
    )
    applied = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    database[COLLECTION].delete_many({"applied": {"$ne": applied}})
    return applied
