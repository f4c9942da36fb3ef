"""Connections that close and errors that come at every command of a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo.database import Database

from tests.transaction.faults import writers
from tests.transaction.faults.ledger import Ledger

Mongo = Database[dict[str, Any]]
Faults = dict[str, tuple[dict[str, Any], dict[str, Any]]]
"""By name, the fail point's mode and data."""

WORKS = 6
"""Works of each writer."""
OFTEN = {"activationProbability": 0.25}
"""The probability that a command meets the fault."""
SELDOM = {"times": 3}
"""The time for faults after which the driver waits for the server's next heartbeat."""

FAULTS: Faults = {
    "connection closed": (SELDOM, {"closeConnection": True}),
    "shutting down": (SELDOM, {"errorCode": 91}),
    "not a primary": (SELDOM, {"errorCode": 10107}),
    "not a primary, no labels": (SELDOM, {"errorCode": 10107, "errorLabels": []}),
    "conflict": (OFTEN, {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}),
    "conflict, no labels": (OFTEN, {"errorCode": 112, "errorLabels": []}),
    "refused": (OFTEN, {"errorCode": 8, "errorLabels": []}),
}
OF_COMMITS: Faults = {
    "unknown": (OFTEN, {"errorCode": 64, "errorLabels": ["UnknownTransactionCommitResult"]}),
    # The server has committed, and says that it cannot tell whether a majority has.
    "not replicated": (OFTEN, {"writeConcernError": {"code": 64, "errmsg": "timed out"}}),
    "shutting down after it": (SELDOM, {"writeConcernError": {"code": 91, "errmsg": "down"}}),
}
CASES = [
    *(("insert", name) for name in FAULTS),
    *(("update", name) for name in FAULTS),
    *(("commitTransaction", name) for name in FAULTS | OF_COMMITS),
    *(("abortTransaction", name) for name in FAULTS),
]


@contextmanager
def failing_sometimes(outside: Mongo, command: str, fault: str) -> Iterator[None]:
    mode, how = (FAULTS | OF_COMMITS)[fault]
    point = {"configureFailPoint": "failCommand"}
    admin = outside.client.admin
    admin.command({**point, "mode": mode, "data": {"failCommands": [command], **how}})
    try:
        yield
    finally:
        met = admin.command({**point, "mode": "off"})["count"]
    assert met > 0, "the fault was not met"


@pytest.mark.parametrize(
    ("command", "fault"), CASES, ids=[f"{command}, {name}" for command, name in CASES]
)
async def test_commands(
    async_mongo: Any,
    outside: Mongo,
    ledger: Ledger,
    close_books: Callable[[], None],
    command: str,
    fault: str,
) -> None:
    with failing_sometimes(outside, command, fault):
        async with asyncio.TaskGroup() as group:
            writers.start(group, ledger, lambda done: done < WORKS)
    await asyncio.to_thread(close_books)
    assert len(ledger.works) == WORKS * (writers.THREADS + writers.TASKS)
