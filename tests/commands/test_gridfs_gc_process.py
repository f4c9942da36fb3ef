"""``gridfs_gc`` as a process of its own: what its question hears."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

SECONDS = 30
LONG_AGO = ObjectId.from_datetime(datetime(2024, 1, 1, tzinfo=UTC))


@pytest.fixture
def lost(database: Database[Any]) -> Database[Any]:
    """A database with a chunk of a file that there is not."""
    database["fs.files"].create_index([("filename", 1), ("uploadDate", 1)])
    database["fs.chunks"].create_index([("files_id", 1), ("n", 1)], unique=True)
    database["fs.chunks"].insert_one({"_id": LONG_AGO, "files_id": 1, "n": 0, "data": b"lost"})
    return database


@pytest.fixture
def asking(
    lost: Database[Any], start: Callable[..., subprocess.Popen[str]]
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A run that waits for an answer, and where to write it."""
    terminal, its_end = pty.openpty()
    with start("gridfs_gc", "--no-color", "-v", "0", database=lost.name, stdin=its_end) as process:
        os.close(its_end)
        try:
            assert process.stderr is not None
            said = ""
            while not said.endswith("[y/N] "):
                said += process.stderr.read(1) or pytest.fail(f"it ended and said: {said}")
            assert "Would move 1 run of orphan chunks" in said
            yield process, terminal
        finally:
            process.kill()  # If it still waits.
            os.close(terminal)


@pytest.mark.parametrize(
    ("answer", "code", "kept"),
    [("yes\n", 0, False), ("n\n", 2, True), ("\x04", 2, True)],
    ids=["yes", "no", "ctrl-d"],
)
def test_it_asks_before_it_removes(asking, lost, answer, code, kept):
    process, terminal = asking
    os.write(terminal, answer.encode())
    _, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert (lost["fs.trash"].find_one() is None) == kept


def test_ctrl_c_answers_too(asking, lost):
    process, _ = asking
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stderr) == (130, "Interrupted.\n")
    assert lost["fs.trash"].find_one() is None
