"""pytest fixtures with a real MongoDB; nothing is imported or started before it is used.

======================= ============================================================
``mongodb_server``      the session's server: one member, test commands enabled
``mongodb_servers``     ``mongodb_servers("4.4")``: a running server of that version
``replica_set``         three members
======================= ============================================================

All of them exist for the whole session and are shared by its tests: use a database of your own in
each test.

``--mongodb-version`` (or ``mongodb_version`` in the ini file) sets the version of
``mongodb_server`` and ``replica_set``. With ``mongodb_uri_variable = NAME`` in the ini file,
``mongodb_server`` is started before pytest-django reads the settings, and the environment variable
NAME contains its URI; if the variable is set already, it is used and nothing is started.

With ``mongodb_in_memory = true`` in the ini file the servers keep their data in memory, if there is
enough: commands that create or drop collections then do not wait for a disk.

Each worker of pytest-xdist has servers of its own: fail points and counters belong to a server.

When a server of one member has ended, the session ends before its next test, and shows the server's
last messages: each further test would only wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from djongo_services.embedded.server import MongoServer


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("djongo_services")
    group.addoption(
        "--mongodb-version",
        metavar="VERSION",
        help="version of the embedded MongoDB server, such as 6.0 (default: the first found)",
    )
    parser.addini("mongodb_version", "the default of --mongodb-version", default="")
    parser.addini("mongodb_in_memory", "keep the data in memory", type="bool", default=False)
    parser.addini(
        "mongodb_uri_variable",
        "environment variable that gets the URI of mongodb_server before Django is set up",
        default="",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """A wrapper, because it must run before pytest-django's own hook loads the settings."""
    variable = early_config.getini("mongodb_uri_variable")
    if variable and not os.environ.get(variable) and not _only_distributes(early_config):
        from djongo_services.exceptions import EmbeddedServerError

        try:
            os.environ[variable] = _servers(early_config).main().uri
        except EmbeddedServerError as error:
            raise pytest.UsageError(str(error)) from error
        early_config.add_cleanup(partial(_unset, variable))
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    servers = item.config.stash.get(_SERVERS, None)
    if servers is not None:
        servers.exit_when_one_has_ended()


@pytest.fixture(scope="session")
def mongodb_server(pytestconfig: pytest.Config) -> MongoServer:
    """The session's server: one member, test commands enabled."""
    return _or_fail(_servers(pytestconfig).main)


@pytest.fixture(scope="session")
def mongodb_servers(pytestconfig: pytest.Config) -> Callable[[str], MongoServer]:
    """A function that takes a version, such as "4.4", and returns a running server of one
    member."""
    servers = _servers(pytestconfig)
    return lambda version: _or_fail(lambda: servers.of_version(version))


@pytest.fixture(scope="session")
def replica_set(pytestconfig: pytest.Config) -> MongoServer:
    """Three members, test commands enabled; a test that disturbs one must restore it."""
    return _or_fail(_servers(pytestconfig).replica_set)


class _Servers:
    """The servers of one test session, started when they are first used."""

    def __init__(self, version: str | None, *, in_memory: bool) -> None:
        self._version = version
        self._in_memory = in_memory
        self._running: dict[str, MongoServer] = {}

    def main(self) -> MongoServer:
        return self._get("main", 1, self._version)

    def replica_set(self) -> MongoServer:
        return self._get("replica set", 3, self._version)

    def of_version(self, version: str) -> MongoServer:
        from djongo_services.embedded.binary import matches

        main = self._running.get("main")
        if main is not None and matches(main.version, version):
            return main
        return self._get(version, 1, version)

    def exit_when_one_has_ended(self) -> None:
        for server in self._running.values():
            # A fixture may have killed one of a replica set's three members on purpose.
            if len(server.members) == 1 and not server.members[0].running:
                member = server.members[0]
                words = "\n".join(member.last_words())
                pytest.exit(
                    f"MongoDB {server.version} of these tests has ended with status "
                    f"{member.exit_status}; its last messages:\n{words}",
                    returncode=1,
                )

    def stop(self) -> None:
        while self._running:
            self._running.popitem()[1].stop()

    def _get(self, key: str, members: int, version: str | None) -> MongoServer:
        from djongo_services.embedded.server import MongoServer

        if key not in self._running:
            server = MongoServer(
                members, version=version, test_commands=True, in_memory=self._in_memory
            )
            self._running[key] = server.start()
        return self._running[key]


_SERVERS = pytest.StashKey[_Servers]()


def _servers(config: pytest.Config) -> _Servers:
    if _SERVERS not in config.stash:
        version = config.known_args_namespace.mongodb_version or config.getini("mongodb_version")
        in_memory = config.getini("mongodb_in_memory")
        config.stash[_SERVERS] = servers = _Servers(version or None, in_memory=in_memory)
        config.add_cleanup(servers.stop)
    return config.stash[_SERVERS]


def _only_distributes(config: pytest.Config) -> bool:
    """Whether this process runs no tests itself; its workers would inherit what it sets."""
    known = config.known_args_namespace
    if "PYTEST_XDIST_WORKER" in os.environ:
        return False
    return bool(getattr(known, "numprocesses", None) or getattr(known, "tx", None))


def _unset(variable: str) -> None:
    os.environ.pop(variable, None)


def _or_fail(start: Callable[[], MongoServer]) -> MongoServer:
    from djongo_services.exceptions import EmbeddedServerError

    try:
        return start()
    except EmbeddedServerError as error:
        pytest.fail(str(error), pytrace=False)
