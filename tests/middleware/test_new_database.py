"""The first requests of a site, all at once, on a database without collections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from djongo_services.transaction import aatomic, atomic
from djongo_services.transaction.testing import rolled_back
from tests.middleware.conftest import Site

MANY = 8


def mongo() -> Database[Any]:
    return connections["default"].database


def insert() -> None:
    mongo().new.insert_one({})


def insert_many() -> None:
    mongo().new.insert_many([{}, {}])


def read_and_insert() -> None:
    mongo().new.find_one()
    mongo().new.insert_one({})


def read_another_and_insert() -> None:
    mongo().things.find_one()
    mongo().new.insert_one({})


def insert_into_two() -> None:
    mongo().new.insert_one({})
    mongo().newer.insert_one({})


def upload() -> None:
    GridFSStorage(bucket="new").save("name", ContentFile(b"text"))


def insert_and_upload() -> None:
    mongo().rows.insert_one({})
    GridFSStorage(bucket="new").save("name", ContentFile(b"text"))


WORKS = pytest.mark.parametrize(
    "work",
    [
        insert,
        insert_many,
        read_and_insert,
        read_another_and_insert,
        insert_into_two,
        upload,
        insert_and_upload,
    ],
    ids=lambda work: work.__name__,
)


def view_of(work: Callable[[], None]) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        work()
        return HttpResponse()

    return view


def at_once(do: Callable[[], Any]) -> list[Any]:
    barrier, results = threading.Barrier(MANY), []

    def run() -> None:
        barrier.wait()
        try:
            results.append(do())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@WORKS
def test_threads(site: Site, work: Any) -> None:
    site.serve(path("", view_of(work)))
    client = Client(raise_request_exception=False)
    assert at_once(lambda: client.post("/").status_code) == [200] * MANY


@WORKS
def test_processes_of_a_server(site: Site, work: Any) -> None:
    """Each has its own handler, as have the test clients here."""
    site.serve(path("", view_of(work)))
    statuses = at_once(lambda: Client(raise_request_exception=False).post("/").status_code)
    assert statuses == [200] * MANY


async def test_tasks(site: Site) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        database = connections["default"].async_database
        await database.new.insert_one({})
        await database.newer.insert_one({})
        await GridFSStorage(bucket="new").asave("name", ContentFile(b"text"))
        return HttpResponse()

    site.serve(path("", view))
    client = AsyncClient(raise_request_exception=False)
    responses = await asyncio.gather(*(client.post("/") for _ in range(MANY)))
    assert [response.status_code for response in responses] == [200] * MANY
    await connections["default"].aclose()


@pytest.mark.parametrize("work", [insert, insert_many], ids=lambda work: work.__name__)
def test_different_views_of_one_collection(site: Site, work: Any) -> None:
    site.serve(*(path(f"{number}/", view_of(work)) for number in range(MANY)))
    numbers = iter(range(MANY))
    client = Client(raise_request_exception=False)
    assert at_once(lambda: client.post(f"/{next(numbers)}/").status_code) == [200] * MANY


def upsert() -> None:
    mongo().new.update_one({"_id": threading.get_ident()}, {"$set": {"a": 1}}, upsert=True)


@pytest.mark.parametrize("work", [insert, insert_many, upsert], ids=lambda work: work.__name__)
def test_blocks_without_a_request(site: Site, work: Any) -> None:
    def block() -> None:
        with atomic():
            work()

    assert at_once(block) == [None] * MANY


async def test_blocks_without_a_request_in_a_loop(site: Site) -> None:
    async def block() -> None:
        async with aatomic():
            await connections["default"].async_database.new.insert_one({})

    await asyncio.gather(*(block() for _ in range(MANY)))
    assert await connections["default"].async_database.new.count_documents({}) == MANY
    await connections["default"].aclose()


def test_a_view_that_calls_itself_does_not_wait_for_itself(site: Site) -> None:
    calls: list[int] = []

    def view(request: HttpRequest) -> HttpResponse:
        if "inner" not in request.GET:
            calls.append(Client().post("/?inner").status_code)
        insert()
        return HttpResponse()

    site.serve(path("", view))
    assert Client().post("/").status_code == 200
    assert calls == [200]


def test_views_that_write_nothing_do_not_wait_for_each_other(site: Site) -> None:
    """After a few requests that ran one at a time."""
    together = threading.Barrier(2)

    def view(request: HttpRequest) -> HttpResponse:
        if "wait" in request.GET:
            together.wait(20)
        return HttpResponse()

    site.serve(path("", view))
    client = Client()
    for _ in range(MANY):
        client.post("/")
    threads = [threading.Thread(target=client.post, args=["/?wait"]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together.broken


def test_a_test_that_is_rolled_back_leaves_no_collection(site: Site) -> None:
    with rolled_back():
        insert()
    assert "new" not in mongo().list_collection_names()
