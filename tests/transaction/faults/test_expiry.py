"""Transactions that live longer than the server lets them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from tests.transaction.conftest import open_transactions
from tests.transaction.faults import writers
from tests.transaction.faults.ledger import Ledger

Mongo = Database[dict[str, Any]]

PARAMETER = "transactionLifetimeLimitSeconds"
PATIENCE = 15
"""Seconds."""


@pytest.fixture
def short_lives(replica_set: MongoServer, outside: Mongo) -> Iterator[None]:
    admin = outside.client.admin
    before = admin.command({"getParameter": 1, PARAMETER: 1})[PARAMETER]
    admin.command({"setParameter": 1, PARAMETER: 1})
    yield
    admin.command({"setParameter": 1, PARAMETER: before})


@pytest.mark.usefixtures("short_lives")
@pytest.mark.parametrize("writes", [1, 3], ids=["before a write", "before the commit"])
async def test_expiry(
    async_mongo: Any,
    outside: Mongo,
    ledger: Ledger,
    close_books: Callable[[], None],
    writes: int,
) -> None:
    """Each writer's first transaction is outlived by its client."""
    waited: set[int] = set()

    def wait_for_the_end(writer: int) -> Callable[[int], None]:
        def interlude(done: int) -> None:
            if done == writes and writer not in waited:
                waited.add(writer)
                until_nothing_is_open(outside)

        return interlude

    works = [ledger.new(n, interlude=wait_for_the_end(n)) for n in range(6)]
    async with asyncio.TaskGroup() as group:
        for work in works:
            retry = writers.retries(work.writer)
            if work.writer < 3:
                group.create_task(asyncio.to_thread(ledger.run, work, retry=retry))
            else:
                group.create_task(ledger.arun(work, retry=retry))
    assert [work.told for work in works] == ["committed", "rolled back"] * 3
    await asyncio.to_thread(close_books)


def until_nothing_is_open(outside: Mongo) -> None:
    deadline = time.monotonic() + PATIENCE
    while open_transactions(outside.client):
        assert time.monotonic() < deadline, "the server did not end the transactions"
        time.sleep(0.05)
