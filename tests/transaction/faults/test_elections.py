"""The primary steps down, dies or stops answering while clients write."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from djongo_services.embedded import MongoServer
from tests.members import primary_of
from tests.transaction.faults.ledger import Ledger
from tests.transaction.faults.writers import while_writing

STOPPED_SECONDS = 7


def step_down(server: MongoServer, ledger: Ledger) -> None:
    for _ in range(3):
        with MongoClient[Any](primary_of(server).address, directConnection=True) as client:
            with suppress(AutoReconnect):
                client.admin.command("replSetStepDown", 2, force=True, secondaryCatchUpPeriodSecs=1)
        ledger.wait_for_more(20)


def kill(server: MongoServer, ledger: Ledger) -> None:
    primary = primary_of(server)
    primary.kill()
    try:
        ledger.wait_for_more(20)
    finally:
        primary.restart()


def stop(server: MongoServer, ledger: Ledger) -> None:
    primary = primary_of(server)
    primary.pause()
    try:
        threading.Event().wait(STOPPED_SECONDS)  # what is tested is that nothing answers so long
    finally:
        primary.resume()


@pytest.mark.parametrize("fault", [step_down, kill, stop])
async def test_elections(
    replica_set: MongoServer,
    async_mongo: Any,
    ledger: Ledger,
    close_books: Callable[[], None],
    fault: Callable[[MongoServer, Ledger], None],
) -> None:
    await while_writing(ledger, lambda: fault(replica_set, ledger))
    await asyncio.to_thread(close_books)
    assert ledger.count("committed") > 40
