"""Runs the package's commands, in this process and in separate ones."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pymongo.database import Database

from tests.processes import python_path

ROOT = Path(__file__).parents[2]
SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Result:
    code: int
    stdout: str
    stderr: str
    """Includes the message of a CommandError, which the command line would print there."""


Run = Callable[..., Result]


@pytest.fixture
def connect_to(settings: Any) -> Callable[..., None]:
    """Make a URI the connection ``default``."""

    def connect(uri: str, name: str, **more: Any) -> None:
        default = {"HOST": uri, "NAME": name, **more}
        settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": default}}

    return connect


@pytest.fixture
def inspectmongo(
    database: Database[dict[str, Any]], connect_to: Callable[..., None], mongodb_server: Any
) -> Run:
    """``inspectmongo("--format", "json")`` on the fixture's database."""
    connect_to(mongodb_server.uri, database.name)
    return run_inspectmongo


@pytest.fixture
def run() -> Run:
    """The command on whatever connection the test has made."""
    return run_inspectmongo


@pytest.fixture
def inspectmongo_on(connect_to: Callable[..., None]) -> Callable[[Database[Any]], Run]:
    """The command on the database given."""

    def on(database: Database[Any]) -> Run:
        host, port = database.client.address or ("", 0)
        connect_to(f"mongodb://{host}:{port}/", database.name)
        return run_inspectmongo

    return on


@pytest.fixture
def refuse(mongodb_server: Any, database: Database[Any]) -> Iterator[Callable[..., str]]:
    """``refuse("listCollections", errorCode=13)``: a URI on which the server does that."""
    admin = database.client.admin

    def configure(*commands: str, **data: Any) -> str:
        data |= {"failCommands": list(commands), "appName": database.name}
        admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
        separator = "&" if "?" in mongodb_server.uri else "?"
        return f"{mongodb_server.uri}{separator}appName={database.name}"

    yield configure
    admin.command("configureFailPoint", "failCommand", mode="off")


def run_inspectmongo(*arguments: str, **options: Any) -> Result:
    stdout, stderr = io.StringIO(), io.StringIO()
    code, sentence = 0, ""
    try:
        call_command("inspectmongo", *arguments, stdout=stdout, stderr=stderr, **options)
    except CommandError as error:
        code, sentence = error.returncode, f"CommandError: {error}\n"
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Result(code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue() + sentence)


@pytest.fixture
def start(mongodb_server: Any) -> Callable[..., subprocess.Popen[str]]:
    """``start("inspectmongo", database="name")``: a process whose connection is that database."""

    def popen(
        *arguments: str,
        database: str,
        uri: str | None = None,
        env: dict[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.commands.settings",
            "DJONGO_SERVICES_TEST_URI": uri or mongodb_server.uri,
            "COMMANDS_TEST_DATABASE": database,
            "PYTHONPATH": python_path(),
            **(env or {}),
        }
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(
            [sys.executable, "-m", "django", *arguments],
            cwd=ROOT,
            env=environment,
            encoding="utf-8",
            **streams,
        )

    return popen


@dataclass(frozen=True, kw_only=True)
class Question:
    """The question that a command in a separate process asks at its terminal."""

    process: subprocess.Popen[str]
    terminal: int
    said: str

    def answer(self, typed: str) -> tuple[int, str]:
        """The exit code, and what it said after that."""
        os.write(self.terminal, typed.encode())
        return self._end()

    def interrupt(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        return self._end()

    def _end(self) -> tuple[int, str]:
        _, stderr = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, stderr


@contextmanager
def asking(
    start: Callable[..., subprocess.Popen[str]], *arguments: str, **options: Any
) -> Iterator[Question]:
    """Returns as soon as the command has asked."""
    terminal, its_end = pty.openpty()
    with start(*arguments, stdin=its_end, **options) as process:
        os.close(its_end)
        try:
            assert process.stderr is not None
            said = ""
            while not said.endswith("[y/N] "):
                said += process.stderr.read(1) or pytest.fail(f"it ended and said: {said}")
            yield Question(process=process, terminal=terminal, said=said)
        finally:
            process.kill()  # If it still waits.
            os.close(terminal)
