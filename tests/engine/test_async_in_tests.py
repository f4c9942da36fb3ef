"""Asynchronous code within Django's TestCase, as which pytest-django runs these tests."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from pymongo import MongoClient

from djongo_services.connections import connections as services
from djongo_services.transaction import aatomic
from tests.engine.shop.models import Article

pytestmark = pytest.mark.django_db


def names() -> list[str]:
    return sorted(Article.objects.values_list("name", flat=True))


def seen_by_others() -> int:
    with MongoClient[Any](settings.DATABASES["default"]["HOST"]) as client:
        name = services["default"].database.name
        return client[name].shop_article.count_documents({})


async def insert(name: str) -> None:
    await services["default"].async_database.shop_article.insert_one({"name": name, "stock": 0})


def in_a_loop(work: Any) -> Any:
    async def run() -> Any:
        try:
            return await work()
        finally:
            await services["default"].aclose()

    return async_to_sync(run)()


@pytest.mark.parametrize("first", ["orm", "raw"])
def test_a_block_is_part_of_the_test(first: str) -> None:
    Article.objects.create(name="before")

    async def work() -> None:
        async with aatomic():
            assert await Article.objects.acount() == 1
            if first == "raw":
                await insert("raw")
            await Article.objects.acreate(name="orm")
            if first == "orm":
                await insert("raw")

    in_a_loop(work)
    in_a_loop(lambda: insert_in_a_block("in another loop"))
    assert names() == ["before", "in another loop", "orm", "raw"]
    assert seen_by_others() == 0


async def insert_in_a_block(name: str) -> None:
    async with aatomic():
        await insert(name)


def test_a_block_that_fails_takes_only_its_part_back() -> None:
    async def work() -> None:
        await insert_in_a_block("raw")
        await Article.objects.acreate(name="orm")
        with pytest.raises(RuntimeError, match="on purpose"):
            await fail()
        assert await Article.objects.acount() == 2

    async def fail() -> None:
        async with aatomic():
            await insert("never")
            await Article.objects.acreate(name="never, either")
            raise RuntimeError("on purpose")

    in_a_loop(work)
    assert names() == ["orm", "raw"]


async def view(request: Any) -> HttpResponse:
    await Article.objects.acreate(name=f"orm {await Article.objects.acount()}")
    await insert(f"raw {await Article.objects.acount()}")
    return HttpResponse(status=int(request.GET["status"]))


@pytest.mark.parametrize("stack", ["sync", "async"])
def test_a_view_of_the_middleware(stack: str, settings: Any) -> None:
    settings.MIDDLEWARE = ["djongo_services.middleware.MongoTransactionMiddleware"]
    settings.ROOT_URLCONF = type("urls", (), {"urlpatterns": [path("", view)]})
    Article.objects.create(name="before")

    def post(status: int) -> int:
        if stack == "sync":
            return Client(raise_request_exception=False).post(f"/?status={status}").status_code
        client = AsyncClient(raise_request_exception=False)

        async def send() -> Any:
            return await client.post(f"/?status={status}")

        found: int = in_a_loop(send).status_code
        return found

    assert post(200) == 200
    assert names() == ["before", "orm 1", "raw 2"]
    assert post(500) == 500
    assert names() == ["before", "orm 1", "raw 2"]
    assert post(200) == 200
    assert names() == ["before", "orm 1", "orm 3", "raw 2", "raw 4"]
    assert seen_by_others() == 0


def test_nothing_is_left_by_the_tests_before() -> None:
    assert names() == []
