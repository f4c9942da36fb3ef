"""The site that the benchmark of transactions serves: Django's settings, its views, its handlers.

Requests go directly to Django's handler, without a test client or a server in between.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any

import django
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from pymongo import AsyncMongoClient, MongoClient

OURS = "djongo_services.middleware.MongoTransactionMiddleware"
DATABASE = "benchmark_transaction"

Document = dict[str, Any]
Answer = Callable[[HttpRequest], HttpResponse]
AsyncAnswer = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]]


class Failed(Exception):
    """A view that fails on purpose, after its first write."""


def configure(uri: str) -> None:
    """Configure the ORM on MongoDB twice ("plain" is used without this package), and a separate
    connection."""
    backend = {"ENGINE": "django_mongodb_backend", "HOST": uri, "NAME": DATABASE}
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="benchmark",
        USE_TZ=True,
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["djongo_services"],
        DATABASES={"default": backend, "plain": backend},
        DEFAULT_AUTO_FIELD="django_mongodb_backend.fields.ObjectIdAutoField",
        LOGGING_CONFIG=None,
        DJONGO_SERVICES={
            "CONNECTIONS": {
                "default": {"DATABASE": "default"},
                "own": {"HOST": uri, "NAME": DATABASE},
            },
            "TRANSACTION": {"MIDDLEWARE": {"USING": ["own"]}},
        },
    )
    django.setup()


@cache
def model() -> Any:
    """A model that only this process has, available once Django is set up."""
    from django.db import models

    class Loan(models.Model):
        title = models.CharField(max_length=100)
        state = models.CharField(max_length=20)

        class Meta:
            app_label = "benchmarks"
            db_table = "loans"

        def __str__(self) -> str:
            return self.title

    return Loan


def database() -> Any:
    from djongo_services.connections import connections

    return connections["own"].database


def async_database() -> Any:
    from djongo_services.connections import connections

    return connections["own"].async_database


def handler(*, middleware: bool) -> Answer:
    """The response of a sync stack to a request."""
    made = BaseHandler()
    with override_settings(MIDDLEWARE=[OURS] if middleware else []):
        made.load_middleware()
    return made.get_response


def async_handler(*, middleware: bool) -> AsyncAnswer:
    made = BaseHandler()
    with override_settings(MIDDLEWARE=[OURS] if middleware else []):
        made.load_middleware(is_async=True)
    return made.get_response_async


def request(address: str, method: str = "GET") -> HttpRequest:
    made = HttpRequest()
    made.method, made.path, made.path_info = method, address, address
    made.META = {"SERVER_NAME": "localhost", "SERVER_PORT": "80", "REQUEST_METHOD": method}
    return made


def empty(_: HttpRequest) -> HttpResponse:
    return HttpResponse()


async def aempty(_: HttpRequest) -> HttpResponse:
    return HttpResponse()


def read(_: HttpRequest) -> HttpResponse:
    return HttpResponse(database().stock.find_one({"_id": 1})["title"])


def read_in_transaction(_: HttpRequest) -> HttpResponse:
    """A view written by hand, which begins and commits a transaction as if it had written."""
    base = database()
    with base.client.start_session() as session, session.start_transaction():
        return HttpResponse(base.stock.find_one({"_id": 1}, session=session)["title"])


def lend(_: HttpRequest, number: int) -> HttpResponse:
    base = database()
    base.loans_made.insert_one({"number": number})
    fail_sometimes(number)
    base.members.update_one({"_id": number}, {"$inc": {"loans": 1}}, upsert=True)
    return HttpResponse()


def lend_by_hand(_: HttpRequest, number: int) -> HttpResponse:
    base = database()
    with base.client.start_session() as session, session.start_transaction():
        base.loans_made.insert_one({"number": number}, session=session)
        fail_sometimes(number)
        change = {"$inc": {"loans": 1}}
        base.members.update_one({"_id": number}, change, upsert=True, session=session)
    return HttpResponse()


async def alend(_: HttpRequest, number: int) -> HttpResponse:
    base = async_database()
    await base.loans_made.insert_one({"number": number})
    fail_sometimes(number)
    await base.members.update_one({"_id": number}, {"$inc": {"loans": 1}}, upsert=True)
    return HttpResponse()


async def alend_by_hand(_: HttpRequest, number: int) -> HttpResponse:
    base = async_database()
    async with base.client.start_session() as session, await session.start_transaction():
        await base.loans_made.insert_one({"number": number}, session=session)
        fail_sometimes(number)
        change = {"$inc": {"loans": 1}}
        await base.members.update_one({"_id": number}, change, upsert=True, session=session)
    return HttpResponse()


def fail_sometimes(number: int) -> None:
    """Fail at every twentieth request."""
    if number % 20 == 0:
        raise Failed


def refused(_: HttpRequest) -> HttpResponse:
    """Django's error page, without its report."""
    return HttpResponse(status=500)


handler500 = refused
urlpatterns = [
    path("empty/", empty),
    path("aempty/", aempty),
    path("read/", read),
    path("read-in-transaction/", read_in_transaction),
    path("lend/<int:number>/", lend),
    path("lend-by-hand/<int:number>/", lend_by_hand),
    path("alend/<int:number>/", alend),
    path("alend-by-hand/<int:number>/", alend_by_hand),
]

SyncClient = MongoClient[Document]
AsyncClient = AsyncMongoClient[Document]
