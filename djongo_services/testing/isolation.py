"""Restoring the database of a test run after each test.

Django rolls back what a test did through the ORM. MongoDB beside it is restored instead: the code
under test may commit, retry and do everything that MongoDB refuses in a transaction. A listener of
the client records which collections were written, so a test that wrote none costs nothing.

A level is a state to return to: that of the new test database, after ``setUpTestData``, before each
test. The contents of a level's collections are copied on the server into a database beside the test
database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from pymongo.database import Database

from djongo_services import database_names
from djongo_services.write_listener import WriteListener

Document = dict[str, Any]


@dataclass(kw_only=True, slots=True)
class _Level:
    existing: set[str]
    """Collections that existed."""
    saved: dict[str, str]
    """By collection, the database with the copy of its documents."""
    written: set[str] = field(default_factory=set)
    """Collections that were changed since."""
    created: set[str] = field(default_factory=set)
    """The changed collections that were created by name, not by their first document."""


class Isolation:
    """The levels of one test database."""

    def __init__(
        self,
        database: Database[Document],
        listener: WriteListener,
        *,
        without: Collection[str] = frozenset(),
    ) -> None:
        """
        :param database: belongs to a client without the listener.
        :param without: collections that are restored elsewhere.
        """
        self._database = database
        self._listener = listener
        self._without = without
        self._forget_notes()
        existing = [name for name in database.list_collection_names() if name not in without]
        saved = self._save(existing, depth=0)
        self._levels = [_Level(existing=set(existing), saved=saved)]

    def push(self) -> None:
        """Save the current state."""
        self._take_notes()
        top = self._levels[-1]
        saved = {name: where for name, where in top.saved.items() if name not in top.written}
        saved |= self._save(top.written, depth=len(self._levels))
        self._levels.append(_Level(existing=top.existing | top.written, saved=saved))

    def pop(self) -> None:
        """Restore the state of the last push and discard it."""
        self.restore()
        level = self._levels.pop()
        if (own := self._beside(len(self._levels))) in level.saved.values():
            self._database.client.drop_database(own)

    def restore(self) -> None:
        """Restore the last saved state."""
        self._take_notes()
        level = self._levels[-1]
        for name in level.written:
            self._restore(name, level)
        level.written, level.created = set(), set()

    def close(self) -> None:
        """Drop all copies, and close the client."""
        with self._database.client as client:
            for depth, level in enumerate(self._levels):
                if (own := self._beside(depth)) in level.saved.values():
                    client.drop_database(own)

    def _restore(self, name: str, level: _Level) -> None:
        if name in level.created and name not in level.existing:
            self._database.drop_collection(name)
            return
        self._empty(name)
        if (source := level.saved.get(name)) is not None:
            into = {"db": self._database.name, "coll": name}
            self._database.client[source][name].aggregate([{"$merge": {"into": into}}])

    def _empty(self, name: str) -> None:
        found = next(iter(self._database.list_collections(filter={"name": name})), None)
        if found is None or found["type"] == "view":
            return
        if found["type"] == "timeseries" or found["options"].get("capped"):
            # Some servers do not allow to delete documents from these.
            indexes = [
                index for index in self._database[name].list_indexes() if index["name"] != "_id_"
            ]
            self._database.drop_collection(name)
            self._database.create_collection(name, **found["options"])
            if indexes:
                self._database.command("createIndexes", name, indexes=[dict(i) for i in indexes])
            return
        self._database[name].delete_many({})

    def _take_notes(self) -> None:
        """Record in every level what was written since its beginning."""
        written, created = self._forget_notes()
        for level in self._levels:
            level.written |= written
            level.created |= created

    def _forget_notes(self) -> tuple[set[str], set[str]]:
        """What was written and created since the last time."""
        written = self._listener.written.pop(self._database.name, set()).difference(self._without)
        return written, self._listener.created.pop(self._database.name, set())

    def _save(self, names: Iterable[str], *, depth: int) -> dict[str, str]:
        """Copy the collections that have documents."""
        where = self._beside(depth)
        views = self._database.list_collection_names(filter={"type": "view"})
        saved = [name for name in names if name not in views and self._has_documents(name)]
        for name in saved:
            self._database[name].aggregate([{"$out": {"db": where, "coll": name}}])
        return dict.fromkeys(saved, where)

    def _beside(self, depth: int) -> str:
        return f"{database_names.prefix_of_copies(self._database.name)}{depth}"

    def _has_documents(self, name: str) -> bool:
        return not name.startswith("system.") and (
            self._database[name].find_one({}, {"_id": True}) is not None
        )
