"""Applies plans in processes that kill themselves with SIGKILL at the Nth event of a command.

``python -m tests.schema.killed_run URI started|succeeded DATABASE...``: the process of the first
database dies at the first event of a schema command, that of the second at the second, and so on.
Prints how they ended, as JSON.
"""

from __future__ import annotations

import json
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
    uri, event, *names = sys.argv[1:]
    ends = [in_a_process(uri, event, name, number) for number, name in enumerate(names)]
    sys.stdout.write(json.dumps(ends))


def in_a_process(uri: str, event: str, name: str, number: int) -> int:
    """The exit status, negative after a signal."""
    child = os.fork()  # Without a client and its threads, and with all modules.
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        run(uri, event, name, number)
    finally:
        os._exit(1)


def run(uri: str, event: str, name: str, number: int) -> None:
    listener = Killer(event, number, name)
    with pymongo.MongoClient[Any](uri, event_listeners=[listener]) as client:
        apply(client[name], diff(read_catalog(client[name]), SPECS), lease_seconds=1)


if __name__ == "__main__":
    main()
