"""The progress of a migration, recorded so that it can be continued.

The server commits each change of a schema at once. If ``migrate`` is interrupted within a
migration, or an operation of it fails, the next run starts that migration again: completed
operations are skipped, and the interrupted one finds what it had recorded.

There is one document for each migration that has begun, named after its first operation. It is
valid as long as the same migrations are applied as when it began: once Django has recorded that
another one is applied, or no longer applied, it is useless.
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
        """Operations of this run, including those that an earlier run had completed."""
        self._earlier: list[str] = []
        """Operations that the earlier run had completed, in order."""
        self._interrupted: str | None = None
        """The operation that was interrupted."""
        self._notes: Document = {}

    def was_done(self, operation: str) -> bool:
        """Whether the earlier run has completed it, after the same operations as now."""
        if self._id is None:
            self._load(operation)
        place = len(self._done)
        return place < len(self._earlier) and self._earlier[place] == operation

    def pass_over(self, operation: str) -> None:
        self._done.append(operation)

    def begin(self, operation: str) -> bool:
        """Begin an operation, and return whether the earlier run had begun it; its records are
        available then."""
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
        """The value that was first recorded under the name, by this run or the earlier one."""
        name = name.replace(".", "/")
        found = self._notes.get(name)
        if found is not None:
            return dict(bson.decode(found))
        # Queries have keys with dots and dollars, which documents on older servers cannot have.
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
    """Remove records that were made with other applied migrations than now; returns a digest of
    those applied now.

    It is called whenever a migration begins, so that an old document is removed before the same
    migrations can be applied again.
    """
    names = sorted(
        f"{one.get('app')}.{one.get('name')}"
        for one in database[_RECORDED].find({}, {"app": 1, "name": 1})
    )
    applied = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    database[COLLECTION].delete_many({"applied": {"$ne": applied}})
    return applied
