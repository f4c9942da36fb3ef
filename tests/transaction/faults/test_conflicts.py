"""Write conflicts all the time: a bank of few accounts and many clerks."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from djongo_services.embedded import MongoServer
from djongo_services.transaction import arun_in_transaction, atomic, run_in_transaction
from tests.transaction.faults.conftest import left_open
from tests.transaction.faults.ledger import ATTEMPTS

Mongo = Database[dict[str, Any]]

CLERKS = 16
TRANSFERS = 8
"""Transfers of each clerk."""
ACCOUNTS = 5
MONEY = 100
"""The initial balance of each account."""


def open_bank(outside: Mongo) -> None:
    outside.accounts.insert_many([{"_id": n, "balance": MONEY} for n in range(ACCOUNTS)])
    outside.create_collection("log")


def some_transfer(chance: random.Random) -> tuple[int, int, int]:
    giver, taker = chance.sample(range(ACCOUNTS), 2)
    return giver, taker, chance.randrange(1, 10)


def total(database: Mongo) -> int:
    return sum(each["balance"] for each in database.accounts.find())


def check_bank(outside: Mongo) -> None:
    """Every transfer was made once, as the log has it, and no money came or went."""
    expected = dict.fromkeys(range(ACCOUNTS), MONEY)
    transfers = list(outside.log.find())
    for each in transfers:
        expected[each["giver"]] -= each["money"]
        expected[each["taker"]] += each["money"]
    assert len(transfers) == CLERKS * TRANSFERS
    assert {each["_id"]: each["balance"] for each in outside.accounts.find()} == expected
    assert total(outside) == ACCOUNTS * MONEY


def test_threads(replica_set: MongoServer, mongo: Mongo, outside: Mongo) -> None:
    open_bank(outside)
    broken: list[BaseException] = []
    totals: set[int] = set()
    done = threading.Event()

    def transfer(giver: int, taker: int, money: int) -> None:
        # The balance is read and set: a lost update would show.
        for account, change in ((giver, -money), (taker, money)):
            found = mongo.accounts.find_one({"_id": account})
            assert found is not None
            new = {"$set": {"balance": found["balance"] + change}}
            mongo.accounts.update_one({"_id": account}, new)
        mongo.log.insert_one({"giver": giver, "taker": taker, "money": money})

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(TRANSFERS):
                run_in_transaction(
                    transfer, *some_transfer(chance), max_attempts=ATTEMPTS, timeout=60
                )
        except BaseException as error:  # noqa: BLE001 - the test raises it
            broken.append(error)

    def audit() -> None:
        while not done.is_set():
            with atomic(read_concern=ReadConcern("snapshot")):
                totals.add(total(mongo))

    clerks = [threading.Thread(target=work, args=[seed]) for seed in range(CLERKS)]
    auditor = threading.Thread(target=audit)
    for thread in (auditor, *clerks):
        thread.start()
    for thread in clerks:
        thread.join()
    done.set()
    auditor.join()
    assert broken == []
    check_bank(outside)
    assert totals == {ACCOUNTS * MONEY}
    assert not any(left_open(replica_set).values())


async def test_tasks(replica_set: MongoServer, async_mongo: Any, outside: Mongo) -> None:
    open_bank(outside)

    async def transfer(giver: int, taker: int, money: int) -> None:
        for account, change in ((giver, -money), (taker, money)):
            found = await async_mongo.accounts.find_one({"_id": account})
            new = {"$set": {"balance": found["balance"] + change}}
            await async_mongo.accounts.update_one({"_id": account}, new)
        await async_mongo.log.insert_one({"giver": giver, "taker": taker, "money": money})

    async def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(TRANSFERS):
            await arun_in_transaction(
                transfer, *some_transfer(chance), max_attempts=ATTEMPTS, timeout=60
            )

    async with asyncio.TaskGroup() as group:
        for seed in range(CLERKS):
            group.create_task(work(seed))
    check_bank(outside)
    assert not any(left_open(replica_set).values())
