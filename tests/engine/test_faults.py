"""Blocks with savepoints while servers and commands fail: nothing is lost, doubled or half."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, transaction
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, PyMongoError

from djongo_services.embedded import MongoServer
from djongo_services.transaction import CommitResultUnknown
from tests.engine.helpers import rolled_back
from tests.engine.shop.models import Note
from tests.members import primary_of
from tests.mongodb_orm import connections
from tests.transaction.faults.conftest import left_open

ALIAS = "members"
KEPT = ["first", "second"]


@pytest.fixture(scope="module")
def members() -> Iterator[MongoServer]:
    with MongoServer(members=3, test_commands=True) as server:
        yield server


@pytest.fixture
def faulty(members: MongoServer, django_db_blocker: Any) -> Iterator[Any]:
    """The database of an alias on three members that may be disturbed, which Django's test
    databases do not include."""
    members.wait_until_ready()
    entry = {
        **settings.DATABASES["default"],
        "HOST": members.uri,
        "NAME": "engine_faults",
        "OPTIONS": {"heartbeatFrequencyMS": 500},
        "TEST": {},
    }
    connections.settings[ALIAS] = connections.configure_settings({"default": {}, ALIAS: entry})[
        ALIAS
    ]
    with django_db_blocker.unblock(), members.client() as client:
        client.drop_database("engine_faults")
        client["engine_faults"].create_collection("shop_note")
        yield client["engine_faults"]
        connections[ALIAS].close_pool()
        del connections[ALIAS]
        del connections.settings[ALIAS]


def work(number: int) -> str:
    """Two notes in one transaction, and between them two that are undone; what became of it."""
    notes = Note.objects.using(ALIAS)
    try:
        with transaction.atomic(using=ALIAS):
            notes.create(text=f"{number} first")
            with rolled_back(transaction.atomic(using=ALIAS)):
                notes.create(text=f"{number} undone")
                notes.filter(text=f"{number} first").update(text=f"{number} changed")
            notes.create(text=f"{number} second")
    except DatabaseError as error:
        unknown = isinstance(error.__cause__, CommitResultUnknown)
        return "unknown" if unknown else "rolled back"
    except CommitResultUnknown:
        return "unknown"
    except (PyMongoError, transaction.TransactionManagementError):
        return "rolled back"
    return "committed"


def wrong(database: Any, told: dict[int, str]) -> list[Any]:
    """The works of which the database differs from what was reported."""
    found: dict[int, list[str]] = {number: [] for number in told}
    for note in database.shop_note.find():
        number, part = note["text"].split()
        found[int(number)].append(part)
    allowed: dict[str, list[list[str]]] = {
        "committed": [KEPT],
        "rolled back": [[]],
        "unknown": [[], KEPT],
    }
    return [
        (number, outcome, sorted(found[number]))
        for number, outcome in told.items()
        if sorted(found[number]) not in allowed[outcome]
    ]


@contextmanager
def workers(threads: int = 4) -> Iterator[tuple[dict[int, str], Callable[[int], None]]]:
    """The outcomes reported so far, and a function that waits for a number of further commits."""
    told: dict[int, str] = {}
    numbers, ended = count(), threading.Event()

    def run() -> None:
        try:
            while not ended.is_set():
                number = next(numbers)
                told[number] = work(number)
        finally:
            connections[ALIAS].close()

    def wait_for_more(number: int) -> None:
        wanted = Counter(told.values())["committed"] + number
        until = time.monotonic() + 120
        while Counter(told.copy().values())["committed"] < wanted:
            assert time.monotonic() < until
            ended.wait(0.05)

    started = [threading.Thread(target=run) for _ in range(threads)]
    for thread in started:
        thread.start()
    try:
        yield told, wait_for_more
    finally:
        ended.set()
        for thread in started:
            thread.join()


def step_down(members: MongoServer, wait_for_more: Callable[[int], None]) -> None:
    for _ in range(2):
        with MongoClient[Any](primary_of(members).address, directConnection=True) as client:
            with suppress(AutoReconnect):
                client.admin.command("replSetStepDown", 2, force=True, secondaryCatchUpPeriodSecs=1)
        wait_for_more(10)


def kill(members: MongoServer, wait_for_more: Callable[[int], None]) -> None:
    primary = primary_of(members)
    primary.kill()
    try:
        wait_for_more(10)
    finally:
        primary.restart()


def stop(members: MongoServer, wait_for_more: Callable[[int], None]) -> None:
    primary = primary_of(members)
    primary.pause()
    try:
        threading.Event().wait(7)  # what is tested is that nothing answers so long
    finally:
        primary.resume()


@pytest.mark.parametrize("fault", [step_down, kill, stop])
def test_elections(members: MongoServer, faulty: Any, fault: Any) -> None:
    with workers() as (told, wait_for_more):
        wait_for_more(10)
        fault(members, wait_for_more)
        wait_for_more(10)
    members.wait_until_ready()
    assert wrong(faulty, told) == []
    assert Counter(told.values())["committed"] >= 20


FAULTS: dict[str, dict[str, Any]] = {
    "closed": {"closeConnection": True},
    "refused": {"errorCode": 91},
}
"""The connection breaks before the command is run, or the server is going down."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", ["insert", "update", "abortTransaction", "commitTransaction"])
@pytest.mark.parametrize("skipped", range(3))
def test_any_command(
    members: MongoServer, faulty: Any, command: str, skipped: int, fault: str
) -> None:
    """The fault can hit any command of one block, including its repetition."""
    data = {"failCommands": [command], **FAULTS[fault]}
    with MongoClient[Any](primary_of(members).address, directConnection=True) as primary:
        primary.admin.command(
            "configureFailPoint", "failCommand", mode={"skip": skipped}, data=data
        )
        recovery = threading.Timer(0.3, turn_off, [primary])
        recovery.start()
        told = {1: work(1)}
        recovery.join()
    members.wait_until_ready()
    assert wrong(faulty, told) == []
    assert work(2) == "committed"
    assert left_open(members) == {member.address: 0 for member in members.members}


def turn_off(client: MongoClient[Any]) -> None:
    client.admin.command("configureFailPoint", "failCommand", mode="off")
