"""Flushing the stock backend's test database after each test, in two round trips instead of sixty.

Django deletes the documents of each model's collection and has all apps make their content types
and permissions again, which takes longer than most tests do. The server's own log tells which
collections were written, by whatever client of whatever process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import flush
from django_mongodb_backend.operations import DatabaseOperations

from tests.mongodb_orm import connections

_command: Any = flush
"""Its module, in which the signal is looked up."""


class _Flushed:
    def __init__(self, alias: str) -> None:
        self._database = connections[alias].database
        self._log = self._database.client.local["oplog.rs"]
        self._first = {
            name: list(self._database[name].find())
            for name in self._database.list_collection_names()
        }
        """By collection, the documents of the new database."""
        self._since = self._latest()

    def delete(self, names: list[str]) -> None:
        """Restore those of these collections that were written since the last time."""
        for name in self._written() & {*names}:
            self._database[name].delete_many({})
            if documents := self._first.get(name):
                self._database[name].insert_many(documents)
        self._since = self._latest()

    def _latest(self) -> Any:
        latest: Any = self._log.find_one({}, {"ts": True}, sort=[("$natural", -1)])
        return latest["ts"]

    def _written(self) -> set[str]:
        prefix = f"{self._database.name}."
        entries = self._log.find({"ts": {"$gt": self._since}}, {"ns": True, "o.applyOps.ns": True})
        places = {
            place
            for entry in entries
            for place in (entry["ns"], *_places_of_transaction(entry["o"]))
        }
        return {place.removeprefix(prefix) for place in places if place.startswith(prefix)}


def _places_of_transaction(change: dict[str, Any]) -> Iterator[str]:
    for each in change.get("applyOps", ()):
        yield each["ns"]


@contextmanager
def flushing_what_was_written() -> Iterator[None]:
    """Within the block, for the databases of the stock backend; they are new."""
    flushed = {
        alias: _Flushed(alias)
        for alias, entry in connections.settings.items()
        if entry["ENGINE"] == "django_mongodb_backend"
    }
    execute, emit = DatabaseOperations.execute_sql_flush, _command.emit_post_migrate_signal

    def execute_sql_flush(self: Any, tables: list[str]) -> None:
        if (known := flushed.get(self.connection.alias)) is None:
            execute(self, tables)
        else:
            known.delete(tables)

    def emit_post_migrate_signal(verbosity: int, interactive: bool, db: str, **kw: Any) -> None:
        if db not in flushed:
            emit(verbosity, interactive, db, **kw)

    DatabaseOperations.execute_sql_flush = execute_sql_flush
    _command.emit_post_migrate_signal = emit_post_migrate_signal
    try:
        yield
    finally:
        DatabaseOperations.execute_sql_flush = execute
        _command.emit_post_migrate_signal = emit
