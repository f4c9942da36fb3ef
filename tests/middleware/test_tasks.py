"""Tasks that a view starts and that live longer than its request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient
from django.urls import path

from djongo_services.connections import connections
from djongo_services.transaction import TransactionManagementError, on_commit
from djongo_services.transaction.requests.context import served
from tests.middleware.conftest import Site
from tests.middleware.views import athings, things

Written = Callable[..., int]


async def close_clients() -> None:
    for alias in connections:
        await connections[alias].aclose()


@pytest.mark.parametrize("status", [200, 500])
async def test_a_worker_that_a_view_started_goes_on(
    site: Site, written: Written, status: int
) -> None:
    jobs: asyncio.Queue[bool] = asyncio.Queue()
    workers: list[asyncio.Task[None]] = []

    async def work() -> None:
        while await jobs.get():
            await athings().insert_one({"by": "worker"})
            await sync_to_async(things().insert_one)({"by": "worker"})
            assert served() is None
            jobs.task_done()

    async def view(request: HttpRequest) -> HttpResponse:
        await athings().insert_one({"by": "view"})
        await sync_to_async(things().insert_one)({"by": "view"})
        if not workers:
            workers.append(asyncio.create_task(work()))
        await asyncio.sleep(0)
        return HttpResponse(status=status)

    site.serve(path("", view))
    for _ in range(2):
        response = await AsyncClient(raise_request_exception=False).post("/")
        assert response.status_code == status
        jobs.put_nowait(True)
        await jobs.join()
    jobs.put_nowait(False)
    await workers[0]
    assert written() == 4 + (4 if status == 200 else 0)
    await close_clients()


async def test_a_task_that_took_part_in_a_failed_view_is_refused(
    site: Site, written: Written
) -> None:
    inside, left = asyncio.Event(), asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def later() -> None:
        await athings().insert_one({"by": "task"})
        inside.set()
        await left.wait()
        await athings().insert_one({"by": "task"})

    async def view(request: HttpRequest) -> HttpResponse:
        tasks.append(asyncio.create_task(later()))
        await inside.wait()
        await athings().insert_one({"by": "view"})
        return HttpResponse(status=500)

    site.serve(path("", view))
    await AsyncClient(raise_request_exception=False).post("/")
    left.set()
    with pytest.raises(TransactionManagementError, match="took part"):
        await tasks[0]
    assert written() == 0
    await close_clients()


async def test_a_task_of_a_callback(site: Site, written: Written) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def later() -> None:
        await athings().insert_one({"by": "task"})

    async def view(request: HttpRequest) -> HttpResponse:
        await athings().insert_one({"by": "view"})
        on_commit(lambda: tasks.append(asyncio.create_task(later())))
        return HttpResponse()

    site.serve(path("", view))
    await AsyncClient().post("/")
    await tasks[0]
    assert written() == 2
    await close_clients()


async def test_a_worker_does_not_stay_at_the_snapshot_of_its_first_request(
    site: Site, written: Written
) -> None:
    site.configure(SAFE_METHODS="snapshot")
    left = asyncio.Event()
    tasks: list[asyncio.Task[int]] = []

    async def count() -> int:
        await left.wait()
        return await athings().count_documents({"by": "later"})

    async def view(request: HttpRequest) -> HttpResponse:
        await athings().find_one({})
        tasks.append(asyncio.create_task(count()))
        return HttpResponse()

    site.serve(path("", view))
    await AsyncClient().get("/")
    await athings().insert_one({"by": "later"})
    left.set()
    assert await tasks[0] == 1
    await close_clients()
