"""Comparing in a separate process: exit codes, Ctrl-C, files as shells write them."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.commands.test_inspectmongo_process import SECONDS, first_line, held_at_the_proof

Mongo = Database[dict[str, Any]]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(database: Mongo, start: Start) -> Callable[..., tuple[int, str, str]]:
    def command(*arguments: str) -> tuple[int, str, str]:
        with start("inspectmongo", *arguments, database=database.name) as process:
            stdout, stderr = process.communicate(timeout=SECONDS)
        return process.returncode, stdout, stderr

    return command


def test_the_exit_code_says_whether_something_differs(
    database: Mongo, run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    file = tmp_path / "baseline.json"
    database.books.insert_one({"_id": 1})
    _, stdout, _ = run("--format", "json")
    file.write_text(stdout, "utf-16")  # As a shell of Windows redirects it.
    check = ("--baseline", str(file), "--check", "-v", "0")
    assert run(*check)[0] == 0
    database.books.update_one({}, {"$set": {"isbn": "x"}})
    code, stdout, stderr = run(*check)
    assert (code, stderr) == (1, "")
    assert stdout.endswith("\n1 difference is new.\n")
    file.write_text("{")
    code, stdout, stderr = run(*check)
    assert (code, stdout) == (2, "")
    assert stderr.startswith("CommandError: Cannot use the baseline")
    assert stderr.count("\n") == 1


def test_ctrl_c_is_never_no_difference(database: Mongo, start: Start, tmp_path: Path) -> None:
    database.large.insert_many({"number": number} for number in range(5_000))
    database.small.insert_one({"a": 1})
    file = tmp_path / "baseline.json"
    arguments = ("--format", "json", "--depth", "exact", "--output", str(file))
    with start("inspectmongo", *arguments, database=database.name) as process:
        assert process.wait(SECONDS) == 0
    check = ("--baseline", str(file), "--depth", "exact", "--format", "json", "--check")
    with held_at_the_proof(database) as wait_for_the_proof:
        with start("inspectmongo", *check, database=database.name) as process:
            assert first_line(process.stderr).startswith("Connecting to 'default'")
            wait_for_the_proof()
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "CommandError: The result is partial: The inspection was stopped." in stderr
    assert json.loads(stdout)["after"]["stopped"].startswith("The inspection was stopped.")
