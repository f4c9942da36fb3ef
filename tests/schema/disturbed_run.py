"""Applies a plan and sends itself a signal when the Nth schema command has succeeded.

``python -m tests.schema.disturbed_run URI DATABASE SIGNAL N LEASE_SECONDS`` prints, as JSON, the
error that ended it and how many schema commands it sent.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pymongo
from pymongo.monitoring import CommandListener

from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import apply
from djongo_services.schema.diff import diff
from tests.schema.drifted import SPECS
from tests.schema.killed_run import SCHEMA_COMMANDS


class Disturber(CommandListener):
    def __init__(self, signal: int, number: int) -> None:
        self.signal, self.number = signal, number
        self.sent: list[int] = []

    def started(self, event: Any) -> None:
        # The history's own index is a schema command too, but not an operation's.
        comment = str(event.command.get("comment", ""))
        if event.command_name in SCHEMA_COMMANDS and comment.startswith("djongo_services"):
            self.sent.append(event.request_id)

    def succeeded(self, event: Any) -> None:
        if event.request_id in self.sent and len(self.sent) == self.number:
            os.kill(os.getpid(), self.signal)

    def failed(self, event: Any) -> None:
        pass


def main() -> None:
    uri, name, signal, number, seconds = sys.argv[1:]
    listener = Disturber(int(signal), int(number))
    error = None
    with pymongo.MongoClient[dict[str, Any]](uri, event_listeners=[listener]) as client:
        plan = diff(read_catalog(client[name]), SPECS)
        try:
            apply(client[name], plan, lease_seconds=float(seconds))
        except DjongoServicesError as raised:
            error = [type(raised).__name__, str(raised)]
    sys.stdout.write(json.dumps({"error": error, "sent": len(listener.sent)}))


if __name__ == "__main__":
    main()
