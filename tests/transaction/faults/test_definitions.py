"""Collections and indexes that are changed from outside while transactions use them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.transaction import atomic
from tests.transaction.faults.ledger import Ledger
from tests.transaction.faults.writers import while_writing

Mongo = Database[dict[str, Any]]

ROUNDS = 12


def use_scratch(writes: int) -> None:
    if writes == 2:
        connections["default"].database.scratch.insert_one({})


def change(outside: Mongo) -> None:
    outside.first.create_index("work")
    outside.command("collMod", "second", validator={"work": {"$type": "string"}})
    outside.first.drop_index("work_1")
    outside.scratch.drop()


async def test_changes_under_load(
    async_mongo: Any, outside: Mongo, ledger: Ledger, close_books: Callable[[], None]
) -> None:
    def disturb() -> None:
        for _ in range(ROUNDS):
            change(outside)
            ledger.wait_for_more(1)

    await while_writing(ledger, disturb, interlude=use_scratch)
    await asyncio.to_thread(close_books)


def build(outside: Mongo) -> None:
    outside.second.create_index("work")


def drop(outside: Mongo) -> None:
    outside.second.drop()
    outside.create_collection("second")


def modify(outside: Mongo) -> None:
    outside.command("collMod", "second", validator={"work": {"$type": "string"}})


@pytest.mark.parametrize("act", [build, drop, modify])
def test_a_collection_changed_after_the_snapshot(
    mongo: Mongo,
    outside: Mongo,
    ledger: Ledger,
    close_books: Callable[[], None],
    act: Callable[[Mongo], None],
) -> None:
    """The transaction has begun, and has not yet used the collection."""
    outside.create_collection("second")
    changed: list[int] = []

    def interlude(writes: int) -> None:
        if writes == 1 and not changed:
            changed.append(writes)
            elsewhere(lambda: act(outside))

    ledger.run(ledger.new(0, interlude=interlude), retry=True)
    assert ledger.works[0].told == "committed", ledger.works[0].reason
    close_books()


def elsewhere(act: Callable[[], None]) -> None:
    """Run in a thread that is not in the atomic block, like another program."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def test_a_change_waits_for_the_transaction(mongo: Mongo, outside: Mongo) -> None:
    mongo.first.insert_one({"work": "before"})
    builder = threading.Thread(target=lambda: outside.first.create_index("work"))
    with atomic():
        mongo.first.insert_one({"work": "inside"})
        builder.start()
        builder.join(0.3)
        assert builder.is_alive()
    builder.join(10)
    assert not builder.is_alive()
    assert "work_1" in outside.first.index_information()
    assert outside.first.count_documents({}) == 2
