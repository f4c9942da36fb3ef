"""Buckets of both flavours, and what was sent for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import monitoring
from pymongo.database import Database

from tests.storage.bucket.flavours import Flavour


class Commands(monitoring.CommandListener):
    """The commands that a client sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.sent.append((event.command_name, dict(event.command)))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass

    def named(self, *names: str) -> list[Any]:
        return [command for name, command in self.sent if name in names]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.sent]


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture(params=["sync", "async"])
def flavour(
    request: pytest.FixtureRequest, database: Database[Any], commands: Commands
) -> Iterator[Flavour]:
    # A server that said falsely that it is no primary is believed again after one heartbeat.
    made = Flavour(database, request.param, event_listeners=[commands], heartbeatFrequencyMS=500)
    yield made
    made.close()


@pytest.fixture(params=["sync", "async"])
def matrix_flavour(
    request: pytest.FixtureRequest, matrix_database: Database[Any]
) -> Iterator[Flavour]:
    made = Flavour(matrix_database, request.param)
    yield made
    made.close()


@pytest.fixture
def either(flavour: Flavour) -> Any:
    """The bucket "fs" of a new database, of each flavour."""
    return flavour.make()
