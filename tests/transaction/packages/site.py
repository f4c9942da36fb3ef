"""Views that write by the ORM and by PyMongo, and the proof that they are atomic.

It runs in a separate process, together with one package that changes Django, PyMongo or threads.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path

from djongo_services.connections import connections
from djongo_services.middleware import atomic_view
from djongo_services.transaction import on_commit, on_rollback
from tests.backend_app.models import Author

TOLD: list[str] = []
"""By the callbacks of the requests."""


def database() -> Any:
    return connections["default"].database


def work() -> None:
    on_commit(lambda: TOLD.append("committed"))
    on_rollback(lambda: TOLD.append("rolled back"))
    Author.objects.using("mongo").create(name="by the ORM")
    database().raw.insert_one({"by": "PyMongo"})


def write(request: HttpRequest) -> HttpResponse:
    work()
    return HttpResponse("written")


def answer_500(request: HttpRequest) -> HttpResponse:
    work()
    return HttpResponse("failed", status=500)


def fail(request: HttpRequest) -> HttpResponse:
    work()
    raise ZeroDivisionError


@atomic_view(retry=5)
def conflict(request: HttpRequest) -> HttpResponse:
    """In the first attempt, another client changes a document after it was read."""
    counter = database().counters
    counter.find_one({"_id": "n"})
    if request.transaction_attempt == 1:  # type: ignore[attr-defined]  # of the middleware
        with database().client.start_session() as outside:
            counter.update_one({"_id": "n"}, {"$inc": {"n": 100}}, session=outside)
    counter.update_one({"_id": "n"}, {"$inc": {"n": 1}})
    work()
    return HttpResponse("counted")


@atomic_view(retry=100)
def count(request: HttpRequest) -> HttpResponse:
    add_one()
    return HttpResponse("counted")


def add_one() -> None:
    counters = database().counters
    n = counters.find_one({"_id": "n"})["n"]
    counters.update_one({"_id": "n"}, {"$set": {"n": n + 1}})


def work_that_tells() -> None:
    """The outcomes are documents, so that another process can read them."""
    on_commit(lambda: database().told.insert_one({"outcome": "committed"}))
    on_rollback(lambda: database().told.insert_one({"outcome": "rolled back"}))
    work()


def tell(request: HttpRequest, status: int) -> HttpResponse:
    work_that_tells()
    return HttpResponse(status=status)


async def awrite(request: HttpRequest) -> HttpResponse:
    await sync_to_async(work)()
    return HttpResponse("written")


async def aanswer_500(request: HttpRequest) -> HttpResponse:
    await sync_to_async(work)()
    return HttpResponse("failed", status=500)


urlpatterns = [
    path("write/", write),
    path("answer-500/", answer_500),
    path("fail/", fail),
    path("conflict/", conflict),
    path("count/", count),
    path("tell/<int:status>/", tell),
    path("awrite/", awrite),
    path("aanswer-500/", aanswer_500),
]


def prove() -> str:
    """Under a sync and an async stack; raises AssertionError with what is wrong."""
    prepare()
    for post in (_post, _apost):
        for address, status, outcome in (
            ("/write/", 200, "committed"),
            ("/answer-500/", 500, "rolled back"),
            ("/fail/", 500, "rolled back"),
            ("/awrite/", 200, "committed"),
            ("/aanswer-500/", 500, "rolled back"),
        ):
            _expect(post, address, status, outcome)
        _expect(post, "/conflict/", 200, "committed", attempts=2)
    return "proven"


def prepare() -> None:
    for name in ("backend_app_author", "raw", "counters"):
        with contextlib.suppress(Exception):
            database().create_collection(name)
    database().counters.replace_one({"_id": "n"}, {"n": 0}, upsert=True)


def _expect(post: Any, address: str, status: int, outcome: str, attempts: int = 1) -> None:
    database().raw.delete_many({})
    Author.objects.using("mongo").all().delete()
    TOLD.clear()
    answered = post(address)
    rows = 1 if outcome == "committed" else 0
    found = (
        answered,
        database().raw.count_documents({}),
        Author.objects.using("mongo").count(),
        TOLD,
    )
    assert found == (status, rows, rows, [outcome]), (address, post.__name__, found)


def _post(address: str) -> int:
    return Client(raise_request_exception=False).post(address).status_code


def _apost(address: str) -> int:
    async def post() -> int:
        return (await AsyncClient(raise_request_exception=False).post(address)).status_code

    return asyncio.run(post())
