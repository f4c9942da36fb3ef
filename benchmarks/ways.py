"""The path of one thing through the package: ``python -m benchmarks.ways [--files]``.

For one document, one upload, one plan, one orphan and one write in ``atomic()``, this counts the
files of the package in which a function is called, the calls, and how often a call comes from
another file than the one before it in its thread. It measures how far a reader has to jump, not
time; imports do not count, because everything is done once before.
"""

from __future__ import annotations

import argparse
import io
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import django
from bson import ObjectId
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import call_command
from rich.console import Console
from rich.table import Table

import djongo_services
from djongo_services.embedded import MongoServer

PACKAGE = f"{Path(djongo_services.__file__).parent}/"
DATABASE = "benchmark_ways"


class Trace:
    """The calls of the package's functions during the block, in all threads that were started by
    then."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.changes = 0
        self._last = threading.local()

    def __enter__(self) -> Trace:
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(PACKAGE) or frame.f_code.co_name == "<module>":
            return
        file = name.removeprefix(PACKAGE)
        self.calls[file] += 1
        self.changes += file != getattr(self._last, "file", file)
        self._last.file = file


def ways() -> dict[str, Callable[[], object]]:
    from djongo_services.connections import connections
    from djongo_services.storage import GridFSStorage
    from djongo_services.transaction import atomic

    database = connections["default"].database
    storage = GridFSStorage()

    def command(name: str, *arguments: str) -> None:
        call_command(name, *arguments, stdout=io.StringIO(), stderr=io.StringIO())

    def write() -> None:
        with atomic():
            database["loans"].insert_one({"n": 1})

    def collect() -> None:
        database["fs.chunks"].insert_one({"files_id": ObjectId(), "n": 0, "data": b"lost"})
        command("gridfs_gc", "--older-than", "0s", "--noinput", "-v", "0")

    def sync() -> None:
        database["auth_group"].drop()
        command("syncmongoschema", "auth.Group", "--noinput")

    call_command("migrate", verbosity=0)  # A plan is refused while migrations are unapplied.
    database["notes"].insert_one({"title": "Of bells", "pages": 12, "tags": ["iron"]})
    return {
        "storage.save, 300 kB": lambda: storage.save("a.txt", ContentFile(b"a" * 300_000)),
        "atomic(), one insert": write,
        "gridfs_gc, one orphan": collect,
        "syncmongoschema, one model": sync,
        "inspectmongo --format models": lambda: command(
            "inspectmongo", "notes", "--format", "models"
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ways", description=__doc__)
    parser.add_argument("--files", action="store_true", help="name the files, most calls first")
    arguments = parser.parse_args()
    with MongoServer() as server:
        settings.configure(
            INSTALLED_APPS=[
                "django.contrib.contenttypes",
                "django.contrib.auth",
                "djongo_services",
            ],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            DJONGO_SERVICES={
                "CONNECTIONS": {"default": {"HOST": server.uri, "NAME": DATABASE}},
                "SCHEMA": {"MODELS": ["auth"]},
            },
            USE_TZ=True,
        )
        django.setup()
        table = Table("way", "files", "calls", "changes of file")
        for name, go in ways().items():
            go()
            with Trace() as trace:
                go()
            figures = (len(trace.calls), trace.calls.total(), trace.changes)
            table.add_row(name, *(f"{figure:,}" for figure in figures))
            if arguments.files:
                print(
                    name, *(f"  {n:6,} {file}" for file, n in trace.calls.most_common()), sep="\n"
                )
        Console().print(table)


if __name__ == "__main__":
    main()
