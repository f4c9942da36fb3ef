"""atomic() used wrongly: each time a sentence that says what to do."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import asyncio
import contextlib
import os
import warnings
from typing import Any

import pytest
from django.utils.connection import ConnectionDoesNotExist
from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.errors import ConfigurationError, InvalidOperation

from djongo_services.connections import connections
from djongo_services.transaction import (
    RefusedInTransaction,
    TransactionManagementError,
    aatomic,
    atomic,
    current_session,
    in_atomic_block,
)
from tests.transaction.conftest import committed, open_transactions

Mongo = Database[dict[str, Any]]


def test_decorators_refuse_what_they_cannot_wrap() -> None:
    async def coroutine() -> None: ...

    def generator() -> Any:
        yield 1

    with pytest.raises(TypeError, match=r"coroutine is async: use @aatomic"):
        atomic(coroutine)
    with pytest.raises(TypeError, match=r"coroutine is async: use @aatomic"):
        atomic("default")(coroutine)
    with pytest.raises(TypeError, match="generator"):
        atomic(generator)
    with pytest.raises(TypeError, match="decorates a function"):
        atomic()("x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no option 'readconcern'; it accepts savepoint, durable"):
        atomic(readconcern=1)  # type: ignore[call-overload]


@pytest.mark.parametrize("savepoint", [True, False])
async def test_savepoint_is_accepted_as_by_django(async_mongo: Any, savepoint: bool) -> None:
    """Neither block saves a part: there are no savepoints."""

    def blocking() -> None:
        with atomic(savepoint=savepoint), atomic("default", savepoint, False):
            connections["default"].database.a.insert_one({})
            with contextlib.suppress(ZeroDivisionError), atomic(savepoint=savepoint):
                raise ZeroDivisionError

    with pytest.raises(TransactionManagementError, match="inner ZeroDivisionError"):
        await asyncio.to_thread(blocking)
    async with aatomic(savepoint=savepoint, durable=True), aatomic("default", savepoint):
        await async_mongo.a.insert_one({})
    atomic("default", False, True)(lambda: None)
    assert await async_mongo.a.count_documents({}) == 1


def test_a_block_cannot_be_opened_twice_at_once_but_again(mongo: Mongo) -> None:
    block = atomic()
    with block:
        mongo.a.insert_one({"_id": 1})
        with pytest.raises(RuntimeError, match="open already"), block:
            pass
    with block:
        mongo.a.insert_one({"_id": 2})
    assert mongo.a.count_documents({}) == 2
    with pytest.raises(RuntimeError, match="not open"):
        block.__exit__(None, None, None)


def test_an_unknown_alias_is_named(mongo: Mongo) -> None:
    with pytest.raises(ConnectionDoesNotExist, match=r"'nowhere'.*configured: 'default', 'second'"):
        with atomic("nowhere"):
            pass


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        (lambda db: db.command("count", "a"), r"count in a transaction: use count_documents\(\)"),
        (
            lambda db: db.there.estimated_document_count(),
            r"^MongoDB refuses count in a transaction: use count_documents\(\)",
        ),
        (lambda db: db.list_collection_names(), "list the collections before the block"),
        (lambda db: db.there.create_index("x"), "create the indexes before the block"),
        (lambda db: db.there.drop(), "use delete_many"),
        (lambda db: list(db.there.aggregate([{"$collStats": {"count": {}}}])), "outside of the"),
    ],
)
def test_what_the_server_refuses_says_what_to_use(
    mongo: Mongo, operation: Any, sentence: str
) -> None:
    mongo.there.insert_one({})
    with pytest.raises(RefusedInTransaction, match=sentence) as caught, atomic():
        mongo.there.insert_one({})
        operation(mongo)
    assert caught.value.code == 263
    assert mongo.there.count_documents({}) == 1


def test_unacknowledged_writes_and_gridfs_say_what_to_use(mongo: Mongo) -> None:
    with pytest.raises(ConfigurationError, match="A write with w=0 cannot be part of"), atomic():
        mongo.get_collection("a", write_concern=WriteConcern(0)).insert_one({})
    with pytest.raises(ConfigurationError, match="unacknowledged"):
        with atomic(write_concern=WriteConcern(0)):
            pass
    with pytest.raises(ValueError, match="max_commit_time"):
        atomic(max_commit_time=0)
    assert not in_atomic_block()


def test_gridfs_says_what_to_use(mongo: Mongo) -> None:
    import gridfs

    with pytest.raises((InvalidOperation, RefusedInTransaction), match="outside of the"), atomic():
        gridfs.GridFSBucket(mongo).upload_from_stream("name", b"content", session=current_session())


async def test_refuses_to_block_an_event_loop(mongo: Mongo) -> None:
    with pytest.raises(Exception, match="aatomic"), atomic():
        pass


def test_a_block_left_in_another_thread_is_rolled_back(mongo: Mongo, outside: Mongo) -> None:
    def enter_and_write() -> Any:
        block = atomic()
        block.__enter__()
        mongo.a.insert_one({"_id": 1})
        return block

    async def in_two_hops() -> None:
        block = await asyncio.to_thread(enter_and_write)
        await asyncio.to_thread(block.__exit__, None, None, None)

    with pytest.raises(TransactionManagementError, match="left in another thread"):
        asyncio.run(in_two_hops())
    assert committed(outside.a) == 0
    assert open_transactions(outside.client) == 0


def test_a_forked_child_leaves_the_transaction_alone(mongo: Mongo, outside: Mongo) -> None:
    def child() -> int:
        try:
            mongo.a.insert_one({"_id": "child"})
        except TransactionManagementError:
            return 0
        return 1

    with atomic():
        mongo.a.insert_one({"_id": 1})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyMongo and Python warn of threads and forks
            pid = os.fork()
        if pid == 0:
            os._exit(child())
        assert os.waitpid(pid, 0)[1] == 0
        mongo.a.insert_one({"_id": 2})
    assert committed(outside.a) == 2
