"""Applies a plan and kills itself with SIGKILL at the Nth event of a schema command.

``python -m tests.schema.killed_run URI DATABASE started|succeeded N``
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import pymongo
from pymongo.monitoring import CommandListener

from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import apply
from djongo_services.schema.diff import diff
from tests.schema.drifted import SPECS

SCHEMA_COMMANDS = ("create", "collMod", "createIndexes", "dropIndexes")


class Killer(CommandListener):
    def __init__(self, event: str, number: int, database: str) -> None:
        self.event, self.left, self.database = event, number, database

    def seen(self, event: str, command_name: str, database: str) -> None:
        if event == self.event and command_name in SCHEMA_COMMANDS and database == self.database:
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1

    def started(self, event: Any) -> None:
        self.seen("started", event.command_name, event.database_name)

    def succeeded(self, event: Any) -> None:
        self.seen("succeeded", event.command_name, event.database_name)

    def failed(self, event: Any) -> None:
        pass


def main() -> None:
    uri, name, event, number = sys.argv[1:]
    listener = Killer(event, int(number), name)
    client: pymongo.MongoClient[Any] = pymongo.MongoClient(uri, event_listeners=[listener])
    plan = diff(read_catalog(client[name]), SPECS)
    apply(client[name], plan, lease_seconds=1)


if __name__ == "__main__":
    main()
