"""The primary is killed in mid-download: the rest comes from the next one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from djongo_services.connections import connections
from djongo_services.embedded import MongoServer
from tests.members import primary_of
from tests.storage.serving.site import Site, Stack

MB = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[MongoServer]:
    with MongoServer(members=3) as server:
        yield server


@pytest.mark.parametrize("stack", ["sync", "async"])
def test_the_download_goes_on(server: MongoServer, settings: Any, stack: Stack) -> None:
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": {"HOST": server.uri, "NAME": f"serving_{stack}"}}
    }
    settings.ROOT_URLCONF = "tests.storage.serving.urls"
    site = Site(stack, settings)
    site.configure(write_concern="majority")
    content = os.urandom(20 * MB)
    site.save("a", content)

    def kill() -> None:
        primary_of(server).kill()

    try:
        answer = site.get("/media/a", after_first=kill)
        assert (answer.status, answer.body == content) == (200, True)
    finally:
        site.close()
        connections.close_all()
        for member in server.members:
            if not member.running:
                member.restart()
        server.wait_until_ready()
