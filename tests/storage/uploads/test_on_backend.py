"""Uploads of a project whose ORM is on MongoDB, whose client the storage shares."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections as databases
from django.http import HttpRequest, HttpResponse

from djongo_services.connections import connections
from tests.storage.uploads.conftest import Site, site_on


@pytest.fixture(params=["connected", "unconnected"])
def shared(request: pytest.FixtureRequest, settings: Any, django_db_blocker: Any) -> Iterator[Site]:
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    with django_db_blocker.unblock():
        database = connections["default"].database
        bucket = f"fs_{uuid.uuid4().hex}"
        site = site_on(settings, database, "async")
        site.configure(bucket=bucket)
        if request.param == "unconnected":
            databases["default"].close()
        yield site
        for kind in ("files", "chunks", "uploads"):
            connections["default"].database[f"{bucket}.{kind}"].drop()


@pytest.mark.parametrize("keeps", [True, False])
def test_an_async_view_reads_what_was_sent(shared: Site, keeps: bool) -> None:
    data = b"x" * 600_000

    async def view(request: HttpRequest) -> HttpResponse:
        uploaded: Any = request.FILES["file"]
        assert uploaded.read() == data
        name = await shared.storage.asave("a.txt", uploaded) if keeps else ""
        return HttpResponse(f"{uploaded.size} {name}")

    shared.serve(view)
    answer = shared.post(("a.txt", data))
    assert (answer.status_code, answer.content.decode()) == (
        200,
        f"600000 {'a.txt' if keeps else ''}",
    )
    bucket = shared.storage.bucket
    assert bucket.files.count_documents({}) == int(keeps)
    assert bucket.uploads.count_documents({}) == 0
    assert bool(bucket.chunks.count_documents({})) is keeps
    if keeps:
        with shared.storage.open("a.txt") as file:
            assert file.read() == data


def test_a_storage_in_an_event_loop(shared: Site) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        await sync_to_async(connections["default"].database.list_collection_names)()
        return HttpResponse(str(shared.storage.exists("a.txt")))

    shared.serve(view)
    assert shared.post(("a.txt", b"content")).content == b"False"
