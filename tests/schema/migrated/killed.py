"""Runs ``migrate`` in processes that kill themselves with SIGKILL after the Nth write, then again.

``python -m tests.schema.migrated.killed URI NAME FOLDER APP back|forth [CASE]`` prints, for each N
until one was not killed, what was found in between and at the end, as JSON.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.core.checks import run_checks
from django.core.management import call_command
from pymongo import MongoClient, monitoring

from tests.mongodb_orm import connections
from tests.schema.migrated.project import check, contents, migrate, set_up, validators

CASE = "tests.schema.migrated.interrupted_case:INTERRUPTED"
WRITES = {"insert", "update", "delete", "findAndModify", "create", "collMod", "createIndexes"}
WRITES |= {"dropIndexes", "renameCollection", "drop"}


class Killer(monitoring.CommandListener):
    def __init__(self) -> None:
        self.left: int | None = None

    def started(self, event: Any) -> None:
        pass

    def succeeded(self, event: Any) -> None:
        if self.left is None or event.command_name not in WRITES:
            return
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def failed(self, event: Any) -> None:
        pass


KILLER = Killer()


def in_a_process(work: Callable[[], Any]) -> tuple[int, Any]:
    """The exit status, negative after a signal, and what ``work`` returned."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        child = os.fork()  # Without a client and its threads, and with all modules.
        if not child:
            try:
                answer.write_text(json.dumps(work()))
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return status, json.loads(answer.read_text()) if status == 0 else None


def copied(uri: str, source: str, target: str) -> None:
    """Another database with the same collections, indexes and documents."""
    with MongoClient[Any](uri) as client:
        for found in client[source].list_collections():
            name = found["name"]
            copy = client[target].create_collection(name, **found["options"])
            for index in client[source][name].list_indexes():
                if index["name"] != "_id_":
                    client[target].command("createIndexes", name, indexes=[dict(index)])
            if documents := list(client[source][name].find()):
                copy.insert_many(documents, bypass_document_validation=True)


def prepare(label: str, way: str, documents: dict[str, Any]) -> None:
    """A synced database from which to go back or forth."""
    call_command("migrate", verbosity=0)
    call_command("syncmongoschema", verbosity=0, stdout=io.StringIO())
    if way == "forth":
        call_command("migrate", label, "0001", verbosity=0)
    database = connections["default"].database
    for name, found in documents.items():
        database[f"{label}_{name}"].insert_many(found)


def begin(label: str, target: str | None, number: int) -> str | None:
    connections["default"].ensure_connection()
    KILLER.left = number
    return migrate(label, target, "default")


def go_on(label: str, target: str | None, number: int) -> dict[str, Any]:
    """Show what a user sees after the kill, and after running the command again.

    If nothing is left to be migrated, ``syncmongoschema`` finishes it just as well; every second
    time, it does.
    """
    database = connections["default"].database
    # As if the 30 s had passed after which the lease of a dead process ends.
    database.djongo_services_leases.update_many({}, {"$set": {"expires": datetime.min}})
    # And as if the 60 s had passed after which the server ends an abandoned transaction.
    database.client.admin.command("killAllSessions", [])
    found: dict[str, Any] = {
        "relaxed": [name for name, one in validators(label).items() if one[0] == "off"],
        "warnings": [one.msg for one in run_checks(databases=["default"]) if "W006" in one.id],
        "check": check(label),
        "error": None,
    }
    if target is None and number % 2 and not found["check"]["waiting"]:
        call_command("syncmongoschema", label, verbosity=0, stdout=io.StringIO())
    else:
        found["error"] = migrate(label, target, "default")
    found["validators"] = validators(label)
    found["contents"] = contents(label, "default")
    found["indexes"] = {
        f"{label}_{one}": sorted(
            [name, dict(index["key"]), index.get("unique", False)]
            for name, index in database[f"{label}_{one}"].index_information().items()
        )
        for one in found["contents"]
    }
    found["check_at_the_end"] = check(label)
    return found


def main() -> None:
    uri, name, folder, label, way, *named = sys.argv[1:]
    monitoring.register(KILLER)
    set_up(uri, name, folder, [label])
    module, _, attribute = (named or [CASE])[0].partition(":")
    case = getattr(importlib.import_module(module), attribute)
    target = "0001" if way == "back" else None
    documents = case.new if way == "back" else case.old
    status, _ = in_a_process(lambda: prepare(label, way, documents))
    assert status == 0
    settings = connections["default"].settings_dict
    found = []
    for number in range(1, 400, int(os.environ.get("KILLED_EVERY", "1"))):
        settings["NAME"] = f"{name}_{number}"
        in_a_process(lambda: copied(uri, name, settings["NAME"]))
        killed, error = in_a_process(partial(begin, label, target, number))
        _, after = in_a_process(partial(go_on, label, target, number))
        found.append({"killed": killed, "first_error": error, **(after or {})})
        if killed != -signal.SIGKILL:
            break
    with MongoClient[Any](uri) as client:
        for made in client.list_database_names():
            if made == name or made.startswith(f"{name}_"):
                client.drop_database(made)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
