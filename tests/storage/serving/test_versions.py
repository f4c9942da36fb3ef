"""The same on every supported version of the server."""

from __future__ import annotations

import os
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.connections import connections
from tests.storage.serving.site import Site
from tests.transaction.conftest import entry

pytestmark = pytest.mark.versions


MB = 1024 * 1024


def test_files_are_served(settings: Any, matrix_database: Database[Any]) -> None:
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": entry(matrix_database)}}
    settings.ROOT_URLCONF = "tests.storage.serving.urls"
    content = os.urandom(12 * MB)
    for stack in ("sync", "async"):
        site = Site(stack, settings)
        site.configure()
        name = f"{stack}.bin"
        site.save(name, content)
        answer = site.get(f"/media/{name}")
        assert (answer.status, answer.body == content) == (200, True)
        part = site.get(f"/media/{name}", Range="bytes=7000000-7000999")
        assert (part.status, part.body) == (206, content[7000000:7001000])
        assert site.get(f"/media/{name}", If_None_Match=answer.headers["ETag"]).status == 304
        site.close()
    connections.close_all()
