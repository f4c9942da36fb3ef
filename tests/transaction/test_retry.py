"""run_in_transaction and @retrying: when there is another attempt, and when there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure

from djongo_services.connections import connections
from djongo_services.transaction import (
    TransactionManagementError,
    aatomic,
    aretrying,
    arun_in_transaction,
    atomic,
    retrying,
    run_in_transaction,
)
from tests.transaction.conftest import committed, failing, open_transactions

Mongo = Database[dict[str, Any]]
AsyncMongo = AsyncDatabase[dict[str, Any]]

CONFLICT = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}


@pytest.fixture
def conflicts(mongo: Mongo) -> Callable[..., Any]:
    mongo.a.insert_one({"_id": "there"})
    return lambda times, command="insert": failing(mongo.client, command, times=times, **CONFLICT)


def test_returns_what_the_function_returns(mongo: Mongo) -> None:
    assert run_in_transaction(divmod, 7, 2) == (3, 1)

    @retrying
    def bare(a: int, *, b: int) -> int:
        return a + b

    @retrying("second", max_attempts=2)
    def other() -> Any:
        return connections["second"].database.a.insert_one({}).inserted_id

    assert bare(1, b=2) == 3
    assert bare.__name__ == "bare"
    assert other() is not None


def test_a_commit_that_conflicts_is_another_attempt(
    mongo: Mongo, conflicts: Callable[..., Any]
) -> None:
    calls: list[Any] = []
    with conflicts(2, "commitTransaction"):
        run_in_transaction(lambda: calls.append(mongo.a.insert_one({}) and 1))
    assert len(calls) == 3
    assert mongo.a.count_documents({}) == 2
    assert open_transactions(mongo.client) == 0


def test_attempts_are_bounded(
    mongo: Mongo, outside: Mongo, conflicts: Callable[..., Any], settings: Any
) -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        mongo.a.insert_one({})

    with conflicts(100), pytest.raises(OperationFailure) as caught:
        run_in_transaction(work, max_attempts=3)
    assert len(calls) == 3
    assert "given up after 3 attempts" in caught.value.__notes__[0]
    with conflicts(100), pytest.raises(OperationFailure):
        run_in_transaction(work, max_attempts=10_000, timeout=0.1)
    assert 3 < len(calls) < 1000
    calls.clear()
    settings.DJONGO_SERVICES = {**settings.DJONGO_SERVICES, "TRANSACTION": {"MAX_ATTEMPTS": 2}}
    fewer = connections["default"].database
    with failing(outside.client, "insert", times=100, **CONFLICT):
        with pytest.raises(OperationFailure):
            run_in_transaction(lambda: (calls.append(1), fewer.a.insert_one({})))
    assert len(calls) == 2
    with pytest.raises(ValueError, match="max_attempts"):
        run_in_transaction(work, max_attempts=0)


def test_other_errors_are_not_tried_again(mongo: Mongo) -> None:
    mongo.a.insert_one({"_id": 1})
    calls: list[int] = []

    def work(*, swallow: bool) -> None:
        calls.append(1)
        try:
            mongo.a.insert_many([{"_id": 2}, {"_id": 1}])
        except Exception:
            if not swallow:
                raise

    with pytest.raises(Exception, match="E11000"):
        retrying(work)(swallow=False)
    with pytest.raises(TransactionManagementError):
        retrying(work)(swallow=True)
    with pytest.raises(DuplicateKeyError):
        run_in_transaction(mongo.a.insert_one, {"_id": 1})
    assert len(calls) == 2


def test_a_swallowed_transient_error_is_tried_again(
    mongo: Mongo, conflicts: Callable[..., Any]
) -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        mongo.a.find_one()
        try:
            mongo.a.update_one({"_id": "there"}, {"$set": {"n": len(calls)}})
        except OperationFailure:
            with mongo.client.start_session() as session:
                mongo.client.admin.command("killAllSessions", [], session=session)

    with conflicts(1, "update"):
        run_in_transaction(work)
    assert len(calls) == 2
    assert mongo.a.find_one() == {"_id": "there", "n": 2}


def test_inside_of_a_block_it_runs_once(mongo: Mongo, conflicts: Callable[..., Any]) -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        mongo.a.insert_one({})

    with conflicts(1), pytest.raises(OperationFailure), atomic():
        run_in_transaction(work)
    assert len(calls) == 1
    with conflicts(1):
        run_in_transaction(run_in_transaction, work)
    assert len(calls) == 3
    assert mongo.a.count_documents({}) == 2


async def test_coroutines(async_mongo: AsyncMongo, outside: Mongo) -> None:
    calls: list[int] = []

    async def work(n: int) -> int:
        calls.append(n)
        await async_mongo.a.insert_one({})
        return n

    @aretrying(max_attempts=2)
    async def twice() -> None:
        await work(0)

    outside.a.insert_one({})
    with failing(outside.client, "insert", times=2, **CONFLICT):
        assert await arun_in_transaction(work, 5) == 5
    assert calls == [5, 5, 5]
    with failing(outside.client, "insert", times=9, **CONFLICT):
        with pytest.raises(OperationFailure, match="failCommand"):
            await twice()
        with pytest.raises(OperationFailure):
            async with aatomic():
                await aretrying(work)(1)
    assert calls[3:] == [0, 0, 1]
    assert committed(outside.a) == 2
    assert open_transactions(outside.client) == 0


def test_the_wrong_kind_of_function_is_refused() -> None:
    async def coroutine() -> None: ...

    def plain() -> None: ...

    for refuse in (retrying, retrying("default"), run_in_transaction):
        with pytest.raises(TypeError, match="coroutine is async: use @a"):
            refuse(coroutine)
    for refuse in (aretrying, aretrying("default")):
        with pytest.raises(TypeError, match="plain is not async: use @retrying"):
            refuse(plain)
