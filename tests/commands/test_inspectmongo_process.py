"""``inspectmongo`` in a separate process: signals, pipes, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import pytest
from pymongo.database import Database

from tests.commands.conftest import ROOT

Mongo = Database[dict[str, Any]]
Start = Callable[..., "subprocess.Popen[str]"]

SECONDS = 60


@contextmanager
def held_at_the_proof(database: Mongo) -> Iterator[Callable[[], None]]:
    """Searches of the collection ``large`` wait in the server; gives a function that waits for
    the first of them."""
    admin = database.client.admin
    point = {"configureFailPoint": "failCommand"}
    hold = {"blockConnection": True, "blockTimeMS": 1_000 * SECONDS}
    searches = {"failCommands": ["find"], "namespace": f"{database.name}.large", **hold}
    # The first find only looks for the index on _id.
    before = admin.command({**point, "mode": {"skip": 1}, "data": searches})["count"]

    def wait() -> None:
        entered = {"timesEntered": before + 1, "maxTimeMS": 1_000 * SECONDS}
        admin.command({"waitForFailPoint": "failCommand", **entered})

    try:
        yield wait
    finally:
        admin.command({**point, "mode": "off"})


def first_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def test_ctrl_c_ends_with_a_partial_result(database: Mongo, start: Start) -> None:
    database.large.insert_many({"number": number} for number in range(5_000))
    database.small.insert_one({})
    with held_at_the_proof(database) as wait_for_the_proof:
        arguments = ("--format", "json", "--depth", "exact")
        with start("inspectmongo", *arguments, database=database.name) as process:
            assert first_line(process.stderr).startswith("Connecting to 'default'")
            wait_for_the_proof()
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert stderr.startswith("CommandError: The result is partial: ")
    assert stderr.count("\n") == 1
    document = json.loads(stdout)
    assert document["stopped"]
    large = document["collections"][0]
    assert large["name"] == "large"
    assert "number" in {found["path"] for found in large["fields"]}


def test_ctrl_c_while_it_connects(database: Mongo, start: Start) -> None:
    process = start("inspectmongo", database=database.name, uri="mongodb://127.0.0.1:1/")
    with process:
        assert first_line(process.stderr).endswith("for at most 30 s.\n")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stdout, stderr) == (130, "", "Interrupted.\n")


def test_the_second_ctrl_c_leaves_at_once() -> None:
    code = """
import os, signal, threading
from djongo_services.management.interruption import stop_on_interrupt
with stop_on_interrupt() as stop:
    os.kill(os.getpid(), signal.SIGINT)
    assert stop.wait(10)
    print("asked to stop", flush=True)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(60)
    finally:
        print("unwound", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings_sql"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "asked to stop\n", "")


def test_a_reader_who_leaves_is_no_error(database: Mongo, start: Start) -> None:
    database.things.insert_one({"a": 1})
    reading, writing = os.pipe()
    os.close(reading)
    process = start("inspectmongo", "-v", "0", database=database.name, stdout=writing)
    os.close(writing)
    with process:
        _, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stderr) == (0, "")


def test_a_full_disk_behind_stdout_is_one_line(database: Mongo, start: Start) -> None:
    with open("/dev/full", "w") as full:
        process = start("inspectmongo", "-v", "0", database=database.name, stdout=full)
    with process:
        _, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert stderr == "CommandError: Cannot write to stdout: No space left on device.\n"


def test_a_closed_stdout_is_one_line(database: Mongo, start: Start) -> None:
    closed = {"stdout": None, "preexec_fn": lambda: os.close(1)}
    with start("inspectmongo", "-v", "0", database=database.name, **closed) as process:
        _, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert stderr == "CommandError: There is no stdout to write to; give --output a file.\n"


def test_a_wrong_argument_is_one_line_and_exit_code_2(database: Mongo, start: Start) -> None:
    with start("inspectmongo", "--frmat", "json", database=database.name) as process:
        stdout, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stdout) == (2, "")
    assert stderr == (
        "CommandError: unrecognized arguments: --frmat (see __main__.py inspectmongo --help)\n"
    )


def test_trouble_is_one_line_and_exit_code_2(database: Mongo, start: Start) -> None:
    uri = "mongodb://user:s3cret@127.0.0.1:1/?serverSelectionTimeoutMS=100"
    with start("inspectmongo", database=database.name, uri=uri) as process:
        stdout, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stdout) == (2, "")
    assert stderr == (
        f"Connecting to 'default' (127.0.0.1:1/{database.name}), for at most 0.1 s.\n"
        f"CommandError: The MongoDB server of the connection 'default' "
        f"(127.0.0.1:1/{database.name}) cannot be reached: 127.0.0.1:1: "
        f"[Errno 111] Connection refused. Start the server, or correct HOST in the settings.\n"
    )


@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "\u2588" * 8), ("ascii", "?" * 8)])
def test_the_report_reaches_any_terminal(
    database: Mongo, start: Start, encoding: str, bar: str
) -> None:
    database.things.insert_one({"a": "x"})
    process = start("inspectmongo", database=database.name, env={"PYTHONIOENCODING": encoding})
    with process:
        stdout, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert f"{bar} string" in stdout


def test_json_is_utf8_whatever_the_locale_is(database: Mongo, start: Start) -> None:
    database["\u4e2d"].insert_one({"a": 1})
    options = {"database": database.name, "env": {"PYTHONIOENCODING": "latin-1"}}
    with start("inspectmongo", "--format", "mermaid", **options) as process:
        stdout, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "\u4e2d" in stdout
