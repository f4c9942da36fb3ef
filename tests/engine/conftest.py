"""Selects the tests that need the engine's settings, and records what a test sends to the
server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from pymongo import MongoClient, monitoring
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from tests.mongodb_orm import connections

HERE = Path(__file__).parent
OF_PROJECTS = {"projects", "test_projects.py"}
"""Tests that run projects in separate processes, independent of the engine here."""

if settings.DATABASES["default"]["ENGINE"].startswith("djongo_services"):
    collect_ignore = [str(HERE / "projects"), str(HERE / "migrating" / "test_projects.py")]
else:
    collect_ignore = [
        str(file) for file in HERE.rglob("test_*.py") if OF_PROJECTS.isdisjoint(file.parts)
    ]

ENGINE_ALIAS = "engine"


class Sent(monitoring.CommandListener):
    """The names of commands, with a star where they are part of a transaction."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: Any) -> None:
        star = "*" if event.command.get("autocommit") is False else ""
        self.names.append(f"{event.command_name}{star}")

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


@pytest.fixture
def sent(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """``with sent() as names:`` what the engine sends for the alias "default"."""
    from djongo_services.backend.recording import recorder

    @contextmanager
    def listening() -> Iterator[list[str]]:
        listener = Sent()
        original = type(recorder).started

        def started(self: Any, event: Any) -> None:
            listener.started(event)
            original(self, event)

        with monkeypatch.context() as patched:
            patched.setattr(type(recorder), "started", started)
            yield listener.names

    return listening


@pytest.fixture
def outside(transactional_db: None) -> Iterator[Any]:
    """The database of "default" as another client sees it."""
    from django.db import connection

    with MongoClient[Any](settings.DATABASES["default"]["HOST"]) as client:
        yield client[connection.settings_dict["NAME"]]


@pytest.fixture
def engine(
    mongodb_server: MongoServer, database: Database[Any], django_db_blocker: Any
) -> Iterator[Any]:
    """Django's connection of the engine to ``database``, under the alias ``engine``."""
    entry = {
        "ENGINE": "djongo_services.backend",
        "HOST": mongodb_server.uri,
        "NAME": database.name,
    }
    connections.settings[ENGINE_ALIAS] = connections.configure_settings(
        {"default": {}, ENGINE_ALIAS: entry}
    )[ENGINE_ALIAS]
    with django_db_blocker.unblock():
        try:
            yield connections[ENGINE_ALIAS]
        finally:
            connections[ENGINE_ALIAS].close_pool()
            del connections[ENGINE_ALIAS]
            del connections.settings[ENGINE_ALIAS]
