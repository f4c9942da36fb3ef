"""Stopping aggregations, on every supported server."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import Any

import pytest

from djongo_services.introspection import profile
from djongo_services.introspection.profiling.interruption import (
    ProfilingInterrupted,
    aggregate,
    interruptible,
)

NUMBERS = {"$range": [0, 1_000_000]}
ENDLESS: list[dict[str, Any]] = [
    {"$project": {"n": NUMBERS}},
    {"$unwind": "$n"},
    {"$project": {"n": NUMBERS}},
    {"$unwind": "$n"},
    {"$group": {"_id": None, "n": {"$sum": 1}}},
]
"""A million times a million documents."""


def running(database: Any, name: str = "things") -> int:
    ours = [{"command.aggregate": name}, {"command.count": name}]
    pipeline = [{"$currentOp": {}}, {"$match": {"command.$db": database.name, "$or": ours}}]
    return len(list(database.client.admin.aggregate(pipeline)))


def test_a_running_aggregation_ends_on_the_server_too(matrix_database: Any) -> None:
    matrix_database.things.insert_one({})
    stop = threading.Event()

    def stop_once_it_runs() -> None:
        while not running(matrix_database):
            pass
        stop.set()

    threading.Thread(target=stop_once_it_runs, daemon=True).start()
    with pytest.raises(ProfilingInterrupted):
        aggregate(matrix_database.things, ENDLESS, stop=stop)
    deadline = time.monotonic() + 60
    while running(matrix_database):
        assert time.monotonic() < deadline


def test_a_view_that_would_be_counted_for_ever(matrix_database: Any) -> None:
    matrix_database.things.insert_one({})
    matrix_database.command("create", "endless", viewOn="things", pipeline=ENDLESS)
    stop = threading.Event()

    def stop_once_it_runs() -> None:
        while not running(matrix_database, "endless"):
            pass
        stop.set()

    threading.Thread(target=stop_once_it_runs, daemon=True).start()
    found = profile(matrix_database.endless, stop=stop)
    assert found.fields == ()
    assert found.coverage.stopped == "The profile of endless was stopped before its end."
    deadline = time.monotonic() + 60
    while running(matrix_database, "endless"):
        assert time.monotonic() < deadline


def test_stopped_before_it_began(database: Any) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ProfilingInterrupted):
        aggregate(database.things, ENDLESS, stop=stop)


def test_not_stopped(matrix_database: Any) -> None:
    matrix_database.things.insert_one({"_id": 1})
    assert aggregate(matrix_database.things, [], stop=threading.Event()) == [{"_id": 1}]
    assert aggregate(matrix_database.things, []) == [{"_id": 1}]


def test_other_errors_stay_what_they_are(database: Any) -> None:
    with pytest.raises(ZeroDivisionError), interruptible(database.things, threading.Event()):
        raise ZeroDivisionError


def test_no_thread_stays_behind(database: Any) -> None:
    aggregate(database.things, [], stop=threading.Event())
    watchers = [one for one in threading.enumerate() if one.name == "interruption"]
    for watcher in watchers:
        watcher.join(5)
    assert not any(watcher.is_alive() for watcher in watchers)


def test_nothing_is_kept_of_an_event_that_is_gone(database: Any) -> None:
    """An inspection has several, and a program makes inspections all day."""
    stop = threading.Event()
    gone = weakref.ref(stop)
    aggregate(database.things, [], stop=stop)
    for watcher in threading.enumerate():
        if watcher.name == "interruption":
            watcher.join()
    del stop
    gc.collect()
    assert gone() is None
