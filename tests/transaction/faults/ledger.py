"""A ledger of the outcomes that clients saw, to be compared with the database."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services.connections import connections
from djongo_services.transaction import (
    CommitResultUnknown,
    TransactionManagementError,
    aatomic,
    arun_in_transaction,
    atomic,
    on_commit,
    on_rollback,
    run_in_transaction,
)

Outcome = Literal["committed", "rolled back", "unknown"]

ATTEMPTS = 10_000
"""Whole functions are tried again until their time is over."""


class Deliberate(Exception):
    """A piece of work that decides to be rolled back."""


@dataclass(kw_only=True, slots=True)
class Work:
    """One transaction of one writer: a document in each of two collections, and a counter."""

    name: str
    writer: int
    fail: bool = False
    interlude: Callable[[int], object] | None = None
    """Called after each write, with the number of writes so far; in a thread by tasks."""
    hooks: list[Outcome] = field(default_factory=list)
    told: Outcome | None = None
    reason: str = ""
    cancelled: bool = False

    def listen(self) -> None:
        on_commit(lambda: self.hooks.append("committed"))
        on_rollback(lambda: self.hooks.append("rolled back"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrong:
    """Names of works by the kind of error; all should be empty."""

    lost: tuple[str, ...] = ()
    """Told "committed", and not there."""
    doubled: tuple[str, ...] = ()
    """Works that exist more than once."""
    halved: tuple[str, ...] = ()
    """One of the two documents is there and the other is not."""
    undead: tuple[str, ...] = ()
    """Told "rolled back", and there."""
    misheard: tuple[str, ...] = ()
    """Its hooks say something else than its exception."""
    miscounted: tuple[str, ...] = ()
    """Writers whose counter differs from the number of their documents."""


class Ledger:
    """Makes works, runs them in transactions, and records the outcomes that their callers saw."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.patience = 45.0
        """Seconds for which run_in_transaction begins attempts."""
        self._numbers = itertools.count()
        self._changed = threading.Condition()

    def new(self, writer: int, **how: Any) -> Work:
        """``how``: what :class:`Work` may be."""
        work = Work(name=f"{writer}-{next(self._numbers)}", writer=writer, **how)
        with self._changed:
            self.works.append(work)
        return work

    def count(self, told: Outcome) -> int:
        return sum(work.told == told for work in list(self.works))

    def wait_for_more(self, number: int, seconds: float = 40) -> None:
        """Wait until a number of further works is reported as committed."""
        wanted = self.count("committed") + number
        with self._changed:
            reached = self._changed.wait_for(lambda: self.count("committed") >= wanted, seconds)
        assert reached, f"{number} further commits took more than {seconds} s: {self.reasons()}"

    def reasons(self) -> dict[str, int]:
        return dict(Counter(work.reason for work in list(self.works) if work.reason))

    def run(self, work: Work, *, retry: bool) -> None:
        def act() -> None:
            write(connections["default"].database, work)

        try:
            if retry:
                run_in_transaction(act, max_attempts=ATTEMPTS, timeout=self.patience)
            else:
                atomic(act)()
        except Exception as error:  # noqa: BLE001 - told() lets unexpected ones through
            self.tell(work, error)
        else:
            self.tell(work, None)

    async def arun(self, work: Work, *, retry: bool) -> None:
        async def act() -> None:
            await awrite(connections["default"].async_database, work)

        try:
            if retry:
                await arun_in_transaction(act, max_attempts=ATTEMPTS, timeout=self.patience)
            else:
                await aatomic(act)()
        except Exception as error:  # noqa: BLE001 - told() lets unexpected ones through
            self.tell(work, error)
        else:
            self.tell(work, None)

    def tell(self, work: Work, error: Exception | None) -> None:
        with self._changed:
            work.told = outcome(error)
            if not isinstance(error, Deliberate | None):
                details = getattr(error, "details", None) or {}
                work.reason = f"{type(error).__name__} {details.get('codeName', '')}".rstrip()
            self._changed.notify_all()

    def tell_by_hooks(self, work: Work) -> None:
        """Record a work that was cancelled, whose outcome only its hooks know."""
        work.cancelled = True
        work.told = work.hooks[-1] if work.hooks else "unknown"

    def wrong(self, database: Database[Any]) -> Wrong:
        """Compare with the documents that a majority holds."""
        first, second = (found(database, name) for name in ("first", "second"))
        there = {work.name: (first[work.name], second[work.name]) for work in self.works}

        def names(condition: Callable[[Work, int, int], bool]) -> tuple[str, ...]:
            return tuple(work.name for work in self.works if condition(work, *there[work.name]))

        return Wrong(
            lost=names(lambda work, a, b: work.told == "committed" and min(a, b) == 0),
            doubled=names(lambda _, a, b: max(a, b) > 1),
            halved=names(lambda _, a, b: a != b),
            undead=names(lambda work, a, b: work.told == "rolled back" and max(a, b) > 0),
            misheard=tuple(work.name for work in self.works if not heard_right(work)),
            miscounted=miscounted(database, self.works, first),
        )


def outcome(error: Exception | None) -> Outcome:
    match error:
        case None:
            return "committed"
        case CommitResultUnknown():
            return "unknown"
        case PyMongoError() | TransactionManagementError() | Deliberate():
            return "rolled back"
    raise error


def write(database: Database[Any], work: Work) -> None:
    work.listen()
    for number, call in enumerate(calls(database, work), start=1):
        call()
        if work.interlude is not None:
            work.interlude(number)
    if work.fail:
        raise Deliberate


async def awrite(database: Any, work: Work) -> None:
    work.listen()
    for number, call in enumerate(calls(database, work), start=1):
        await call()
        if work.interlude is not None:
            await asyncio.to_thread(work.interlude, number)
    if work.fail:
        raise Deliberate


def calls(database: Any, work: Work) -> list[Callable[[], Any]]:
    one, count = {"_id": work.writer}, {"$inc": {"works": 1}}
    return [
        lambda: database.first.insert_one({"work": work.name}),
        lambda: database.counters.update_one(one, count, upsert=True),
        lambda: database.second.insert_one({"work": work.name}),
    ]


def found(database: Database[Any], collection: str) -> Counter[str]:
    return Counter(each["work"] for each in database[collection].find())


def heard_right(work: Work) -> bool:
    """on_commit ran once if it was committed, and never otherwise; on_rollback per attempt."""
    commits = work.hooks.count("committed")
    match work.told:
        case "committed":
            return commits == 1 and work.hooks[-1] == "committed"
        case "rolled back":
            return commits == 0
        case _:
            return commits == 0 and (not work.hooks or not work.cancelled)


def miscounted(database: Database[Any], works: list[Work], there: Counter[str]) -> tuple[str, ...]:
    expected = Counter[int]()
    for work in works:
        expected[work.writer] += there[work.name]
    counted = {each["_id"]: each["works"] for each in database.counters.find()}
    return tuple(
        f"writer {writer}: {counted.get(writer, 0)} for {number}"
        for writer, number in expected.items()
        if counted.get(writer, 0) != number
    )
