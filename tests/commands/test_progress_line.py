"""The line that shows progress: on a terminal only, and out of reach of control characters."""

from __future__ import annotations

import os
import pty
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.management.progress_line import describe_progress
from djongo_services.progress import Progress


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(collection="", phase="catalog", done=0), "catalog"),
        (Progress(collection="notes", phase="sample", done=0), "notes: sample"),
        (Progress(collection="notes", phase="proof", done=9, rounds=2), "notes: proof, round 2"),
        (Progress(collection="\x1b[2J[b]", phase="counts", done=0), "\\x1b[2J[b]: counts"),
        (Progress(collection="x" * 99, phase="counts", done=0), "x" * 39 + "…: counts"),
    ],
)
def test_what_it_says(progress: Progress, text: str) -> None:
    assert describe_progress(progress) == text


def read_all(terminal: int) -> str:
    chunks = []
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux's end of file on a terminal that no process holds open
            break
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks).decode()


def test_a_terminal_gets_a_line_and_stdout_none_of_it(
    database: Database[Any], start: Callable[..., Any]
) -> None:
    database.things.insert_many([{"number": number} for number in range(500)])
    terminal, other_end = pty.openpty()
    options = {"database": database.name, "stderr": other_end, "env": {"TERM": "xterm"}}
    with start("inspectmongo", "--depth", "exact", "--format", "json", **options) as process:
        os.close(other_end)
        shown = read_all(terminal)
        stdout, _ = process.communicate(timeout=30)
    os.close(terminal)
    assert process.returncode == 0
    assert "\x1b" not in stdout
    assert "things: " in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is back
