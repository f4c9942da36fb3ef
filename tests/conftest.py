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
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

import pytest
from hypothesis import settings
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from tests.databases import drop
from tests.processes import ROOT, STARTUP, python_path

VERSIONS = ["4.4", "5.0", "6.0"]
"""The server's versions, the newest last."""
TEARDOWN_SECONDS = 300
"""How long what a test leaves to be cleaned up may hang before the session ends."""

_stderr = -1


# The same examples each time, so that a run fails only for what was changed; new ones are found by
# --hypothesis-profile explore.
settings.register_profile("explore", deadline=None)
settings.register_profile("repeat", deadline=None, derandomize=True)
settings.load_profile("repeat")

SERVERS = frozenset(
    {"mongodb_server", "mongodb_servers", "matrix_database", "replica_set"}
    | {"db", "transactional_db", "live_server"}
    | {"guarded", "members", "server", "shared", "standalone"}
)
"""Fixtures that need a server, or a database on one."""
WITH_PROCESSES = frozenset(
    {"browser", "demo", "docs", "embedded", "faults", "fuzz", "packages", "packaging", "soak"}
    | {"testing", "test_standalone.py"}
)
"""Folders and modules whose tests start what they need themselves."""

ON_SQL = frozenset({"following", "test_kind_b.py"})
"""Folders and modules of projects whose ORM is on SQL."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--matrix",
        action="store_true",
        help="run each test on every supported version of the server, not only those marked",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _needs_no_server(item):
            item.add_marker("unit")
        if _is_of_kind_b(item):
            item.add_marker("sql")
    if not config.getoption("matrix"):
        left_out = [item for item in items if _is_for_the_matrix(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _is_for_the_matrix(item)]


def _needs_no_server(item: pytest.Item) -> bool:
    places = item.path.relative_to(ROOT).parts
    needs = SERVERS.intersection(getattr(item, "fixturenames", ()))
    marked = item.get_closest_marker("django_db") is not None
    return not needs and not marked and WITH_PROCESSES.isdisjoint(places)


def _is_of_kind_b(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    if {"db", "transactional_db"}.intersection(fixtures):
        return False  # What this process does, it does in a project on MongoDB.
    return "django_sql" in fixtures or not ON_SQL.isdisjoint(item.path.relative_to(ROOT).parts)


def _is_for_the_matrix(item: pytest.Item) -> bool:
    """Whether the test is for an older server, although that version is not expected to differ."""
    callspec = getattr(item, "callspec", None)
    version = callspec and callspec.params.get("matrix_database")
    return version in VERSIONS[:-1] and item.get_closest_marker("versions") is None


def pytest_configure() -> None:
    """Take Ctrl-C as usual: a shell starts its background jobs with SIGINT ignored, our processes
    would inherit that, and the tests of Ctrl-C would wait for ever."""
    global _stderr
    # Each worker of pytest-xdist has servers of its own. Its databases need no suffix, and these
    # tests name those that they use themselves.
    os.environ.pop("PYTEST_XDIST_WORKER", None)
    # Their processes would compile the package anew each time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    started = [str(STARTUP), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(started)
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


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    from tests.flushing import flushing_what_was_written

    with django_db_blocker.unblock():
        flushing = flushing_what_was_written()
        flushing.__enter__()
    yield
    flushing.__exit__(None, None, None)


@pytest.fixture
def database(mongodb_server: MongoServer) -> Iterator[Database[dict[str, Any]]]:
    """A new, empty database, dropped afterwards."""
    yield from _new_database(mongodb_server)


@pytest.fixture
def newest_database(
    mongodb_servers: Callable[[str], MongoServer],
) -> Iterator[Database[dict[str, Any]]]:
    """The same on the newest supported version, whichever the others are on."""
    yield from _new_database(mongodb_servers(VERSIONS[-1]))


@pytest.fixture(params=VERSIONS)
def matrix_database(request: pytest.FixtureRequest) -> Iterator[Database[dict[str, Any]]]:
    """The same on the newest supported version of the server; with ``--matrix``, or where a test is
    marked ``versions``, on each."""
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
    return runner("tests.settings_backend", mongodb_server.uri)


@pytest.fixture
def django_sql(mongodb_server: MongoServer) -> RunDjango:
    """The same on a project of kind B, whose ORM is on SQL."""
    return runner("tests.settings_sql", mongodb_server.uri)


def _new_database(server: MongoServer) -> Iterator[Database[dict[str, Any]]]:
    # Long for a busy machine, short where the server is gone and each test would wait for it.
    with server.client(serverSelectionTimeoutMS=10_000) as client:
        database = client[f"test_{uuid.uuid4().hex}"]
        yield database
        drop(database)


def runner(default_settings: str, uri: str) -> RunDjango:
    """A function that runs a management command, or code, in a project whose server is at this
    address."""

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
            "PYTHONPATH": python_path(),
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
