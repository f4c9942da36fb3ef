"""Tasks that are cancelled at any moment, while others fight for the same documents."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.database import Database

from tests.transaction.faults.ledger import Ledger

Mongo = Database[dict[str, Any]]

TASKS = 16
WORKS = 10
"""Works of each task."""
COUNTERS = 3
LONGEST = 0.25
"""Seconds before a work is cancelled at the latest; some are done by then."""


# A task that is cancelled while PyMongo connects leaves socket and transport to the garbage
# collector: pymongo.pool_shared closes them after an OSError only.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*(<socket\.socket|_SelectorTransport\.__del__):pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def leftovers() -> Iterator[None]:
    """Collected after the loop's end, while this test's filter holds, and not in a later test."""
    yield
    gc.collect()


@pytest.mark.parametrize("retry", [False, True], ids=["once", "tried again"])
async def test_cancellation(
    async_mongo: Any,
    outside: Mongo,
    ledger: Ledger,
    close_books: Callable[[], None],
    retry: bool,
) -> None:
    async def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(WORKS):
            work = ledger.new(seed % COUNTERS)
            try:
                async with asyncio.timeout(chance.uniform(0, LONGEST)):
                    await ledger.arun(work, retry=retry)
            except TimeoutError:
                ledger.tell_by_hooks(work)

    async with asyncio.TaskGroup() as group:
        for seed in range(TASKS):
            group.create_task(write(seed))
    assert any(work.cancelled for work in ledger.works)
    assert any(work.told == "committed" for work in ledger.works)
    await asyncio.to_thread(close_books)
