"""The app ``papers`` on SQLite and on PostgreSQL, its files in MongoDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.test.utils import override_settings
from pymongo.database import Database

from djongo_services.storage import GridFSStorage
from tests.storage.postgres import server

ALIASES = ("papers", "second")


class Boom(Exception):
    pass


@pytest.fixture(scope="session")
def postgres() -> Iterator[dict[str, Any]]:
    yield from server()


@pytest.fixture(params=["sqlite", "postgresql"])
def entries(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Entries of DATABASES."""
    if request.param == "sqlite":
        engine = "django.db.backends.sqlite3"
        return {each: {"ENGINE": engine, "NAME": str(tmp_path / each)} for each in ALIASES}
    entry = request.getfixturevalue("postgres")
    second = {**entry, "OPTIONS": {"options": "-c search_path=second"}}
    return {"papers": {**entry}, "second": second}


@pytest.fixture
def papers(
    connected: Database[Any],
    settings: Any,
    entries: dict[str, dict[str, Any]],
    django_db_blocker: Any,
) -> Iterator[Any]:
    """The app's models; ``connected`` is their files' database."""
    installed = [*settings.INSTALLED_APPS, "tests.storage.following.papers"]
    routers = ["tests.storage.following.papers.models.Router", *settings.DATABASE_ROUTERS]
    before = dict(connections.settings)
    connections.settings.update(
        connections.configure_settings({"default": before["default"], **entries})
    )
    with (
        django_db_blocker.unblock(),
        override_settings(INSTALLED_APPS=installed, DATABASE_ROUTERS=routers),
    ):
        models = list(apps.get_app_config("papers").get_models())
        _create(models)
        try:
            yield apps.get_app_config("papers").models_module
        finally:
            for alias in ALIASES:
                with connections[alias].schema_editor() as editor:
                    for model in reversed(models):
                        editor.delete_model(model)
                connections[alias].close()
                del connections[alias]
                del connections.settings[alias]


def _create(models: list[Any]) -> None:
    if connections["papers"].vendor == "postgresql":
        with connections["papers"].cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS second")
    for alias in ALIASES:
        with connections[alias].schema_editor() as editor:
            for model in models:
                editor.create_model(model)


def content(storage: GridFSStorage, name: str) -> bytes:
    with storage.open(name) as file:
        found: bytes = file.read()
        return found


def filenames(database: Database[Any]) -> list[str]:
    """The names of all files, as every reader sees them; provisional ones with a question mark."""
    return sorted(
        each["filename"] + ("?" if "provisional" in each["metadata"] else "")
        for each in database.fs.files.find()
    )


def is_sound(database: Database[Any]) -> bool:
    """Whether each file has its chunks, and each chunk a file."""
    ids = {each["_id"] for each in database.fs.files.find({"length": {"$gt": 0}})}
    return ids == set(database.fs.chunks.distinct("files_id"))
