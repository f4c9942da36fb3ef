"""Atomic requests and blocks, compared with none, and with transactions written by hand.

Two contestants alternate, call by call, and each is first in every other round, so that other work
on the machine affects both; medians count. (Empty requests: by rounds of ``CALLS_EMPTY`` calls, and
the median of the rounds' differences.) The load is ``REQUESTS`` concurrent requests to the
handlers, from threads and in a loop; every twentieth view fails after its first write, and
afterwards every write is looked for.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import statistics
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bson import ObjectId
from pymongo import MongoClient

from benchmarks import transaction_site as site

REQUESTS = 2_000
THREADS = 16
TASKS = 64
"""The number of concurrent requests in the loop."""
ROUNDS = 400
"""The number for each of the repeats; each contestant is called once in a round."""
ROUNDS_EMPTY, CALLS_EMPTY = 40, 200
"""The same for requests that do nothing, which are too quick to be timed one by one."""
WARM = 20
"""The rounds before the first that counts."""
EMPTY_TARGET = 25.0
"""In microseconds."""
TARGET = 1.05

Row = dict[str, Any]
Contestants = Mapping[str, Callable[[], object]]
Rounds = dict[str, list[float]]
"""The seconds of one call, by contestant and round."""


def run(uri: str, repeats: int = 5) -> list[Row]:
    site.configure(uri)
    logging.disable(logging.ERROR)  # of the views that fail on purpose
    with MongoClient[dict[str, Any]](uri) as client:
        client.drop_database(site.DATABASE)
        try:
            _fill(client[site.DATABASE])
            rows = [
                *_empty(repeats),
                *_aempty(repeats),
                *_reads(repeats),
                *_raw(client, repeats),
                *_orm(repeats),
                *_threads(client, repeats),
                *asyncio.run(_tasks(client, repeats)),
            ]
        finally:
            logging.disable(logging.NOTSET)
            client.drop_database(site.DATABASE)
    return rows


def _fill(database: Any) -> None:
    database.stock.insert_one({"_id": 1, "title": "a book"})
    for name in ("loans", "loans_made", "members", "raw"):
        database.create_collection(name)


# Requests that do little:


def _empty(repeats: int) -> list[Row]:
    rows = []
    for method in ("GET", "POST"):
        contestants = {
            name: _asking(site.handler(middleware=with_it), "/empty/", method)
            for name, with_it in (("without", False), ("with", True))
        }
        rows.append(
            _added(
                f"empty {method} request",
                measured(contestants, ROUNDS_EMPTY * repeats, CALLS_EMPTY),
            )
        )
    return rows


def _aempty(repeats: int) -> list[Row]:
    def asking(middleware: bool) -> Callable[[], Coroutine[Any, Any, object]]:
        answer = site.async_handler(middleware=middleware)
        return lambda: answer(site.request("/aempty/", "POST"))

    contestants = {"without": asking(False), "with": asking(True)}
    taken = asyncio.run(_ameasured(contestants, ROUNDS_EMPTY * repeats, CALLS_EMPTY))
    return [_added("empty POST request, async view", taken)]


def _reads(repeats: int) -> list[Row]:
    without, ours = (site.handler(middleware=with_it) for with_it in (False, True))
    contestants = {
        "without": _asking(without, "/read/", "GET"),
        "with": _asking(ours, "/read/", "GET"),
        "in a transaction": _asking(ours, "/read/", "POST"),
        "by hand": _asking(without, "/read-in-transaction/", "GET"),
    }
    pairs = [
        ("GET with one read", "with", "without", "no middleware", TARGET),
        ("GET with one read", "with", "by hand", "committed by hand", None),
        ("POST with one read", "in a transaction", "without", "no middleware", None),
        ("POST with one read", "in a transaction", "by hand", "committed by hand", None),
    ]
    rows = []
    for name, ours, peer, peer_name, target in pairs:
        # In pairs, because the work that a commit leaves to the server would slow down the next
        # call.
        pair = {each: contestants[each] for each in (peer, ours)}
        taken = measured(pair, ROUNDS * repeats)
        rows.append(compared(name, taken, ours, peer, peer_name, target))
    return rows


def _asking(answer: site.Answer, address: str, method: str) -> Callable[[], object]:
    return lambda: answer(site.request(address, method))


# Blocks:


def _raw(client: site.SyncClient, repeats: int) -> list[Row]:
    from djongo_services.transaction import atomic

    peer, ours = client[site.DATABASE].raw, site.database().raw

    def by_hand() -> None:
        key = ObjectId()
        with client.start_session() as session, session.start_transaction():
            peer.insert_one({"_id": key, "n": 0}, session=session)
            peer.update_one({"_id": key}, {"$set": {"n": 1}}, session=session)

    def in_atomic() -> None:
        key = ObjectId()
        with atomic("own"):
            ours.insert_one({"_id": key, "n": 0})
            ours.update_one({"_id": key}, {"$set": {"n": 1}})

    taken = measured({"by hand": by_hand, "atomic": in_atomic}, ROUNDS * repeats)
    return [compared("insert + update, PyMongo", taken, "atomic", "by hand", "by hand", TARGET)]


def _orm(repeats: int) -> list[Row]:
    from django.db import connections as databases

    from djongo_services.transaction import atomic

    wrapper: Any = databases["plain"]
    wrapper.ensure_connection()
    client: site.SyncClient = wrapper.connection
    loans = site.model().objects

    def work(alias: str) -> None:
        loan = loans.using(alias).create(title="a book", state="asked for")
        loans.using(alias).filter(pk=loan.pk).update(state="lent")

    def by_hand() -> None:
        with client.start_session() as session, session.bind(), session.start_transaction():
            work("plain")

    def in_atomic() -> None:
        with atomic():
            work("default")

    taken = measured({"by hand": by_hand, "atomic": in_atomic}, ROUNDS * repeats)
    return [compared("insert + update, ORM", taken, "atomic", "by hand", "by hand, bound", TARGET)]


# Load:


def _threads(client: site.SyncClient, repeats: int) -> list[Row]:
    def serve(answer: site.Answer, address: str) -> Callable[[range], list[int]]:
        def one(number: int) -> int:
            return answer(site.request(f"/{address}/{number}/", "POST")).status_code

        return lambda numbers: list(pool.map(one, numbers))

    books = _Books(client)
    with ThreadPoolExecutor(THREADS) as pool:
        contestants = {
            "with": serve(site.handler(middleware=True), "lend"),
            "without": serve(site.handler(middleware=False), "lend"),
            "by hand": serve(site.handler(middleware=False), "lend-by-hand"),
        }
        contestants["without"](books.next_numbers())  # the connections are open for all
        for _ in range(repeats):
            for name, contestant in contestants.items():
                numbers = books.next_numbers()
                began = time.perf_counter()
                statuses = contestant(numbers)
                books.enter(name, numbers, statuses, time.perf_counter() - began)
    return books.rows(f"on {THREADS} threads")


async def _tasks(client: site.SyncClient, repeats: int) -> list[Row]:
    def serve(
        answer: site.AsyncAnswer, address: str
    ) -> Callable[[range], Coroutine[Any, Any, list[int]]]:
        async def one(number: int) -> int:
            async with places:
                return (await answer(site.request(f"/{address}/{number}/", "POST"))).status_code

        async def everyone(numbers: range) -> list[int]:
            return await asyncio.gather(*map(one, numbers))

        return everyone

    from djongo_services.connections import connections

    books, places = _Books(client), asyncio.Semaphore(TASKS)
    contestants = {
        "with": serve(site.async_handler(middleware=True), "alend"),
        "without": serve(site.async_handler(middleware=False), "alend"),
        "by hand": serve(site.async_handler(middleware=False), "alend-by-hand"),
    }
    await contestants["without"](books.next_numbers())
    for _ in range(repeats):
        for name, contestant in contestants.items():
            numbers = books.next_numbers()
            began = time.perf_counter()
            statuses = await contestant(numbers)
            books.enter(name, numbers, statuses, time.perf_counter() - began)
    await connections["own"].aclose()
    return books.rows(f"under ASGI, {TASKS} at once")


class _Books:
    """The responses to the requests, and what the database contains of them."""

    def __init__(self, client: site.SyncClient) -> None:
        self._database = client[site.DATABASE]
        for name in ("loans_made", "members"):
            self._database[name].delete_many({})
        self._first = itertools.count(1, REQUESTS)
        self._seconds: Rounds = {}
        self._wrong = Counter[str]()

    def next_numbers(self) -> range:
        first = next(self._first)
        return range(first, first + REQUESTS)

    def enter(self, name: str, numbers: range, statuses: list[int], seconds: float) -> None:
        self._seconds.setdefault(name, []).append(seconds / REQUESTS)
        inside = {"$gte": numbers.start, "$lt": numbers.stop}
        loans = Counter(
            each["number"] for each in self._database.loans_made.find({"number": inside})
        )
        members = {
            each["_id"]: each["loans"] for each in self._database.members.find({"_id": inside})
        }
        for number, status in zip(numbers, statuses, strict=True):
            told = (1, 1) if status == 200 else (0, 0)
            self._wrong[name] += (loans[number], members.get(number, 0)) != told

    def rows(self, where: str) -> list[Row]:
        name = f"{REQUESTS:,} requests {where}"
        rates = {
            contestant: statistics.median(1 / each for each in taken)
            for contestant, taken in self._seconds.items()
        }
        return [
            *(
                {
                    "name": f"{name}, two writes each",
                    "ours": rates["with"],
                    "peer_name": peer_name,
                    "peer": rates[peer],
                    "unit": "requests/s",
                    "ratio": rates["with"] / rates[peer],
                    "target": None,
                    "reached": None,
                }
                for peer, peer_name in (("without", "no middleware"), ("by hand", "by hand"))
            ),
            {
                "name": f"{name}, answers that the data contradicts",
                "ours": self._wrong["with"],
                "peer_name": "no middleware",
                "peer": self._wrong["without"],
                "unit": f"of {REQUESTS * len(self._seconds['with']):,}",
                "ratio": None,
                "target": "0",
                "reached": self._wrong["with"] == 0,
            },
        ]


# Measuring:


def measured(contestants: Contestants, rounds: int, calls: int = 1) -> Rounds:
    taken: Rounds = {name: [] for name in contestants}
    names = list(contestants)
    gc.collect()
    for number in range(rounds + WARM):
        for name in names:
            call = contestants[name]
            began = time.perf_counter()
            for _ in range(calls):
                call()
            taken[name].append((time.perf_counter() - began) / calls)
        names.reverse()
        if number == WARM - 1:
            taken = {name: [] for name in contestants}  # caches are warm now
    return taken


async def _ameasured(
    contestants: Mapping[str, Callable[[], Coroutine[Any, Any, object]]], rounds: int, calls: int
) -> Rounds:
    taken: Rounds = {name: [] for name in contestants}
    names = list(contestants)
    for _ in range(rounds):
        for name in names:
            call = contestants[name]
            began = time.perf_counter()
            for _ in range(calls):
                await call()
            taken[name].append((time.perf_counter() - began) / calls)
        names.reverse()
    return taken


def _added(name: str, taken: Rounds) -> Row:
    pairs = zip(taken["with"], taken["without"], strict=True)
    added = statistics.median(ours - peer for ours, peer in pairs) * 1e6
    return {
        "name": f"{name}, what the middleware adds",
        "ours": added,
        "peer_name": "allowed",
        "peer": EMPTY_TARGET,
        "unit": "µs",
        "ratio": added / EMPTY_TARGET,
        "target": "at most 1",
        "reached": added <= EMPTY_TARGET,
    }


def compared(
    name: str, taken: Rounds, ours: str, peer: str, peer_name: str, target: float | None = None
) -> Row:
    medians = {each: statistics.median(taken[each]) * 1e6 for each in (ours, peer)}
    ratio = medians[ours] / medians[peer]
    return {
        "name": name,
        "ours": medians[ours],
        "peer_name": peer_name,
        "peer": medians[peer],
        "unit": "µs",
        "ratio": ratio,
        "target": None if target is None else f"at most {target:g}",
        "reached": None if target is None else ratio <= target,
    }
