"""The demo's server: the one that ``MONGODB_URI`` names, or an embedded one."""

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
    """The server, database and folder that the demo's steps use."""

    uri: str
    """The address of the server."""
    database: str
    folder: Path
    """The folder for the reports and kind B's SQLite file."""
    size: str

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that uses the same database, and these settings unless it is
        given others."""
        return {
            **os.environ,
            "MONGODB_URI": self.uri,
            "MONGODB_NAME": self.database,
            "DEMO_VAR": str(self.folder),
        }


@contextlib.contextmanager
def kept_deployment(size: str) -> Iterator[Deployment]:
    """The demo's own data; inside the block, other commands of the project find its server."""
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
    """A database and a folder that are removed afterwards; the demo's own data is not touched."""
    folder = Path(tempfile.mkdtemp(prefix="demo-check-"))
    database = f"{mongodb_name()}_check"
    with _removed(folder), _passing_server() as uri, _dropped(uri, database), _unreported():
        yield _use(Deployment(uri=uri, database=database, folder=folder, size=size))


@contextlib.contextmanager
def _unreported() -> Iterator[None]:
    """Keep this process from reporting its transactions to a database that is dropped by then."""
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
        # If the server is gone, the step that needed it has already reported that.
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
    """Make Django use it. The settings were read before the server had an address, but no
    connection has been opened yet, and every later one, in any thread, is made from this dict."""
    default = connections["default"]
    assert default.connection is None
    default.settings_dict.update(HOST=deployment.uri, NAME=deployment.database)
    return deployment
