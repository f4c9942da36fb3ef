"""The writes of a test run's clients, so that they can be undone."""

from __future__ import annotations

from typing import Any

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

Document = dict[str, Any]

_WRITES = frozenset(
    ("insert", "update", "delete", "findAndModify", "create", "createIndexes", "drop", "mapReduce")
)


class WriteListener(CommandListener):
    """Records which collections the commands of a client change, by database."""

    def __init__(self) -> None:
        self.written: dict[str, set[str]] = {}
        self.created: dict[str, set[str]] = {}

    def started(self, event: CommandStartedEvent) -> None:
        command, name = event.command, event.command_name
        if name in _WRITES:
            self._note(event.database_name, str(command[name]))
            if name == "create":
                self.created.setdefault(event.database_name, set()).add(str(command[name]))
        elif name == "aggregate" and command.get("pipeline"):
            self._note_output(event.database_name, command["pipeline"][-1])
        elif name == "renameCollection":
            for namespace in (command[name], command["to"]):
                self._note(*str(namespace).split(".", 1))
        elif name == "bulkWrite":
            for namespace in command["nsInfo"]:
                self._note(*str(namespace["ns"]).split(".", 1))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass

    def _note_output(self, database: str, stage: Document) -> None:
        target = stage.get("$out") or stage.get("$merge", {}).get("into")
        match target:
            case str():
                self._note(database, target)
            case {"coll": str(name), **rest}:
                self._note(str(rest.get("db", database)), name)

    def _note(self, database: str, collection: str) -> None:
        self.written.setdefault(database, set()).add(collection)


listener = WriteListener()
"""The listener of all clients that connections create in a test run."""
