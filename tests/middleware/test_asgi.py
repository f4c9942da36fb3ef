"""The ASGI handler itself: clients that go away leave no open transaction behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path
from pymongo.database import Database

from djongo_services.connections import connections
from tests.middleware.conftest import Site
from tests.middleware.views import athings, things
from tests.transaction.conftest import open_transactions

Written = Callable[..., int]


class Visit:
    """One request as an ASGI server passes it, whose client can disconnect."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.sent: list[dict[str, Any]] = []
        self._asked = False

    async def run(self, address: str = "/") -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": address,
            "query_string": b"",
            "headers": [(b"host", b"testserver")],
        }
        await ASGIHandler()(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
async def loop_clients() -> Any:
    yield
    for alias in connections:
        await connections[alias].aclose()


async def visit_and_leave(begun: asyncio.Event) -> Visit:
    visit = Visit()
    task = asyncio.create_task(visit.run())
    await asyncio.wait_for(begun.wait(), 10)
    visit.gone.set()
    await asyncio.wait_for(task, 20)
    return visit


async def test_a_request_is_served(site: Site, written: Written, loop_clients: None) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        await athings().insert_one({})
        return HttpResponse("done")

    site.serve(path("", view))
    visit = Visit()
    await visit.run()
    assert visit.sent[0]["status"] == 200
    assert written() == 1


async def test_an_async_view_whose_client_goes_away(
    site: Site, database: Database[Any], written: Written, loop_clients: None
) -> None:
    begun = asyncio.Event()

    async def view(request: HttpRequest) -> HttpResponse:
        await athings().insert_one({})
        assert open_transactions(database.client) == 1
        begun.set()
        await asyncio.sleep(60)
        return HttpResponse("never")

    site.serve(path("", view))
    visit = await visit_and_leave(begun)
    assert visit.sent == []
    assert open_transactions(database.client) == 0
    assert written() == 0


async def test_an_async_view_that_is_cancelled_within_an_operation(
    site: Site, database: Database[Any], written: Written, loop_clients: None
) -> None:
    begun = asyncio.Event()

    async def view(request: HttpRequest) -> HttpResponse:
        await athings().insert_one({})
        begun.set()
        await athings().find_one({"$where": "sleep(700) || true"})
        return HttpResponse("never")

    site.serve(path("", view))
    await visit_and_leave(begun)
    assert open_transactions(database.client) == 0
    assert written() == 0


async def test_a_sync_view_whose_client_goes_away_ends_in_its_own_thread(
    site: Site, database: Database[Any], written: Written
) -> None:
    """Its thread cannot be stopped: it finishes its work, and its transaction with it."""
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    threads: list[threading.Thread] = []

    def view(request: HttpRequest) -> HttpResponse:
        threads.append(threading.current_thread())
        things().insert_one({})
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(10)
        things().update_many({}, {"$set": {"a": 1}})
        return HttpResponse("too late")

    site.serve(path("", view))
    visit = Visit()
    task = asyncio.create_task(visit.run())
    await asyncio.wait_for(begun.wait(), 10)
    visit.gone.set()
    await asyncio.sleep(0)
    assert open_transactions(database.client) == 1
    go_on.set()
    await asyncio.wait_for(task, 20)
    await asyncio.to_thread(threads[0].join, 10)
    assert open_transactions(database.client) == 0
    assert written() == 1


async def test_many_requests_at_once_lose_and_double_nothing(
    site: Site, database: Database[Any], written: Written, loop_clients: None
) -> None:
    async def view(request: HttpRequest, number: int) -> HttpResponse:
        await athings().insert_one({"number": number})
        await athings().insert_one({"number": number})
        return HttpResponse(status=500 if number % 3 == 0 else 200)

    site.serve(path("<int:number>", view))
    visits = [Visit() for _ in range(60)]
    await asyncio.gather(*[visit.run(f"/{number}") for number, visit in enumerate(visits)])
    told = [number for number, visit in enumerate(visits) if visit.sent[0]["status"] == 200]
    found = sorted(document["number"] for document in database.things.find({"by": None}))
    assert found == sorted([*told, *told])
    assert len(told) == 40
