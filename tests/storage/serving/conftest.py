"""Sites on the test's own database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import monitoring
from pymongo.database import Database

from djongo_services.connections import connections
from tests.storage.serving.site import Site, Stack
from tests.transaction.conftest import entry


class Commands(monitoring.CommandListener):
    """Names of commands and of their collections."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        name = event.command_name
        collection = event.command.get("collection" if name == "getMore" else name)
        if isinstance(collection, str):
            self.sent.append(f"{name} {collection}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture
def make_site(settings: Any, database: Database[Any]) -> Iterator[Callable[[Stack], Site]]:
    commands = Commands()
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": entry(database, event_listeners=[commands])}
    }
    settings.ROOT_URLCONF = "tests.storage.serving.urls"
    settings.STORAGES = dict(settings.STORAGES)

    sites: list[Site] = []

    def make(stack: Stack) -> Site:
        made = Site(stack, settings, commands.sent)
        sites.append(made)
        made.configure()
        return made

    yield make
    for site in sites:
        site.close()
    connections.close_all()


@pytest.fixture
def site(make_site: Callable[[Stack], Site]) -> Site:
    """Under WSGI."""
    return make_site("sync")


@pytest.fixture(params=["sync", "async"])
def each_site(request: pytest.FixtureRequest, make_site: Callable[[Stack], Site]) -> Site:
    """Under WSGI and under ASGI."""
    return make_site(request.param)
