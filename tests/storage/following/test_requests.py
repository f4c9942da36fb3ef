"""Requests, uploads, tests and event loops, which begin and end the row's transaction."""

from __future__ import annotations

import unittest
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections, transaction
from django.test import Client, TestCase, override_settings
from pymongo.database import Database

from djongo_services.connections import connections as mongodb
from tests.storage.conftest import nothing_left
from tests.storage.following.conftest import content, filenames, is_sound

MIDDLEWARE = "djongo_services.middleware.MongoTransactionMiddleware"


def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def site(papers: Any) -> Any:
    with override_settings(ROOT_URLCONF="tests.storage.following.urls"):
        yield papers


@pytest.mark.parametrize("middleware", [[], [MIDDLEWARE]], ids=["alone", "with MongoDB's"])
class TestRequests:
    def test_that_are_atomic(
        self, connected: Database[Any], site: Any, middleware: list[str]
    ) -> None:
        connections.settings["papers"]["ATOMIC_REQUESTS"] = True
        with override_settings(MIDDLEWARE=middleware):
            assert client().get("/save?fail").status_code == 500
            assert nothing_left(connected)
            assert site.Paper.objects.count() == 0
            assert client().get("/save").content == b"content"
            assert filenames(connected) == ["a.txt"]
            assert client().get("/delete?fail").status_code == 500
            assert site.Paper.objects.get().file.read() == b"content"
            assert client().get("/delete").status_code == 200
            assert nothing_left(connected)

    def test_that_are_not(self, connected: Database[Any], site: Any, middleware: list[str]) -> None:
        """The row stays, and so does the file."""
        with override_settings(MIDDLEWARE=middleware):
            assert client().get("/save?fail").status_code == 500
            assert site.Paper.objects.get().file.read() == b"content"
            assert client().get("/delete?fail").status_code == 500
            assert site.Paper.objects.get().file.name == ""
            assert nothing_left(connected)

    def test_an_upload_that_is_saved_again(
        self, connected: Database[Any], site: Any, middleware: list[str]
    ) -> None:
        """An upload that was undone by a savepoint is still available to the next attempt."""
        site.Paper.objects.create(title="taken")
        handlers = ["djongo_services.storage.uploads.GridFSUploadHandler"]
        backend = {"BACKEND": "djongo_services.storage.GridFSStorage"}
        with override_settings(
            MIDDLEWARE=middleware, FILE_UPLOAD_HANDLERS=handlers, STORAGES={"default": backend}
        ):
            sent = {"file": SimpleUploadedFile("a.txt", b"x" * 600_000)}
            answer = client().post("/upload", sent)
        assert (answer.status_code, answer.content) == (200, b"a.txt")
        assert content(site.PLAIN, "a.txt") == b"x" * 600_000
        assert filenames(connected) == ["a.txt"]
        assert is_sound(connected)
        assert connected.fs.uploads.find_one() is None


def test_a_test_case(connected: Database[Any], site: Any) -> None:
    """A test leaves nothing behind, and what was made for all tests stays until their end."""

    class Tests(TestCase):
        databases = {"papers", "second"}

        @classmethod
        def setUpTestData(cls) -> None:
            site.Paper.objects.create(title="of all", file=ContentFile(b"content", name="all.txt"))

        def test_saves(self) -> None:
            with self.captureOnCommitCallbacks(using="papers", execute=True) as callbacks:
                assert client().get("/save").content == b"content"
            assert callbacks == []
            assert site.PLAIN.exists("a.txt")

        def test_saves_again(self) -> None:
            assert not site.PLAIN.exists("a.txt")
            site.Paper.objects.create(title="a", file=ContentFile(b"content", name="a.txt"))

        def test_deletes(self) -> None:
            with self.captureOnCommitCallbacks(using="papers", execute=True):
                site.Paper.objects.get().file.delete()
            assert not site.PLAIN.exists("all.txt")

        def test_deletes_again(self) -> None:
            assert site.Paper.objects.get().file.read() == b"content"
            site.Paper.objects.get().file.delete()

        def test_in_an_event_loop(self) -> None:
            async def work() -> None:
                row = await site.Paper.objects.aget()
                name = await site.FOLLOWING.asave("b.txt", ContentFile(b"content"))
                assert await site.FOLLOWING.aexists(name)
                async with await site.FOLLOWING.aopen(name) as opened:
                    assert await opened.read() == b"content"
                await site.FOLLOWING.adelete(row.file.name)
                assert not await site.FOLLOWING.aexists(row.file.name)
                assert await site.FOLLOWING.alistdir("") == ([], ["b.txt"])
                await mongodb["default"].aclose()

            async_to_sync(work)()

    suite = unittest.TestLoader().loadTestsFromTestCase(Tests)
    result = unittest.TestResult()
    suite.run(result)
    assert [text for _, text in (*result.errors, *result.failures)] == []
    assert result.testsRun == 5
    assert nothing_left(connected)


def test_a_file_that_is_replaced_in_an_event_loop(connected: Database[Any], site: Any) -> None:
    """Who reads natively in the context of the transaction sees what it does."""
    storage = site.REPLACING
    storage.save("a.txt", ContentFile(b"old"))

    async def read() -> bytes:
        async with await storage.aopen("a.txt") as opened:
            found: bytes = await opened.read()
        await mongodb["default"].aclose()
        return found

    with transaction.atomic("papers"):
        site.Badge(title="a").file.save("a.txt", ContentFile(b"new"), save=False)
        assert async_to_sync(read)() == b"new"
        transaction.set_rollback(True, "papers")
    assert async_to_sync(read)() == b"old"
