from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from tests.engine.projects.building import Project


@pytest.fixture
def real(mongodb_server: MongoServer) -> Iterator[Database[dict[str, Any]]]:
    """The project's real database; what tests left beside it is dropped."""
    with mongodb_server.client() as client:
        database = client[f"site_{uuid.uuid4().hex[:12]}"]
        yield database
        for name in client.list_database_names():
            if database.name in name:
                client.drop_database(name)


@pytest.fixture
def project(tmp_path: Path, mongodb_server: MongoServer, real: Database[dict[str, Any]]) -> Project:
    return Project(folder=tmp_path, uri=mongodb_server.uri, database=real.name, settings="settings")
