"""A project whose ORM is on MongoDB, beside a SQL database with ATOMIC_REQUESTS."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import django_mongodb_backend.transaction as backend
import pytest
from asgiref.sync import sync_to_async
from django.db import connections as databases
from django.db import transaction as django
from django.http import HttpRequest, HttpResponse
from django.urls import path
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.middleware import atomic_view, non_atomic
from djongo_services.transaction import atomic
from tests.backend_app.models import Author
from tests.middleware.conftest import OURS, Site
from tests.middleware.views import Boom, calling
from tests.transaction.conftest import failing, open_transactions

pytestmark = pytest.mark.django_db(transaction=True)

Mongo = Database[dict[str, Any]]


@pytest.fixture
def mongo(settings: Any) -> Iterator[Mongo]:
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    settings.MIDDLEWARE = [OURS]
    database = connections["default"].database
    yield database
    database.raw.drop()
    assert open_transactions(database.client) == 0
    assert databases["default"].session is None  # type: ignore[attr-defined]  # the backend's


@pytest.fixture(params=["sync", "async"])
def site(request: pytest.FixtureRequest, settings: Any, mongo: Mongo) -> Site:
    return Site(settings, request.param)


def names() -> list[str]:
    return sorted(Author.objects.values_list("name", flat=True))


def test_orm_and_pymongo_are_one_transaction(site: Site, mongo: Mongo) -> None:
    def work(request: HttpRequest) -> None:
        Author.objects.create(name="A")
        mongo.raw.insert_one({})
        with backend.atomic(), django.atomic():
            Author.objects.create(name="B")
        if "fail" in request.GET:
            raise Boom

    site.serve(path("", calling(work)))
    site.post("/?fail")
    assert (names(), mongo.raw.count_documents({})) == ([], 0)
    site.post("/")
    assert (names(), mongo.raw.count_documents({})) == (["A", "B"], 1)


def test_a_methods_of_an_async_view(site: Site, mongo: Mongo) -> None:
    def blocking() -> None:
        Author.objects.create(name="thread")

    async def view(request: HttpRequest) -> HttpResponse:
        await Author.objects.acreate(name="A")
        await sync_to_async(blocking)()
        await asyncio.to_thread(mongo.raw.insert_one, {"_id": 1})
        await connections["default"].async_database.raw.insert_one({"_id": 2})
        if "fail" in request.GET:
            raise Boom
        return HttpResponse()

    site.serve(path("", view))
    site.post("/?fail")
    assert (names(), mongo.raw.count_documents({})) == ([], 0)
    site.post("/")
    assert (names(), mongo.raw.count_documents({})) == (["A", "thread"], 2)


def test_the_async_client_may_come_first(site: Site, mongo: Mongo) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        await connections["default"].async_database.raw.insert_one({"_id": 2})
        await Author.objects.acreate(name="A")
        if "fail" in request.GET:
            raise Boom
        return HttpResponse()

    site.serve(path("", view))
    site.post("/?fail")
    assert (names(), mongo.raw.count_documents({})) == ([], 0)
    site.post("/")
    assert (names(), mongo.raw.count_documents({})) == (["A"], 1)


def test_djangos_on_commit_waits_for_it(site: Site, mongo: Mongo) -> None:
    ran: list[Any] = []

    def work(request: HttpRequest) -> HttpResponse:
        Author.objects.create(name="A")
        django.on_commit(lambda: ran.append(names()))
        assert ran == []
        return HttpResponse(status=int(request.GET["status"]))

    site.serve(path("", calling(work)))
    site.post("/?status=500")
    assert ran == []
    site.post("/?status=200")
    assert ran == [["A"]]


def test_non_atomic_views(site: Site, mongo: Mongo) -> None:
    def work(request: HttpRequest) -> None:
        Author.objects.create(name=request.path)
        raise Boom

    def second(request: HttpRequest) -> None:
        work(request)

    site.serve(
        path("ours", non_atomic(calling(work))),
        path("djangos", django.non_atomic_requests(calling(second))),
        path("atomic", calling(work)),
    )
    for address in ("/ours", "/djangos", "/atomic"):
        site.post(address)
    assert names() == ["/djangos", "/ours"]


def test_it_joins_what_a_test_has_open(mongo: Mongo, settings: Any) -> None:
    site = Site(settings)
    site.serve(path("", calling(lambda request: Author.objects.create(name="A"))))
    with pytest.raises(Boom), atomic():
        assert site.post("/").status_code == 200
        assert names() == ["A"]
        raise Boom
    assert names() == []
    with pytest.raises(Boom), backend.atomic():
        assert site.post("/").status_code == 200
        assert names() == ["A"]
        raise Boom
    assert names() == []


@pytest.fixture
def sql(mongo: Mongo, monkeypatch: Any, tmp_path: Any) -> Iterator[Any]:
    """A SQL database whose requests are atomic, with a table ``ledger``."""
    ledger = {**databases.settings["sql"], "NAME": tmp_path / "ledger", "ATOMIC_REQUESTS": True}
    monkeypatch.setitem(databases.settings, "ledger", ledger)
    connection = databases["ledger"]
    connection.connect()  # a test's databases are named by its marker; this one is not Django's
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE ledger (entry TEXT)")
    yield connection
    connection.close()
    del databases["ledger"]


def entries(sql: Any) -> int:
    with sql.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger")
        return int(cursor.fetchone()[0])


def enter(sql: Any) -> None:
    with sql.cursor() as cursor:
        cursor.execute("INSERT INTO ledger VALUES ('a')")


def test_atomic_requests_on_sql_go_around(mongo: Mongo, settings: Any, sql: Any) -> None:
    site = Site(settings)

    def work(request: HttpRequest) -> None:
        assert sql.in_atomic_block
        enter(sql)
        Author.objects.create(name="A")
        if "fail" in request.GET:
            raise Boom

    site.serve(path("", calling(work)))
    site.post("/?fail")
    assert (names(), entries(sql)) == ([], 0)
    mongo.raw.insert_one({})
    with failing(mongo.client, "commitTransaction", times=1, errorCode=8):
        assert site.post("/").status_code == 500
    # What MongoDB could not commit is not in SQL either.
    assert (names(), entries(sql)) == ([], 0)
    site.post("/")
    assert (names(), entries(sql)) == (["A"], 1)


def test_a_view_that_runs_again_writes_to_sql_once(mongo: Mongo, settings: Any, sql: Any) -> None:
    site = Site(settings)
    author = Author(name="A")

    def work(request: HttpRequest) -> None:
        enter(sql)
        author.save()
        Author.objects.filter(name="A").update(name="B")

    site.serve(path("", atomic_view(retry=3)(calling(work))))
    transient = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}
    with failing(mongo.client, "update", times=2, **transient):
        assert site.post("/").headers["X-Transaction-Attempt"] == "3"
    assert (names(), entries(sql)) == (["B"], 1)
