"""on_commit and on_rollback: once, in order, by outcome."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import functools
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.transaction import (
    atomic,
    in_atomic_block,
    on_commit,
    on_rollback,
    run_in_transaction,
    set_rollback,
)
from tests.transaction.conftest import failing

Mongo = Database[dict[str, Any]]


class Boom(Exception):
    pass


def boom() -> None:
    raise Boom


def test_run_after_the_commit_and_outside_of_it(mongo: Mongo) -> None:
    ran: list[Any] = []

    def hook() -> None:
        ran.append((in_atomic_block(), mongo.a.count_documents({})))
        on_commit(lambda: ran.append("at once"))

    with atomic():
        mongo.a.insert_one({})
        on_commit(hook)
        with atomic():
            on_commit(lambda: ran.append("inner"))
        on_rollback(boom)
    assert ran == [(False, 1), "at once", "inner"]


def test_run_after_a_rollback_before_the_exception_goes_on(mongo: Mongo) -> None:
    ran: list[Any] = []
    with pytest.raises(Boom), atomic():
        mongo.a.insert_one({})
        on_commit(boom)
        on_rollback(lambda: ran.append(mongo.a.count_documents({})))
        on_rollback(lambda: ran.append("second"))
        boom()
    assert ran == [0, "second"]
    with atomic():
        on_rollback(lambda: ran.append("asked for"))
        set_rollback(True)
    assert ran[2:] == ["asked for"]


def test_one_that_raises_ends_the_row_and_does_not_undo_the_commit(mongo: Mongo) -> None:
    ran: list[str] = []
    with pytest.raises(Boom), atomic():
        mongo.a.insert_one({})
        on_commit(lambda: ran.append("first"))
        on_commit(boom)
        on_commit(lambda: ran.append("never"))
    assert ran == ["first"]
    assert mongo.a.count_documents({}) == 1
    assert not in_atomic_block()


def test_a_robust_one_is_logged(mongo: Mongo, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []
    with pytest.raises(ZeroDivisionError), atomic():
        on_rollback(boom, robust=True)
        on_rollback(lambda: ran.append("next"))
        raise ZeroDivisionError
    with atomic():
        on_commit(functools.partial(boom), robust=True)
        on_commit(lambda: ran.append("next"))
    assert ran == ["next", "next"]
    assert "Error calling boom in on_rollback()" in caplog.text
    assert "in on_commit()" in caplog.text


def test_an_async_one_is_awaited(mongo: Mongo) -> None:
    ran: list[str] = []

    async def hook(name: str) -> None:
        ran.append(name)

    class Callable:
        async def __call__(self) -> None:
            ran.append("object")

    with atomic():
        on_commit(functools.partial(hook, "partial"))
        on_commit(Callable())
    assert ran == ["partial", "object"]


def test_outside_of_a_block(mongo: Mongo) -> None:
    ran: list[str] = []
    on_commit(lambda: ran.append("at once"))
    on_rollback(lambda: ran.append("never"))
    assert ran == ["at once"]
    for register in (on_commit, on_rollback):
        with pytest.raises(TypeError, match="needs a function to call"):
            register("text")  # type: ignore[arg-type]


def test_those_of_a_failed_attempt_are_dropped(mongo: Mongo) -> None:
    ran: list[str] = []
    attempts: list[int] = []

    def work() -> None:
        attempts.append(1)
        number = len(attempts)
        on_commit(lambda: ran.append(f"commit {number}"))
        on_rollback(lambda: ran.append(f"rollback {number}"))
        mongo.a.insert_one({"_id": number})

    mongo.a.insert_one({"_id": "there"})
    with failing(
        mongo.client,
        "insert",
        times=2,
        errorCode=112,
        errorLabels=["TransientTransactionError"],
    ):
        run_in_transaction(work)
    assert ran == ["rollback 1", "rollback 2", "commit 3"]
    assert mongo.a.count_documents({}) == 2
