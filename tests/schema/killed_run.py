"""Applies plans in processes that kill themselves with SIGKILL at the Nth event of a command.

``python -m tests.schema.killed_run URI started|succeeded MODULE DATABASE...``: the process of the
first database dies at the first event of a schema command, that of the second at the second, and so
on. The module has the specs. Prints how they ended, as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from typing import Any

import pymongo
from pymongo.monitoring import CommandListener

from djongo_services.schema.applying import apply
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.syncing import make_plan

SCHEMA_COMMANDS = ("create", "collMod", "createIndexes", "dropIndexes", "drop", "renameCollection")


class Killer(CommandListener):
    def __init__(self, event: str, number: int, database: str) -> None:
        self.event, self.left, self.database = event, number, database

    def seen(self, event: str, command_name: str, database: str) -> None:
        # Collections are renamed by the database admin.
        own = database == self.database or command_name == "renameCollection"
        if event == self.event and command_name in SCHEMA_COMMANDS and own:
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
    uri, event, module, *names = sys.argv[1:]
    specs = importlib.import_module(module).SPECS
    ends = [in_a_process(uri, event, specs, name, number) for number, name in enumerate(names)]
    sys.stdout.write(json.dumps(ends))


def in_a_process(
    uri: str, event: str, specs: tuple[CollectionSpec, ...], name: str, number: int
) -> int:
    """The exit status, negative after a signal; 1 where there are fewer events."""
    child = os.fork()  # Without a client and its threads, and with all modules.
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        run(uri, event, specs, name, number)
    finally:
        os._exit(1)


def run(uri: str, event: str, specs: tuple[CollectionSpec, ...], name: str, number: int) -> None:
    listener = Killer(event, number, name)
    with pymongo.MongoClient[Any](uri, event_listeners=[listener]) as client:
        apply(client[name], make_plan(client[name], specs, count=False), lease_seconds=1)


def run_killed(uri: str, event: str, module: str, *names: str) -> list[int]:
    """How the processes ended."""
    killed = subprocess.run(
        [sys.executable, "-m", "tests.schema.killed_run", uri, event, module, *names],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert killed.returncode == 0, killed.stderr
    ends: list[int] = json.loads(killed.stdout)
    return ends


if __name__ == "__main__":
    main()
