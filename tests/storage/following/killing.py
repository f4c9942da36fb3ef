"""Change rows and their files, and die at each step of it; then look at what is left.

Run as a script on ``project.py``. Every step has a process of its own, forked from this one, which
has no connection itself. It prints a line of JSON for each.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import django

django.setup()

from django.core.files.base import ContentFile  # noqa: E402 - after setup()
from django.db import connections, transaction  # noqa: E402
from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402
from pymongo import monitoring  # noqa: E402

from djongo_services.connections import connections as mongodb  # noqa: E402
from djongo_services.storage.collector import collect, references_for  # noqa: E402
from tests.storage.following.papers.models import REPLACING, Badge, Paper  # noqa: E402

MOST_STEPS = 100


class Boom(Exception):
    pass


class Killer(monitoring.CommandListener):
    """Ends the process when it is about to send its ``step``-th command."""

    def __init__(self, step: int) -> None:
        self.left = step

    def started(self, event: Any) -> None:
        self.left -= 1
        if not self.left:
            die()

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def reset() -> None:
    database = mongodb["default"].database
    for kind in ("files", "chunks", "trash", "gc", "uploads"):
        database[f"fs.{kind}"].delete_many({})
    Paper.objects.all().delete()
    Badge.objects.all().delete()
    Paper.objects.create(title="paper", file=ContentFile(b"paper", name="paper.txt"))
    Badge.objects.create(title="old", file=ContentFile(b"old", name="badge.txt"))


def change(*, fail: bool) -> None:
    with transaction.atomic("papers"):
        badge = Badge.objects.get()
        badge.title = "new"
        badge.file.save("badge.txt", ContentFile(b"new"))
        paper = Paper.objects.get()
        paper.file.delete()
        Paper.objects.create(title="made", file=ContentFile(b"made", name="made.txt"))
        if fail:
            raise Boom


def until(step: int | str, *, fail: bool) -> None:
    wrapper: Any = BaseDatabaseWrapper
    if isinstance(step, int):
        mongodb["default"].settings.options["event_listeners"] = [Killer(step)]  # type: ignore[index]
    else:
        original = wrapper._commit

        def commit(self: Any) -> None:
            if step == "before":
                die()
            original(self)
            die()

        wrapper._commit = commit
    with contextlib.suppress(Boom):
        change(fail=fail)


def look() -> dict[str, Any]:
    """The rows, what readers find, and what the collector leaves."""
    before = state()
    connection = mongodb["default"]
    references = references_for(connection, "fs")
    collect(connection.database, "fs", references=references, older_than=timedelta(0))
    files, trash = connection.database["fs.files"], connection.database["fs.trash"]
    chunks = connection.database["fs.chunks"]
    owners = {each["_id"] for kept in (files, trash) for each in kept.find({}, {"_id": 1})}
    return {
        "before": before,
        "after": state(),
        "files": sorted(files.distinct("filename")),
        "trash": sorted(trash.distinct("file.filename")),
        "stray": len(set(chunks.distinct("files_id")) - owners),
    }


def state() -> dict[str, Any]:
    with REPLACING.open("badge.txt") as file:
        content = file.read().decode()
    rows = {each.title: _text(each.file) for each in Paper.objects.all()}
    return {"badge": Badge.objects.get().title, "content": content, "papers": rows}


def _text(file: Any) -> str:
    return file.read().decode() if file else ""


def forked(work: Callable[[], Any]) -> tuple[int, Any]:
    """The signal that ended the process, and what the work gave."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            found = work()
            os.write(writing, json.dumps(found).encode())
            connections.close_all()
            status = 0
        except BaseException:  # noqa: BLE001 - the parent goes on, and says so
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, ended = os.waitpid(child, 0)
    if os.WIFEXITED(ended) and os.WEXITSTATUS(ended):
        sys.exit("A process failed.")
    return (os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else 0), json.loads(text or "null")


def main(*, fail: bool) -> None:
    steps: list[int | str] = [] if fail else ["before", "after"]
    for step in [*steps, *range(1, MOST_STEPS)]:
        forked(reset)
        killed, _ = forked(partial(until, step, fail=fail))
        _, found = forked(look)
        line = {"step": step, "killed": bool(killed), **found}
        sys.stdout.write(f"{json.dumps(line)}\n")
        if not killed:
            return
    sys.exit("There is no end to it.")


if __name__ == "__main__":
    main(fail="fail" in sys.argv)
