"""The helpers for tests that are rolled back."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import unittest
from typing import Any
from unittest import mock

import pytest
from django.core.files.base import ContentFile
from django.test import SimpleTestCase
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from djongo_services.transaction import (
    TransactionManagementError,
    aatomic,
    atomic,
    in_atomic_block,
    on_commit,
    set_rollback,
)
from djongo_services.transaction.testing import RollbackMixin, capture_on_commit, rolled_back

Mongo = Database[dict[str, Any]]


def test_rolls_back_and_lets_blocks_inside_be_outermost(mongo: Mongo, outside: Mongo) -> None:
    with rolled_back():
        with atomic(durable=True, read_concern=ReadConcern("snapshot")):
            mongo.a.insert_one({})
        with atomic(), pytest.raises(RuntimeError, match="durable"), atomic(durable=True):
            pass
    with rolled_back():
        with pytest.raises(ZeroDivisionError), atomic():
            mongo.a.insert_one({})
            raise ZeroDivisionError
    with pytest.raises(KeyError), rolled_back():
        mongo.a.insert_one({})
        raise KeyError
    with rolled_back():
        set_rollback(True)
    assert outside.a.count_documents({}) == 0
    assert not in_atomic_block()


def test_captures_on_commit_callbacks(mongo: Mongo) -> None:
    ran: list[str] = []

    def first() -> None:
        ran.append("first")
        on_commit(second)

    def second() -> None:
        ran.append("second")

    with rolled_back():
        on_commit(lambda: ran.append("never"))
        with capture_on_commit() as callbacks, atomic():
            on_commit(first)
        assert (callbacks, ran) == ([first], [])
        with capture_on_commit(execute=True) as callbacks, atomic():
            on_commit(first)
        assert (callbacks, ran) == ([first, second], ["first", "second"])
    assert ran == ["first", "second"]
    with pytest.raises(TransactionManagementError, match="capture_on_commit"):
        with capture_on_commit():
            pass


def test_captures_nothing_of_this_apps_own(mongo: Mongo) -> None:
    """A deleted file keeps its chunks until the deletion is committed."""
    storage = GridFSStorage()
    kept, deleted = (storage.save(name, ContentFile(b"text")) for name in ("kept", "deleted"))
    before, inside = mock.Mock(), mock.Mock()
    with rolled_back():
        on_commit(before)
        with capture_on_commit(execute=True) as callbacks:
            storage.delete(kept)
            on_commit(inside)
            storage.save("new", ContentFile(b"text"))
        assert callbacks == [inside]
    assert storage.open(kept).read() == b"text"
    assert not storage.exists("new")
    assert before.mock_calls == []
    with atomic():
        on_commit(before)
        with capture_on_commit(execute=True) as callbacks:
            storage.delete(deleted)
            on_commit(inside)
        assert (callbacks, before.mock_calls) == ([inside], [])
    assert (before.call_count, inside.call_count) == (1, 2)
    assert mongo.fs.chunks.count_documents({}) == 1


async def test_captures_in_an_async_test(async_mongo: Any) -> None:
    async def callback() -> None:
        await async_mongo.a.insert_one({"_id": "called"})

    async with aatomic():
        async with capture_on_commit(execute=True) as callbacks:
            on_commit(callback)
        assert callbacks == [callback]
        assert await async_mongo.a.count_documents({}) == 1


def _run(test_case: type[unittest.TestCase]) -> unittest.TestResult:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(test_case).run(result)
    return result


def test_the_mixin_rolls_each_test_back(mongo: Mongo, outside: Mongo) -> None:
    class Tests(RollbackMixin, SimpleTestCase):
        mongodb_aliases = ("default", "second")

        def test_sync(self) -> None:
            mongo.a.insert_one({"_id": 1})
            connections["second"].database.a.insert_one({"_id": 1})
            assert mongo.a.count_documents({}) == 1
            with self.capture_on_commit() as callbacks:
                on_commit(print)
            assert callbacks == [print]

        async def test_async(self) -> None:
            database = connections["default"].async_database
            async with aatomic():
                await database.a.insert_one({"_id": 1})
            assert await database.a.count_documents({}) == 1
            await connections["default"].aclose()

        def test_failing(self) -> None:
            mongo.a.insert_one({"_id": 1})
            self.fail()

    class AsyncioTests(RollbackMixin, unittest.IsolatedAsyncioTestCase):
        async def test_async(self) -> None:
            database = connections["default"].async_database
            await database.a.insert_one({"_id": 1})
            assert await database.a.count_documents({}) == 1
            await connections["default"].aclose()

    result = _run(Tests)
    assert (result.testsRun, len(result.failures), result.errors) == (3, 1, [])
    result = _run(AsyncioTests)
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])
    assert outside.a.count_documents({}) == 0
    assert outside.client[f"{outside.name}_2"].a.count_documents({}) == 0


@pytest.fixture
def emptied(mongo: Mongo, outside: Mongo) -> Any:
    """Set up before, and checked after, the fixture that rolls back."""
    yield mongo
    assert outside.a.count_documents({}) == 0


def test_the_fixture(
    emptied: Mongo, mongodb_rollback: None, mongodb_capture_on_commit: Any
) -> None:
    with mongodb_capture_on_commit() as callbacks, atomic(durable=True):
        emptied.a.insert_one({})
        on_commit(print)
    assert callbacks == [print]
    assert emptied.a.count_documents({}) == 1


async def test_the_fixture_and_asyncio(emptied: Mongo, mongodb_rollback: None) -> None:
    async with aatomic():
        await connections["default"].async_database.a.insert_one({})
    await connections["default"].aclose()
