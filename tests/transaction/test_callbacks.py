"""Every kind of callable is called exactly once, and what can be awaited is awaited."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import django_mongodb_backend.transaction as backend
import pytest
from asgiref.sync import sync_to_async
from django.db import transaction as django
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.transaction import aatomic, atomic, on_commit, on_rollback
from djongo_services.transaction.testing import capture_on_commit, rolled_back

Mongo = Database[dict[str, Any]]
AsyncMongo = AsyncDatabase[dict[str, Any]]


class Undo(Exception):
    """Rolls a block back."""


class Told:
    """How often the callback was called to its end."""

    def __init__(self) -> None:
        self.times = 0

    def plain(self) -> None:
        self.times += 1

    async def coroutine(self) -> None:
        await asyncio.sleep(0)
        self.times += 1

    def __call__(self) -> None:
        self.times += 1


class AsyncObject:
    def __init__(self, told: Told) -> None:
        self.told = told

    async def __call__(self) -> None:
        await self.told.coroutine()


class WithFunc:
    """Plain, though its ``func`` is not, as that of a wrapper may be."""

    def __init__(self, told: Told) -> None:
        self.func = told.coroutine
        self.told = told

    def __call__(self) -> None:
        self.told.times += 1


class Awaitable:
    def __init__(self, told: Told) -> None:
        self.told = told

    def __await__(self) -> Iterator[Any]:
        yield from self.told.coroutine().__await__()


def coroutine_of_a_mock(told: Told) -> Any:
    return mock.AsyncMock(side_effect=told.coroutine)


KINDS: dict[str, Callable[[Told], Any]] = {
    "method": lambda told: told.plain,
    "object": lambda told: told,
    "lambda": lambda told: lambda: told.plain(),
    "partial": lambda told: functools.partial(Told.plain, told),
    "partial of a partial": lambda told: functools.partial(functools.partial(Told.plain, told)),
    "Mock": lambda told: mock.Mock(side_effect=told.plain),
    "MagicMock": lambda told: mock.MagicMock(side_effect=told.plain),
    "coroutine function": lambda told: told.coroutine,
    "partial of a coroutine function": lambda told: functools.partial(Told.coroutine, told),
    "lambda of a coroutine": lambda told: lambda: told.coroutine(),
    "partial of a lambda of a coroutine": lambda told: functools.partial(
        lambda each: each.coroutine(), told
    ),
    "sync_to_async": lambda told: sync_to_async(told.plain),
    "lambda of sync_to_async": lambda told: lambda: sync_to_async(told.plain)(),
    "async object": AsyncObject,
    "object whose func is async": WithFunc,
    "AsyncMock": coroutine_of_a_mock,
    "class of awaitables": lambda told: functools.partial(Awaitable, told),
}

each_outcome = pytest.mark.parametrize("committed", [True, False], ids=["commit", "rollback"])


class AllKinds:
    """One callback of each kind, and how often each was called."""

    def __init__(self) -> None:
        self.told = {name: Told() for name in KINDS}

    def register(self, register: Callable[..., None], **options: Any) -> None:
        for name, kind in KINDS.items():
            register(kind(self.told[name]), **options)

    def assert_called(self, times: int) -> None:
        assert {name: told.times for name, told in self.told.items()} == dict.fromkeys(KINDS, times)


@each_outcome
def test_in_a_sync_block(mongo: Mongo, committed: bool) -> None:
    called, never = AllKinds(), AllKinds()
    register, other = (on_commit, on_rollback) if committed else (on_rollback, on_commit)
    with contextlib.suppress(Undo), atomic():
        mongo.a.insert_one({})
        for robust in (True, False):
            called.register(register, robust=robust)
            never.register(other, robust=robust)
        if not committed:
            raise Undo
    called.assert_called(2)
    never.assert_called(0)


@each_outcome
async def test_in_an_async_block(async_mongo: AsyncMongo, committed: bool) -> None:
    called, never = AllKinds(), AllKinds()
    register, other = (on_commit, on_rollback) if committed else (on_rollback, on_commit)
    with contextlib.suppress(Undo):
        async with aatomic():
            await async_mongo.a.insert_one({})
            for robust in (True, False):
                called.register(register, robust=robust)
                never.register(other, robust=robust)
            if not committed:
                raise Undo
    called.assert_called(2)
    never.assert_called(0)


def test_outside_of_a_block(mongo: Mongo) -> None:
    called, never = AllKinds(), AllKinds()
    called.register(on_commit)
    never.register(on_rollback)
    called.assert_called(1)
    never.assert_called(0)


async def test_outside_of_a_block_in_a_loop(async_mongo: AsyncMongo) -> None:
    called = AllKinds()
    called.register(on_commit)
    async with asyncio.timeout(20):
        while not all(told.times for told in called.told.values()):
            await asyncio.sleep(0.001)
    called.assert_called(1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("block", [atomic, backend.atomic], ids=["ours", "the backend's"])
def test_by_djangos_on_commit(settings: Any, block: Any) -> None:
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    called = AllKinds()
    with block():
        connections["default"].database.raw.insert_one({})
        called.register(django.on_commit)
        called.register(on_commit)
    called.assert_called(2)
    called.register(django.on_commit)
    called.assert_called(3)
    connections["default"].database.raw.drop()


async def test_where_they_run(async_mongo: AsyncMongo) -> None:
    """Blocking code in a thread, so that it may use the ORM; what needs the loop, in the loop."""
    seen: dict[str, bool] = {}

    def in_loop(name: str) -> None:
        seen[name] = threading.current_thread() is threading.main_thread()

    async def coroutine() -> None:
        in_loop("coroutine")

    def starts_a_task() -> None:
        in_loop("starts a task")
        asyncio.get_running_loop().call_soon(in_loop, "called soon")

    event, queue = asyncio.Event(), asyncio.Queue[int]()
    getter = asyncio.create_task(queue.get())
    waiter = asyncio.create_task(event.wait())
    async with aatomic():
        await async_mongo.a.insert_one({})
        on_commit(lambda: in_loop("plain"))
        on_commit(coroutine)
        on_commit(starts_a_task)
        on_commit(event.set)
        on_commit(functools.partial(queue.put_nowait, 1))
        on_commit(lambda: asyncio.gather(coroutine()))
    async with asyncio.timeout(20):
        await waiter
        assert await getter == 1
    await asyncio.sleep(0)
    assert seen == {
        "plain": False,
        "coroutine": True,
        "starts a task": True,
        "called soon": True,
    }


async def test_a_task_that_a_callback_starts_is_not_waited_for(async_mongo: AsyncMongo) -> None:
    tasks: list[asyncio.Task[Any]] = []

    def start() -> asyncio.Task[Any]:
        tasks.append(asyncio.create_task(asyncio.Event().wait()))
        return tasks[0]

    async with asyncio.timeout(20), aatomic():
        await async_mongo.a.insert_one({})
        on_commit(start)
    assert not tasks[0].done()
    tasks[0].cancel()


async def test_a_plain_one_that_needs_the_loop_unseen_is_told_so(async_mongo: AsyncMongo) -> None:
    async def work() -> None: ...

    def helper() -> None:
        coroutine = work()
        try:
            asyncio.create_task(coroutine)  # noqa: RUF006  (raises)
        finally:
            coroutine.close()

    with pytest.raises(RuntimeError, match="no running event loop") as raised:
        async with aatomic():
            await async_mongo.a.insert_one({})
            on_commit(lambda: helper())
    assert "write it as an `async def`" in raised.value.__notes__[0]


@each_outcome
def test_errors_of_awaited_ones(
    mongo: Mongo, committed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    register = on_commit if committed else on_rollback
    with pytest.raises(ZeroDivisionError), atomic():
        mongo.a.insert_one({})
        register(lambda: fail(), robust=True)
        register(fail, robust=False)
        if not committed:
            raise Undo
    assert f"in on_{'commit' if committed else 'rollback'}()" in caplog.text


def test_mocks_are_captured_as_they_are(mongo: Mongo) -> None:
    callback = mock.Mock()
    with rolled_back():
        with capture_on_commit(execute=True) as callbacks:
            on_commit(callback)
        assert callbacks == [callback]
    callback.assert_called_once_with()
