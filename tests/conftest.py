"""Fixtures of all tests: databases on real servers, and Django in a process of its own.

The session's server is started by the package's own plugin, before pytest-django reads the
settings: ``mongodb_uri_variable`` in setup.cfg.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from pymongo.database import Database

from djongo_services.embedded import MongoServer

ROOT = Path(__file__).parent.parent


TEARDOWN_SECONDS = 300
"""How long what a test leaves to be cleaned up may hang before the session ends."""

_stderr = -1


def pytest_configure() -> None:
    """Take Ctrl-C as usual: a shell starts its background jobs with SIGINT ignored, our processes
    would inherit that, and the tests of Ctrl-C would wait for ever."""
    global _stderr
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _stderr = os.dup(2)  # What pytest captures later is not this.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    """End the process, with the stacks of all threads, when a teardown hangs; its servers end too.

    pytest-timeout bounds tests, but not the teardown of one that has failed: at the first exception
    it gives up, as pytest's own faulthandler_timeout does.
    """
    faulthandler.dump_traceback_later(TEARDOWN_SECONDS, exit=True, file=_stderr)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def database(mongodb_server: MongoServer) -> Iterator[Database[dict[str, Any]]]:
    """A new, empty database, dropped afterwards."""
    yield from _new_database(mongodb_server)


@pytest.fixture(params=["4.4", "5.0", "6.0"])
def matrix_database(request: pytest.FixtureRequest) -> Iterator[Database[dict[str, Any]]]:
    """The same on each supported version of the server."""
    servers = request.getfixturevalue("mongodb_servers")
    yield from _new_database(servers(request.param))


class RunDjango(Protocol):
    """``run("check", "--tag", "database")``, or ``run(code="...")`` after ``django.setup()``.

    ``env`` is added to the environment, ``stdin`` is what the process reads.
    """

    def __call__(
        self,
        *args: str,
        code: str | None = None,
        settings: str = ...,
        env: dict[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def manage(mongodb_server: MongoServer) -> RunDjango:
    """A management command (or code) in its own process, on a project of kind A."""
    return _runner("tests.settings_backend", mongodb_server.uri)


@pytest.fixture
def django_sql(mongodb_server: MongoServer) -> RunDjango:
    """The same on a project of kind B, whose ORM is on SQL."""
    return _runner("tests.settings_sql", mongodb_server.uri)


def _new_database(server: MongoServer) -> Iterator[Database[dict[str, Any]]]:
    # Long for a busy machine, short where the server is gone and each test would wait for it.
    with server.client(serverSelectionTimeoutMS=10_000) as client:
        database = client[f"test_{uuid.uuid4().hex}"]
        yield database
        client.drop_database(database.name)


def _runner(default_settings: str, uri: str) -> RunDjango:
    def run(
        *args: str,
        code: str | None = None,
        settings: str = default_settings,
        env: dict[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        what = ["-m", "django", *args]
        if code is not None:
            what = ["-c", f"import django; django.setup()\n{code}", *args]
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": settings,
            "DJONGO_SERVICES_TEST_URI": uri,
            "PYTHONPATH": str(ROOT),
            **(env or {}),
        }
        return subprocess.run(
            [sys.executable, *what],
            cwd=ROOT,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
