"""Commits and rollbacks that fail, by the server's own fail points."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from djongo_services.connections import connections
from djongo_services.transaction import (
    CommitResultUnknown,
    TransactionManagementError,
    aatomic,
    atomic,
    in_atomic_block,
    on_commit,
    on_rollback,
    run_in_transaction,
)
from tests.transaction.conftest import committed, failing, open_transactions

pytestmark = pytest.mark.versions


Mongo = Database[dict[str, Any]]
AsyncMongo = AsyncDatabase[dict[str, Any]]

UNKNOWN = {"errorLabels": ["UnknownTransactionCommitResult"], "errorCode": 64}


def test_a_commit_with_an_unknown_result_is_sent_again(each_mongo: Mongo) -> None:
    ran: list[str] = []
    each_mongo.a.insert_one({"_id": 0})
    with failing(each_mongo.client, "commitTransaction", times=4, **UNKNOWN), atomic():
        each_mongo.a.insert_one({"_id": 1})
        on_commit(lambda: ran.append("committed"))
    assert ran == ["committed"]
    assert each_mongo.a.count_documents({}) == 2


def test_a_lost_connection_at_the_commit_is_no_loss(each_mongo: Mongo) -> None:
    each_mongo.a.insert_one({"_id": 0})
    with failing(each_mongo.client, "commitTransaction", times=1, closeConnection=True), atomic():
        each_mongo.a.insert_one({"_id": 1})
    assert each_mongo.a.count_documents({}) == 2


def test_a_result_that_stays_unknown_is_said_and_runs_no_hook(
    matrix_database: Mongo, configured: Callable[..., None]
) -> None:
    configured(matrix_database, TRANSACTION={"COMMIT_TIMEOUT": 0.4, "ROLLBACK_TIMEOUT": 2})
    mongo = connections["default"].database
    ran: list[str] = []
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        mongo.a.insert_one({"_id": 1})
        on_commit(lambda: ran.append("committed"))
        on_rollback(lambda: ran.append("rolled back"))

    with failing(mongo.client, "commitTransaction", times=1000, **UNKNOWN):
        with pytest.raises(CommitResultUnknown, match="Look at the data") as caught:
            run_in_transaction(work)
    assert isinstance(caught.value.__cause__, PyMongoError)
    assert calls == [1]
    assert ran == []
    assert open_transactions(mongo.client) == 0
    assert not in_atomic_block()


async def test_the_same_with_asyncio(
    async_mongo: AsyncMongo, outside: Mongo, settings: Any
) -> None:
    mongo = connections["default"].async_database
    ran: list[str] = []
    try:
        with failing(outside.client, "commitTransaction", times=4, **UNKNOWN):
            async with aatomic():
                await mongo.a.insert_one({"_id": 1})
        assert committed(outside.a) == 1
        await connections["default"].aclose()
        settings.DJONGO_SERVICES = {
            **settings.DJONGO_SERVICES,
            "TRANSACTION": {"COMMIT_TIMEOUT": 0.4, "ROLLBACK_TIMEOUT": 2},
        }
        mongo = connections["default"].async_database
        with failing(outside.client, "commitTransaction", times=1000, **UNKNOWN):
            with pytest.raises(CommitResultUnknown):
                async with aatomic():
                    await mongo.a.insert_one({"_id": 2})
                    on_commit(lambda: ran.append("committed"))
                    on_rollback(lambda: ran.append("rolled back"))
        assert ran == []
        with failing(outside.client, "commitTransaction", times=1, errorCode=8):
            with pytest.raises(OperationFailure):
                async with aatomic():
                    await mongo.a.insert_one({"_id": 3})
                    on_rollback(lambda: ran.append("rolled back"))
        assert ran == ["rolled back"]
        assert open_transactions(outside.client) == 0
    finally:
        await connections["default"].aclose()


def test_a_commit_out_of_time_is_not_sent_again(mongo: Mongo) -> None:
    with failing(mongo.client, "commitTransaction", times=1, errorCode=50):
        with pytest.raises(CommitResultUnknown), atomic(max_commit_time=1):
            mongo.a.insert_one({"_id": 1})
    assert open_transactions(mongo.client) == 0


def test_a_refused_commit_leaves_nothing_behind(each_mongo: Mongo) -> None:
    ran: list[str] = []
    with failing(each_mongo.client, "commitTransaction", times=1, errorCode=8):
        with pytest.raises(OperationFailure) as caught, atomic():
            each_mongo.a.insert_one({"_id": 1})
            on_commit(lambda: ran.append("committed"))
            on_rollback(lambda: ran.append("rolled back"))
    assert caught.value.code == 8
    assert ran == ["rolled back"]
    assert not in_atomic_block()
    assert open_transactions(each_mongo.client) == 0
    assert each_mongo.a.count_documents({}) == 0
    with atomic():
        each_mongo.a.insert_one({"_id": 2})
    assert each_mongo.a.count_documents({}) == 1


@pytest.mark.parametrize(
    "how", [{"closeConnection": True}, {"errorCode": 8}], ids=["connection", "error"]
)
def test_a_refused_abort_leaves_nothing_open(each_mongo: Mongo, how: dict[str, Any]) -> None:
    with failing(each_mongo.client, "abortTransaction", times=2, **how):
        with pytest.raises(ZeroDivisionError), atomic():
            each_mongo.a.insert_one({"_id": 1})
            raise ZeroDivisionError
    assert open_transactions(each_mongo.client) == 0
    assert each_mongo.a.count_documents({}) == 0


@pytest.mark.parametrize("swallow", [False, True])
def test_a_lost_connection_cannot_be_committed_over(each_mongo: Mongo, swallow: bool) -> None:
    each_mongo.a.insert_one({"_id": 0})

    def work() -> None:
        with atomic():
            each_mongo.a.insert_one({"_id": 1})
            try:
                each_mongo.a.insert_one({"_id": 2})
            except AutoReconnect:
                if not swallow:
                    raise

    each_mongo.client.admin.command("ping")
    with failing(each_mongo.client, "insert", times=1, closeConnection=True):
        with pytest.raises(AutoReconnect):
            work_first_insert_lost(each_mongo)
    assert open_transactions(each_mongo.client) == 0
    calls: list[int] = []
    with failing(each_mongo.client, "insert", times=1, closeConnection=True):
        run_in_transaction(lambda: (calls.append(1), work()))
    assert len(calls) == 2
    assert each_mongo.a.count_documents({}) == 3
    assert open_transactions(each_mongo.client) == 0


def work_first_insert_lost(mongo: Mongo) -> None:
    with atomic():
        mongo.a.insert_one({"_id": "lost"})


def test_a_transaction_that_the_server_ended_is_known(each_mongo: Mongo) -> None:
    """As after transactionLifetimeLimitSeconds."""
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        each_mongo.a.insert_one({"_id": len(calls)})
        if len(calls) == 1:
            with each_mongo.client.start_session() as session:
                each_mongo.client.admin.command("killAllSessions", [], session=session)

    run_in_transaction(work)
    assert [each["_id"] for each in each_mongo.a.find()] == [2]


def test_no_money_is_lost_between_16_threads(each_mongo: Mongo) -> None:
    """Write conflicts all the time: transfers between five accounts."""
    each_mongo.accounts.insert_many([{"_id": n, "balance": 100} for n in range(5)])
    done: list[int] = []
    failed: list[BaseException] = []

    def transfer(giver: int, taker: int, *, bulk: bool) -> None:
        each_mongo.accounts.update_one({"_id": giver}, {"$inc": {"balance": -1}})
        if bulk:
            each_mongo.accounts.bulk_write([_add(taker)])
        else:
            each_mongo.accounts.update_one({"_id": taker}, {"$inc": {"balance": 1}})
        each_mongo.log.insert_one({})
        on_commit(lambda: done.append(1))

    def work(seed: int) -> None:
        try:
            for n in range(6):
                giver, taker = (seed + n) % 5, (seed + 2 * n + 1) % 5
                run_in_transaction(
                    lambda: transfer(giver, taker, bulk=bool(n % 2)),  # noqa: B023 - called here
                    max_attempts=500,
                )
        except PyMongoError as error:
            failed.append(error)

    each_mongo.create_collection("log")
    threads = [threading.Thread(target=work, args=[n]) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sum(each["balance"] for each in each_mongo.accounts.find()) == 500
    assert len(done) == each_mongo.log.count_documents({}) == 96
    assert open_transactions(each_mongo.client) == 0


def _add(account: int) -> Any:
    from pymongo import UpdateOne

    return UpdateOne({"_id": account}, {"$inc": {"balance": 1}})


def test_a_stuck_thread_does_not_hold_the_end_up_for_ever(
    database: Mongo, configured: Callable[..., None]
) -> None:
    import contextvars

    configured(database, TRANSACTION={"ROLLBACK_TIMEOUT": 0.3})
    mongo = connections["default"].database
    errors: list[BaseException] = []

    def stuck() -> None:
        try:
            mongo.a.insert_one({})
        except (PyMongoError, TransactionManagementError) as error:
            errors.append(error)

    mongo.b.insert_one({})
    with failing(database.client, "insert", times=1, blockConnection=True, blockTimeMS=1500):
        with pytest.raises(ZeroDivisionError), atomic():
            thread = threading.Thread(target=contextvars.copy_context().run, args=[stuck])
            thread.start()
            while not open_commands(database, "insert"):
                pass
            raise ZeroDivisionError
        thread.join()
    assert open_transactions(database.client) == 0
    assert committed(database.a) == 0


def open_commands(database: Mongo, name: str) -> bool:
    with database.client.start_session() as session:
        found = database.client.admin.command("currentOp", session=session)["inprog"]
    return any(name in each.get("command", {}) for each in found)
