"""aatomic() with AsyncMongoClient, cancellation, and concurrency in one transaction."""

# ruff: noqa: PT012, PT031 - what is tested is how whole blocks end

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.transaction import (
    ConcurrentUse,
    ForeignClient,
    TransactionManagementError,
    aatomic,
    atomic,
    get_rollback,
    on_commit,
    on_rollback,
    set_rollback,
)
from tests.transaction.conftest import committed, failing, open_transactions, uri_of

pytestmark = pytest.mark.versions


Mongo = Database[dict[str, Any]]
AsyncMongo = AsyncDatabase[dict[str, Any]]


class Boom(Exception):
    pass


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_commits_and_rolls_back(each_async_mongo: AsyncMongo, matrix_database: Mongo) -> None:
    async with aatomic():
        await each_async_mongo.a.insert_one({"_id": 1})
        await each_async_mongo.b.insert_one({"_id": 1})
        assert await each_async_mongo.a.find_one() == {"_id": 1}
        assert committed(matrix_database.a) == 0
    assert committed(matrix_database.a) == committed(matrix_database.b) == 1
    with pytest.raises(Boom):
        async with aatomic():
            await each_async_mongo.a.insert_one({"_id": 2})
            raise Boom
    assert committed(matrix_database.a) == 1
    assert open_transactions(matrix_database.client) == 0


async def test_both_flavours_of_the_clients_are_one_transaction(
    each_async_mongo: AsyncMongo, matrix_database: Mongo
) -> None:
    def blocking(n: str) -> None:
        database = connections["default"].database
        database.a.insert_one({"_id": n})
        assert database.a.count_documents({}) == 2
        with atomic():
            database.b.insert_one({"_id": n})

    async with aatomic():
        await each_async_mongo.a.insert_one({"_id": 1})
        await asyncio.to_thread(blocking, "thread")
        assert await each_async_mongo.a.count_documents({}) == 2
        assert committed(matrix_database.a) == 0
    assert committed(matrix_database.a) == 2
    with pytest.raises(Boom):
        async with aatomic():
            await asyncio.to_thread(connections["default"].database.c.insert_one, {"_id": 1})
            await each_async_mongo.c.insert_one({"_id": 2})
            raise Boom
    assert committed(matrix_database.c) == 0
    assert open_transactions(matrix_database.client) == 0


def test_aatomic_within_atomic_joins(mongo: Mongo, outside: Mongo) -> None:
    async def work() -> None:
        async with aatomic():
            await connections["default"].async_database.a.insert_one({"_id": "async"})
        await connections["default"].aclose()

    with pytest.raises(Boom), atomic():
        mongo.a.insert_one({"_id": "sync"})
        async_to_sync(work)()
        assert mongo.a.count_documents({}) == 2
        raise Boom
    assert outside.a.count_documents({}) == 0


async def test_decorates_async_functions(async_mongo: AsyncMongo) -> None:
    @aatomic
    async def bare(n: int) -> int:
        await async_mongo.a.insert_one({"_id": n})
        return n

    @aatomic("default", durable=True)
    async def durable(n: int) -> None:
        await async_mongo.a.insert_one({"_id": n})
        raise Boom

    assert await bare(1) == 1
    with pytest.raises(Boom):
        await durable(2)
    with pytest.raises(RuntimeError, match="durable"):
        async with aatomic():
            await durable(3)
    assert [each["_id"] async for each in async_mongo.a.find()] == [1]


def test_refuses_plain_functions_and_generators() -> None:
    def plain() -> None: ...

    async def generator() -> Any:
        yield 1

    with pytest.raises(TypeError, match="plain is not async: use @atomic"):
        aatomic(plain)
    with pytest.raises(TypeError, match="async generator"):
        aatomic(generator)


async def test_an_inner_failure_dooms_the_outer_block(
    async_mongo: AsyncMongo, outside: Mongo
) -> None:
    with pytest.raises(TransactionManagementError, match="inner Boom"):
        async with aatomic():
            await async_mongo.a.insert_one({"_id": 1})
            with pytest.raises(Boom):
                async with aatomic():
                    raise Boom
            assert get_rollback()
            with pytest.raises(TransactionManagementError, match="inner block failed"):
                await async_mongo.a.insert_one({"_id": 2})
    assert outside.a.count_documents({}) == 0


async def test_hooks_of_both_kinds_run_in_order(async_mongo: AsyncMongo, outside: Mongo) -> None:
    ran: list[Any] = []

    async def hook() -> None:
        ran.append(("async", outside.a.count_documents({})))
        async with aatomic():
            await async_mongo.b.insert_one({})

    async with aatomic():
        await async_mongo.a.insert_one({})
        on_commit(lambda: ran.append("first"))
        on_commit(hook)
        on_commit(lambda: ran.append(threading.current_thread() is threading.main_thread()))
        on_rollback(lambda: ran.append("never"))
    assert ran == ["first", ("async", 1), False]
    assert outside.b.count_documents({}) == 1


async def test_a_foreign_client_is_told_what_to_do(async_mongo: AsyncMongo, outside: Mongo) -> None:
    async with AsyncMongoClient[Any](uri_of(outside)) as client:
        with pytest.raises(ForeignClient):
            async with aatomic():
                await client[outside.name].a.insert_one({})
    second = connections["second"].async_database
    async with aatomic():
        await second.a.insert_one({})
        set_rollback(True)
    assert await second.a.count_documents({}) == 1


async def test_gathered_operations_wait_for_each_other(
    async_mongo: AsyncMongo, outside: Mongo
) -> None:
    with pytest.warns(ConcurrentUse, match="one after the other") as warned:
        async with aatomic():
            await asyncio.gather(*(async_mongo.a.insert_one({"_id": n}) for n in range(200)))
    assert outside.a.count_documents({}) == 200
    assert len(warned) == 1


def test_threads_wait_for_each_other(mongo: Mongo, outside: Mongo) -> None:
    def work(start: int) -> None:
        for n in range(20):
            mongo.a.insert_one({"_id": start + n})

    with pytest.warns(ConcurrentUse), atomic():
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=[work, 100 * n])
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert committed(outside.a) == 0
    assert outside.a.count_documents({}) == 160


@pytest.mark.filterwarnings("ignore::djongo_services.transaction.ConcurrentUse")
async def test_a_blocking_call_in_the_loop_cannot_lock_it(async_mongo: AsyncMongo) -> None:
    async def blocking() -> None:
        connections["default"].database.a.insert_one({})

    with pytest.raises(TransactionManagementError, match="sync_to_async"):
        async with aatomic():
            await async_mongo.a.insert_one({})
            await asyncio.gather(async_mongo.a.insert_one({}), blocking())


@pytest.mark.parametrize("first", [True, False], ids=["first operation", "later operation"])
async def test_cancellation_leaves_no_open_transaction(
    each_async_mongo: AsyncMongo, matrix_database: Mongo, first: bool
) -> None:
    """The server delays an insert; the task is cancelled while it waits for it."""
    ran: list[str] = []

    async def work() -> None:
        async with aatomic():
            on_rollback(lambda: ran.append("rolled back"))
            on_commit(lambda: ran.append("committed"))
            if not first:
                await each_async_mongo.a.insert_one({})
            await each_async_mongo.a.insert_one({})

    await each_async_mongo.command("ping")
    for delay in (0, 0.0005, 0.001, 0.002, 0.005, 0.03):
        # Much longer than the delay: on a busy machine the test itself is late.
        block = max(60, round(20_000 * delay))
        with failing(
            matrix_database.client, "insert", times=9, blockConnection=True, blockTimeMS=block
        ):
            task = asyncio.create_task(work())
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.sleep(block / 1000 + 0.04)  # the late operation arrives
        assert open_transactions(matrix_database.client) == 0
    assert set(ran) == {"rolled back"}
    assert committed(matrix_database.a) == 0


async def test_a_timeout_inside_the_block_cannot_be_committed(
    async_mongo: AsyncMongo, outside: Mongo
) -> None:
    with failing(outside.client, "insert", times=1, blockConnection=True, blockTimeMS=1000):
        with pytest.raises(TransactionManagementError, match="CancelledError"):
            async with aatomic():
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await async_mongo.a.insert_one({})
    assert open_transactions(outside.client) == 0
    assert outside.a.count_documents({}) == 0


async def test_a_timeout_around_the_block(async_mongo: AsyncMongo, outside: Mongo) -> None:
    with failing(outside.client, "insert", times=1, blockConnection=True, blockTimeMS=1000):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), aatomic():
                await async_mongo.a.insert_one({})
    assert open_transactions(outside.client) == 0


async def test_a_commit_that_was_sent_is_waited_for(
    async_mongo: AsyncMongo, outside: Mongo
) -> None:
    ran: list[str] = []

    async def work() -> None:
        async with aatomic():
            await async_mongo.a.insert_one({})
            on_commit(lambda: ran.append("committed"))

    with failing(
        outside.client, "commitTransaction", times=1, blockConnection=True, blockTimeMS=200
    ) as wait_until_met:
        task = asyncio.create_task(work())
        await asyncio.to_thread(wait_until_met)
        task.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ran == ["committed"]
    assert outside.a.count_documents({}) == 1
    assert open_transactions(outside.client) == 0


def test_an_interrupt_in_the_first_operation(mongo: Mongo, outside: Mongo) -> None:
    """A KeyboardInterrupt arrives in the main thread while the server delays the insert."""
    import _thread

    ran: list[str] = []
    mongo.command("ping")
    with failing(
        outside.client, "insert", times=1, blockConnection=True, blockTimeMS=300
    ) as wait_until_met:

        def interrupt() -> None:
            wait_until_met()
            _thread.interrupt_main()

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt), atomic():
            on_rollback(lambda: ran.append("rolled back"))
            mongo.a.insert_one({})
        thread.join()
    time.sleep(0.3)  # longer than the server holds the late operation back
    assert ran == ["rolled back"]
    assert open_transactions(outside.client) == 0
    assert outside.a.count_documents({}) == 0


async def test_many_blocks_at_once(async_mongo: AsyncMongo, outside: Mongo) -> None:
    async def work(n: int) -> None:
        async with aatomic():
            await async_mongo.a.insert_one({"_id": n})
            await async_mongo.b.insert_one({"_id": n})
            if n % 3 == 0:
                raise Boom

    await async_mongo.create_collection("a")
    await async_mongo.create_collection("b")
    done = await asyncio.gather(*(work(n) for n in range(60)), return_exceptions=True)
    assert [type(each) for each in done if each is not None] == [Boom] * 20
    assert outside.a.count_documents({}) == outside.b.count_documents({}) == 40
    assert open_transactions(outside.client) == 0


@pytest.mark.filterwarnings("ignore::djongo_services.transaction.ConcurrentUse")
async def test_a_cancelled_waiter_lets_the_next_one_in(
    async_mongo: AsyncMongo, outside: Mongo
) -> None:
    with failing(
        outside.client, "insert", times=1, blockConnection=True, blockTimeMS=1500
    ) as wait_until_met:
        async with aatomic():
            inside = asyncio.create_task(async_mongo.a.insert_one({"_id": "inside"}))
            await asyncio.to_thread(wait_until_met)
            cancelled = asyncio.create_task(async_mongo.a.insert_one({"_id": "cancelled"}))
            waiting = asyncio.create_task(async_mongo.a.insert_one({"_id": "waiting"}))
            thread = asyncio.create_task(
                asyncio.to_thread(connections["default"].database.a.insert_one, {"_id": "thread"})
            )
            await asyncio.sleep(0.05)
            cancelled.cancel()
            await asyncio.wait([inside, cancelled, waiting, thread])
            assert cancelled.cancelled()
    assert sorted(each["_id"] for each in outside.a.find()) == ["inside", "thread", "waiting"]
    assert open_transactions(outside.client) == 0
