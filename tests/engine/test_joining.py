"""One transaction for all that uses the connection's client."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from django_mongodb_backend.transaction import atomic as backend_atomic

from djongo_services.connections import connections as services
from djongo_services.transaction import aatomic, atomic, on_commit, on_rollback
from tests.engine.helpers import failing, rolled_back
from tests.engine.shop.models import Article, Picture
from tests.mongodb_orm import connection, connections

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


def names() -> list[str]:
    return sorted(Article.objects.values_list("name", flat=True))


@pytest.mark.parametrize("outer", [transaction.atomic, atomic, backend_atomic])
@pytest.mark.parametrize("inner", [transaction.atomic, atomic, backend_atomic])
class TestBlocksOfAllKinds:
    def test_commit_together(self, outer, inner):
        with outer():
            Article.objects.create(name="orm")
            with inner():
                connection.database.shop_article.insert_one({"name": "raw", "stock": 0})
                services["default"].database.shop_article.insert_one({"name": "ours", "stock": 0})
        assert names() == ["orm", "ours", "raw"]

    def test_the_inner_one_alone_is_rolled_back(self, outer, inner):
        with outer():
            Article.objects.create(name="before")
            with rolled_back(inner()):
                connection.database.shop_article.insert_one({"name": "raw", "stock": 0})
            Article.objects.create(name="after")
        assert names() == ["after", "before"]

    def test_a_duplicate_in_the_inner_one(self, outer, inner):
        with outer():
            Article.objects.create(name="before")
            with failing(IntegrityError), inner():
                Article.objects.create(name="before")
            Article.objects.create(name="after")
        assert names() == ["after", "before"]

    def test_roll_back_together(self, outer, inner):
        with rolled_back(outer()):
            Article.objects.create(name="orm")
            with inner():
                connection.database.shop_article.insert_one({"name": "raw", "stock": 0})
        assert names() == []


def test_aliases_are_apart():
    with rolled_back(transaction.atomic(using="other")):
        Article.objects.using("other").create(name="gone")
        Article.objects.create(name="stays")
    assert names() == ["stays"]
    assert not Article.objects.using("other").exists()


def test_files_follow_savepoints():
    with transaction.atomic():
        kept = Picture.objects.create(file=ContentFile(b"kept", name="kept"))
        with rolled_back():
            undone = Picture.objects.create(file=ContentFile(b"undone", name="undone"))
            kept.file.delete(save=False)
    assert Picture.objects.get().file.read() == b"kept"
    assert not undone.file.storage.exists(undone.file.name)
    assert connection.database["pictures.chunks"].count_documents({}) == 1


def test_callbacks():
    ran: list[str] = []
    with transaction.atomic():
        transaction.on_commit(lambda: ran.append("django"))
        on_commit(lambda: ran.append("ours"))
        with rolled_back():
            transaction.on_commit(lambda: ran.append("django, never"))
            on_commit(lambda: ran.append("ours, never"))
            on_rollback(lambda: ran.append("undone"))
        assert ran == ["undone"]
    assert sorted(ran) == ["django", "ours", "undone"]


def test_asyncio():
    async def work() -> None:
        async with aatomic():
            await Article.objects.acreate(name="a")
            await sync_to_async(transaction.atomic(lambda: Article.objects.create(name="b")))()

    async_to_sync(work)()
    assert names() == ["a", "b"]


def test_nothing_is_left_open(outside):
    with transaction.atomic():
        Article.objects.create(name="a")
    with rolled_back():
        Article.objects.create(name="b")
    assert connection.session is None
    assert connections["default"].get_autocommit()
    open_ones = outside.client.admin.aggregate(
        [
            {"$currentOp": {"idleSessions": True, "localOps": True}},
            {"$match": {"transaction": {"$exists": True}}},
        ]
    )
    assert list(open_ones) == []


def view(request):
    Article.objects.create(name="before")
    with failing(IntegrityError), transaction.atomic():
        Article.objects.create(name="before")
    Article.objects.get_or_create(name="after")
    return HttpResponse(status=int(request.GET["status"]))


@pytest.fixture
def client(settings):
    settings.MIDDLEWARE = ["djongo_services.middleware.MongoTransactionMiddleware"]
    settings.ROOT_URLCONF = type("urls", (), {"urlpatterns": [path("", view)]})
    return Client(raise_request_exception=False)


def test_a_view_of_the_middleware(client):
    assert client.post("/?status=500").status_code == 500
    assert names() == []
    assert client.post("/?status=200").status_code == 200
    assert names() == ["after", "before"]


def test_a_view_of_the_middleware_within_a_block(client):
    """As in a TestCase."""
    with transaction.atomic():
        Article.objects.create(name="outer")
        assert client.post("/?status=500").status_code == 500
        assert names() == ["outer"]
        assert client.post("/?status=200").status_code == 200
        assert names() == ["after", "before", "outer"]
    with rolled_back():
        Article.objects.all().delete()
        assert client.post("/?status=200").status_code == 200
    assert names() == ["after", "before", "outer"]


def test_a_view_of_the_middleware_and_of_atomic_requests(client, monkeypatch, sent):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    with sent() as commands:
        assert client.post("/?status=500").status_code == 500
    assert "commitTransaction*" not in commands
    assert names() == []
    with sent() as commands:
        assert client.post("/?status=200").status_code == 200
    assert commands.count("commitTransaction*") == 1
    assert names() == ["after", "before"]
