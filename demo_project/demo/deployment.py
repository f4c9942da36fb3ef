"""Which server the demo runs on: the one that ``MONGODB_URI`` names, or an embedded one."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from demo_project.environment import (
    VAR,
    mongodb_name,
    mongodb_uri,
    recorded,
)
from djongo_services.embedded import MongoServer

DATA = VAR / "mongodb"
MANAGE = Path(__file__).resolve().parents[2] / "manage.py"


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """What the steps of the demo work on."""

    uri: str
    """The address of the server."""
    database: str
    folder: Path
    """For the reports and kind B's SQLite file."""
    size: str

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    @property
    def environment(self) -> dict[str, str]:
        """For a process on the same database, which has these settings unless told otherwise."""
        return {
            **os.environ,
            "MONGODB_URI": self.uri,
            "MONGODB_NAME": self.database,
            "DEMO_VAR": str(self.folder),
        }


@contextlib.contextmanager
def kept_deployment(size: str) -> Iterator[Deployment]:
    """The demo's own data; while inside, other commands of the project find its server."""
    if uri := os.environ.get("MONGODB_URI"):
        yield _use(Deployment(uri=uri, database=mongodb_name(), folder=VAR, size=size))
        return
    if _answers(recorded_uri := mongodb_uri()):
        raise CommandError(
            f"A server for the demo runs already at {recorded_uri}; stop it first, "
            f"or work with it: MONGODB_URI={recorded_uri} manage.py demo."
        )
    with MongoServer(path=DATA) as server, recorded(server.uri), _unreported():
        yield _use(Deployment(uri=server.uri, database=mongodb_name(), folder=VAR, size=size))


@contextlib.contextmanager
def passing_deployment(size: str) -> Iterator[Deployment]:
    """A database and a folder that are gone afterwards; the demo's own data is not touched."""
    folder = Path(tempfile.mkdtemp(prefix="demo-check-"))
    database = f"{mongodb_name()}_check"
    with _removed(folder), _passing_server() as uri, _dropped(uri, database), _unreported():
        yield _use(Deployment(uri=uri, database=database, folder=folder, size=size))


@contextlib.contextmanager
def _unreported() -> Iterator[None]:
    """What this process has counted of transactions does not make anew what is gone by then."""
    try:
        yield
    finally:
        # Here, because the admin registers its models when it is imported.
        from djongo_services.admin.transaction_history import history

        history.close()


@contextlib.contextmanager
def _removed(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _dropped(uri: str, database: str) -> Iterator[None]:
    try:
        yield
    finally:
        # A server that went away meanwhile has been reported by the step that missed it.
        with _client(uri) as client, contextlib.suppress(PyMongoError):
            client.drop_database(database)


@contextlib.contextmanager
def _passing_server() -> Iterator[str]:
    if uri := os.environ.get("MONGODB_URI"):
        yield uri
        return
    with MongoServer() as server:
        yield server.uri


def _answers(uri: str) -> bool:
    with _client(uri) as client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
    return True


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(uri, serverSelectionTimeoutMS=1_000)


def _use(deployment: Deployment) -> Deployment:
    """Point Django at it. Settings were read before the server had an address, but no connection
    has been opened yet, and every later one, of any thread, is made from this dict."""
    default = connections["default"]
    assert default.connection is None
    default.settings_dict.update(HOST=deployment.uri, NAME=deployment.database)
    return deployment
