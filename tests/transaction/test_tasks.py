"""Tasks and threads that are started inside of a block and outlive it."""

# ruff: noqa: PT012, PT031 - what is tested is how whole blocks end

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.transaction import (
    TransactionManagementError,
    aatomic,
    atomic,
    in_atomic_block,
    on_commit,
    on_rollback,
    set_rollback,
)
from tests.transaction.conftest import uri_of

Mongo = Database[dict[str, Any]]
AsyncMongo = AsyncDatabase[dict[str, Any]]
Work = Callable[[], Awaitable[None]]
Start = Callable[[Work], Any]

OUTCOMES = pytest.mark.parametrize("committed", [True, False], ids=["committed", "rolled back"])
REFUSED = r"took part in a transaction on 'default' that was rolled back.*create_task\(work\(\)"


def sync_insert() -> None:
    connections["default"].database.late.insert_one({})


async def insert() -> None:
    await connections["default"].async_database.late.insert_one({})


async def insert_in_a_thread() -> None:
    await sync_to_async(sync_insert)()


async def insert_in_a_block() -> None:
    async with aatomic():
        await insert()


async def insert_in_a_block_in_a_thread() -> None:
    await sync_to_async(atomic(sync_insert))()


INSERTS = pytest.mark.parametrize(
    "insert",
    [insert, insert_in_a_thread, insert_in_a_block, insert_in_a_block_in_a_thread],
    ids=lambda each: each.__name__,
)


def create_task(work: Work) -> asyncio.Task[None]:
    return asyncio.create_task(work())  # type: ignore[arg-type]  # coroutines


def gather(work: Work) -> asyncio.Future[Any]:
    return asyncio.gather(work())


def call_later(work: Work) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    async def run() -> None:
        try:
            done.set_result(await work())
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            done.set_exception(error)

    loop.call_later(0, lambda: create_task(run))
    return done


def task_of_a_task(work: Work) -> asyncio.Task[None]:
    async def outer() -> None:
        await create_task(work)

    return create_task(outer)


STARTS = pytest.mark.parametrize(
    "start", [create_task, gather, call_later, task_of_a_task], ids=lambda each: each.__name__
)


class Undo(Exception):
    """Rolls a block back."""


@contextlib.contextmanager
def undone_unless(committed: bool) -> Iterator[None]:
    if committed:
        yield
    else:
        with pytest.raises(Undo):
            yield


async def take_part(mongo: AsyncMongo) -> None:
    """What a block did before it starts something else, in its task and in a thread."""
    await mongo.a.insert_one({})
    await sync_to_async(connections["default"].database.a.insert_one)({})


@STARTS
@INSERTS
@OUTCOMES
async def test_one_that_did_nothing_inside_is_free(
    async_mongo: AsyncMongo, outside: Mongo, start: Start, insert: Work, committed: bool
) -> None:
    left = asyncio.Event()

    async def later() -> None:
        await left.wait()
        assert not in_atomic_block()
        await insert()
        await insert()

    with undone_unless(committed):
        async with aatomic():
            await take_part(async_mongo)
            task = start(later)
            await take_part(async_mongo)
            if not committed:
                raise Undo
    left.set()
    await task
    assert outside.late.count_documents({}) == 2
    assert outside.a.count_documents({}) == (4 if committed else 0)


@STARTS
@pytest.mark.parametrize("insert", [insert, insert_in_a_thread], ids=lambda each: each.__name__)
@pytest.mark.parametrize("again", [insert, insert_in_a_block], ids=lambda each: each.__name__)
async def test_one_whose_work_was_rolled_back_is_refused(
    async_mongo: AsyncMongo, outside: Mongo, start: Start, insert: Work, again: Work
) -> None:
    inside, left = asyncio.Event(), asyncio.Event()

    async def later() -> None:
        await insert()
        inside.set()
        await left.wait()
        await again()

    with pytest.raises(Undo):
        async with aatomic():
            await take_part(async_mongo)
            task = start(later)
            await inside.wait()
            raise Undo
    left.set()
    for _ in range(2):
        with pytest.raises(TransactionManagementError, match=REFUSED):
            await task
    assert outside.late.count_documents({}) == 0


@INSERTS
async def test_one_whose_work_was_committed_goes_on(
    async_mongo: AsyncMongo, outside: Mongo, insert: Work
) -> None:
    inside, left = asyncio.Event(), asyncio.Event()

    async def later() -> None:
        await insert()
        inside.set()
        await left.wait()
        await insert()

    async with aatomic():
        await take_part(async_mongo)
        task = create_task(later)
        await inside.wait()
        assert outside.late.count_documents({}) == 0
    left.set()
    await task
    assert outside.late.count_documents({}) == 2


async def test_a_worker_that_is_started_lazily_serves_the_process(
    async_mongo: AsyncMongo, outside: Mongo
) -> None:
    jobs: asyncio.Queue[Any] = asyncio.Queue()
    workers: list[asyncio.Task[None]] = []

    async def work() -> None:
        while (job := await jobs.get()) is not None:
            async with aatomic():
                await insert_in_a_thread()
                await async_mongo.jobs.insert_one({"job": job})
            jobs.task_done()

    async def enqueue(job: int) -> None:
        if not workers:
            workers.append(asyncio.create_task(work()))
        await jobs.put(job)

    with pytest.raises(Undo):
        async with aatomic():
            await take_part(async_mongo)
            on_rollback(lambda: jobs.put_nowait("after a rollback"))
            if not workers:
                workers.append(asyncio.create_task(work()))
            raise Undo
    for job in range(3):
        async with aatomic():
            await take_part(async_mongo)
            on_commit(lambda job=job: enqueue(job))
    await jobs.join()
    jobs.put_nowait(None)
    await workers[0]
    assert sorted(str(each["job"]) for each in outside.jobs.find()) == [
        "0",
        "1",
        "2",
        "after a rollback",
    ]
    assert outside.late.count_documents({}) == 4


@OUTCOMES
async def test_a_group_that_is_older_than_the_block(
    async_mongo: AsyncMongo, outside: Mongo, committed: bool
) -> None:
    left = asyncio.Event()

    async def later() -> None:
        await left.wait()
        await insert()

    async with asyncio.TaskGroup() as group:
        with undone_unless(committed):
            async with aatomic():
                await take_part(async_mongo)
                group.create_task(later())
                if not committed:
                    raise Undo
        left.set()
    assert outside.late.count_documents({}) == 1


async def test_groups_inside_of_the_block_take_part(
    async_mongo: AsyncMongo, outside: Mongo
) -> None:
    for committed in (False, True):
        with undone_unless(committed), pytest.warns(RuntimeWarning):
            async with aatomic():
                async with asyncio.TaskGroup() as group:
                    for _ in range(5):
                        group.create_task(insert())
                await asyncio.gather(*(insert() for _ in range(5)))
                assert outside.late.count_documents({}) == 0
                if not committed:
                    raise Undo
    assert outside.late.count_documents({}) == 10


async def test_a_context_of_its_own_is_free_from_the_beginning(
    async_mongo: AsyncMongo, outside: Mongo
) -> None:
    async with aatomic():
        await async_mongo.a.insert_one({})
        await asyncio.create_task(insert(), context=contextvars.Context())
        assert outside.late.count_documents({}) == 1
        set_rollback(True)
    assert outside.late.count_documents({}) == 1
    assert outside.a.count_documents({}) == 0


@pytest.mark.parametrize(
    "callback",
    [
        lambda work, tasks: lambda: tasks.append(asyncio.create_task(work())),
        lambda work, tasks: lambda: asyncio.ensure_future(work()),
        lambda work, tasks: asyncio.get_running_loop().create_task(work()).cancel,
    ],
    ids=["create_task", "ensure_future", "method of a task"],
)
@OUTCOMES
async def test_callbacks_start_tasks(
    async_mongo: AsyncMongo, outside: Mongo, committed: bool, callback: Any
) -> None:
    tasks: list[asyncio.Task[None]] = []
    done = asyncio.Event()

    async def work() -> None:
        assert not in_atomic_block()
        try:
            await insert_in_a_thread()
            await insert()
        finally:
            done.set()

    with undone_unless(committed):
        async with aatomic():
            await take_part(async_mongo)
            (on_commit if committed else on_rollback)(callback(work, tasks))
            if not committed:
                raise Undo
    if "cancel" not in callback.__code__.co_names:
        async with asyncio.timeout(20):
            await done.wait()
        assert outside.late.count_documents({}) == 2


def _in_executor(run: Callable[[], None]) -> Any:
    context = contextvars.copy_context()
    return asyncio.get_running_loop().run_in_executor(None, context.run, run)


def _in_pool(run: Callable[[], None]) -> Any:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(contextvars.copy_context().run, run)
    pool.shutdown(wait=False)
    return asyncio.wrap_future(future)


def _in_thread(run: Callable[[], None]) -> Any:
    future: Any = asyncio.get_running_loop().create_future()
    call = asyncio.get_running_loop().call_soon_threadsafe

    def run_and_tell() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            call(future.set_exception, error)
        else:
            call(future.set_result, None)

    threading.Thread(target=contextvars.copy_context().run, args=[run_and_tell]).start()
    return future


def _in_sync_to_async(run: Callable[[], None]) -> Any:
    return asyncio.create_task(sync_to_async(run, thread_sensitive=False)())


def _to_thread(run: Callable[[], None]) -> Any:
    return asyncio.create_task(asyncio.to_thread(run))


THREADS = pytest.mark.parametrize(
    "start",
    [_in_executor, _in_pool, _in_thread, _in_sync_to_async, _to_thread],
    ids=lambda each: each.__name__.strip("_"),
)


@THREADS
@OUTCOMES
async def test_threads_that_did_nothing_inside_are_free(
    async_mongo: AsyncMongo, outside: Mongo, start: Any, committed: bool
) -> None:
    left = threading.Event()

    def later() -> None:
        assert left.wait(20)
        assert not in_atomic_block()
        sync_insert()
        atomic(sync_insert)()

    with undone_unless(committed):
        async with aatomic():
            await take_part(async_mongo)
            done = start(later)
            await take_part(async_mongo)
            if not committed:
                raise Undo
    left.set()
    await done
    assert outside.late.count_documents({}) == 2


@THREADS
@OUTCOMES
async def test_threads_that_did_something_inside(
    async_mongo: AsyncMongo, outside: Mongo, start: Any, committed: bool
) -> None:
    inside, left = threading.Event(), threading.Event()

    def later() -> None:
        sync_insert()
        inside.set()
        assert left.wait(20)
        sync_insert()

    with undone_unless(committed):
        async with aatomic():
            await take_part(async_mongo)
            done = start(later)
            await asyncio.to_thread(inside.wait, 20)
            if not committed:
                raise Undo
    left.set()
    if committed:
        await done
    else:
        with pytest.raises(TransactionManagementError, match=REFUSED):
            await done
    assert outside.late.count_documents({}) == (2 if committed else 0)


@OUTCOMES
def test_threads_of_a_sync_block(mongo: Mongo, outside: Mongo, committed: bool) -> None:
    left = threading.Event()
    errors: list[BaseException] = []
    outside.create_collection("late")

    def later(takes_part: bool, inside: threading.Event) -> None:
        if takes_part:
            sync_insert()
        inside.set()
        assert left.wait(20)
        try:
            sync_insert()
        except TransactionManagementError as error:
            errors.append(error)

    with undone_unless(committed), ThreadPoolExecutor(3) as pool:
        with atomic():
            mongo.a.insert_one({})
            for takes_part in (True, False):
                inside = threading.Event()
                pool.submit(contextvars.copy_context().run, later, takes_part, inside)
                assert inside.wait(20)
            inside = threading.Event()
            pool.submit(later, True, inside)  # without the context, outside of the transaction
            assert inside.wait(20)
            on_commit(left.set)
            on_rollback(left.set)
            if not committed:
                raise Undo
    assert len(errors) == (0 if committed else 1)
    assert outside.late.count_documents({}) == (5 if committed else 3)


@OUTCOMES
async def test_clients_of_others_work_again_in_tasks(
    async_mongo: AsyncMongo, outside: Mongo, committed: bool
) -> None:
    """PyMongo's own session.bind() would refuse them in such a task permanently."""
    left = asyncio.Event()

    async def later(foreign: AsyncMongoClient[Any]) -> None:
        await left.wait()
        await foreign[outside.name].late.insert_one({})
        await connections["second"].async_database.late.insert_one({})

    async with AsyncMongoClient[Any](uri_of(outside)) as foreign:
        with undone_unless(committed):
            async with aatomic():
                await async_mongo.a.insert_one({})
                task = asyncio.create_task(later(foreign))
                if not committed:
                    raise Undo
        left.set()
        await task
    assert outside.late.count_documents({}) == 1


def test_clients_of_others_work_again_in_threads(mongo: Mongo, outside: Mongo) -> None:
    with MongoClient[Any](uri_of(outside)) as foreign:
        with atomic():
            mongo.a.insert_one({})
            context = contextvars.copy_context()
        context.run(foreign[outside.name].late.insert_one, {})
    assert outside.late.count_documents({}) == 1


async def test_a_cursor_of_a_block_that_has_ended(async_mongo: AsyncMongo) -> None:
    await async_mongo.a.insert_many([{} for _ in range(300)])
    async with aatomic():
        cursor = async_mongo.a.find()
        await anext(cursor)
    with pytest.raises(TransactionManagementError, match="read its cursor, before the block ends"):
        await cursor.to_list()
