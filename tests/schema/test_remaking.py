"""A collection without documents is recreated while others write to it, and nothing is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.monitoring import CommandListener

from djongo_services.schema.applying import Locked, OperationRefused, apply
from djongo_services.schema.applying.remaking import ATTEMPTS
from djongo_services.schema.remaking import aside_name, fresh_name
from djongo_services.schema.rendering import load, render_json
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.syncing import make_plan
from tests.embedded.program import until
from tests.schema.killed_run import run_killed
from tests.schema.remade import SPEC

pytestmark = pytest.mark.versions


WRITTEN = ATTEMPTS // 3
"""Twice each, and each of these may cost an attempt."""
WANTED = {"capped": True, "size": 1 << 26}


def remake(database: Database[Any], spec: CollectionSpec = SPEC) -> None:
    apply(database, make_plan(database, [spec]))


def is_right(database: Database[Any], spec: CollectionSpec = SPEC) -> bool:
    """Whether nothing is left to do, and nothing is left over."""
    left = [name for name in database.list_collection_names() if "_log" in name]
    return not left and make_plan(database, [spec]).in_sync


def finish(database: Database[Any]) -> None:
    """The next run, as soon as the lease of the one before has run out."""

    def finished() -> bool:
        try:
            remake(database)
        except Locked:
            return False
        return True

    assert until(finished, 20)


class Meddler(CommandListener):
    """Does something right after the Nth command on a collection or namespace, or after each."""

    def __init__(self, command: str, on: str, number: int | None, work: Callable[[], Any]) -> None:
        self.command, self.on, self.number, self.work = command, on, number, work
        self.seen: set[int] = set()
        self.done = 0

    def started(self, event: Any) -> None:
        if event.command.get(self.command) == self.on:
            self.seen.add(event.request_id)

    def succeeded(self, event: Any) -> None:
        if event.request_id in self.seen:
            self.done += 1
            if self.number in (None, self.done):
                self.work()

    def failed(self, event: Any) -> None:
        pass


@contextmanager
def meddled(
    database: Database[Any], command: str, on: str, number: int | None, work: Callable[[], Any]
) -> Iterator[Database[Any]]:
    """The same database, where another client does something after one of its commands."""
    listener = Meddler(command, on, number, work)
    address = database.client.address
    assert address is not None
    with MongoClient[Any](*address, event_listeners=[listener]) as client:
        yield client[database.name]


def set_aside(database: Database[Any], work: Callable[[], Any]) -> Any:
    """The same, where another client acts while the collection is missing for a moment."""
    return meddled(database, "renameCollection", f"{database.name}.log", 1, work)


class TestAnotherClientWrites:
    def test_into_the_old_one_at_the_last_moment(self, matrix_database):
        """After the collection was found empty, before it is renamed: the new one gets the
        document."""
        matrix_database.create_collection("log")
        plan = make_plan(matrix_database, [SPEC])
        document = {"_id": 1, "at": 5, "nested": {"b": 1, "a": 2}}
        # It is looked at before the new one is made, and again before it is renamed.
        with meddled(
            matrix_database, "find", "log", 2, lambda: matrix_database.log.insert_one(document)
        ) as own:
            apply(own, plan)
        assert list(matrix_database.log.find()) == [document]
        assert matrix_database.log.options() == WANTED
        assert is_right(matrix_database)

    def test_where_there_is_none(self, matrix_database):
        """The server makes a collection for the document; it is set aside, too."""
        matrix_database.create_collection("log")
        plan = make_plan(matrix_database, [SPEC])
        with set_aside(matrix_database, lambda: matrix_database.log.insert_one({"_id": 1})) as own:
            apply(own, plan)
        assert list(matrix_database.log.find()) == [{"_id": 1}]
        assert matrix_database.log.options() == WANTED
        assert is_right(matrix_database)

    def test_for_a_while(self, matrix_database):
        """Every acknowledged document exists exactly once."""
        matrix_database.create_collection("log")
        plan = make_plan(matrix_database, [SPEC])
        with writing(matrix_database) as (acknowledged, begin):
            with set_aside(matrix_database, begin) as own:
                apply(own, plan)
        assert len(acknowledged) == WRITTEN
        assert sorted(found["_id"] for found in matrix_database.log.find()) == acknowledged
        assert matrix_database.log.options() == WANTED
        assert is_right(matrix_database)

    def test_all_the_time(self, matrix_database):
        """The run gives up; the next one restores the acknowledged documents."""
        matrix_database.create_collection("log")
        plan = make_plan(matrix_database, [SPEC])
        keys = count()

        def write() -> None:
            key = next(keys)
            matrix_database.log.insert_one({"_id": key, "at": key})

        namespace = f"{matrix_database.name}.log"
        with meddled(matrix_database, "renameCollection", namespace, None, write) as own:
            with pytest.raises(OperationRefused) as raised:
                apply(own, plan)
        assert str(raised.value) == (
            "log: it was written to 100 times in the moment between its old and its new "
            "collection; stop what writes to it and run again, which brings back what was written."
        )
        remake(matrix_database)
        assert [found["_id"] for found in matrix_database.log.find().sort("_id")] == [*range(100)]
        assert matrix_database.log.options() == WANTED
        assert is_right(matrix_database)

    def test_a_document_that_the_new_one_refuses_is_kept_and_told(self, matrix_database):
        spec = CollectionSpec(**{**_fields(SPEC), "validator": {"at": {"$exists": True}}})
        matrix_database.create_collection("log")
        plan = make_plan(matrix_database, [spec])
        two = [{"_id": 1}, {"_id": 2, "at": 2}]
        with set_aside(matrix_database, lambda: matrix_database.log.insert_many(two)) as own:
            with pytest.raises(OperationRefused) as raised:
                apply(own, plan)
        aside = aside_name("log", 2)
        assert str(raised.value) == (
            f"log: 1 document that was written during the recreation cannot be restored from the "
            f"collection {aside} (Document failed validation); insert or remove it, and run "
            f"again."
        )
        assert list(matrix_database[aside].find()) == [{"_id": 1}]
        assert list(matrix_database.log.find()) == [{"_id": 2, "at": 2}]
        matrix_database[aside].delete_one({"_id": 1})
        remake(matrix_database, spec)
        assert is_right(matrix_database, spec)


class TestAnotherClientMakesAnother:
    def test_in_between(self, matrix_database):
        """It has other options: it stays, and the documents that were set aside are moved into
        it."""
        matrix_database.create_collection("log")
        plan = make_plan(matrix_database, [SPEC])

        def make() -> None:
            matrix_database.create_collection("log", collation={"locale": "fr"})
            matrix_database.log.insert_one({"_id": 2})

        with set_aside(matrix_database, make) as own:
            with pytest.raises(OperationRefused, match="another collection was created"):
                apply(own, plan)
        assert list(matrix_database.log.find()) == [{"_id": 2}]
        changes = make_plan(matrix_database, [SPEC]).changes
        assert {change.sign for change in changes} >= {"!"}
        remake(matrix_database)
        assert list(matrix_database.log.find()) == [{"_id": 2}]
        names = matrix_database.list_collection_names()
        assert fresh_name("log") not in names
        assert aside_name("log") not in names

    def test_before_a_collection_is_created(self, matrix_database):
        """It has other options than the plan required."""
        plan = make_plan(matrix_database, [SPEC])

        def told(_: Any) -> None:
            if "log" not in matrix_database.list_collection_names():
                matrix_database.log.insert_one({"_id": 1})

        with pytest.raises(OperationRefused) as raised:
            apply(matrix_database, plan, progress=told)
        assert str(raised.value) == (
            "log: a collection of this name with other options was created in the meantime; make "
            "a new plan."
        )
        assert list(matrix_database.log.find()) == [{"_id": 1}]

    def test_with_the_same_options(self, matrix_database):
        plan = make_plan(matrix_database, [SPEC])

        def told(_: Any) -> None:
            if "log" not in matrix_database.list_collection_names():
                matrix_database.create_collection("log", **WANTED)

        apply(matrix_database, plan, progress=told)
        assert is_right(matrix_database)


class TestKilled:
    """SIGKILL before and after every single command, while another client writes."""

    @pytest.mark.parametrize("event", ["started", "succeeded"])
    def test_the_next_run_finishes(self, database, mongodb_server, event):
        copies = [database.client[f"{database.name}_{number}"] for number in range(12)]
        try:
            for copy in copies:
                copy.create_collection("log")
            ends = run_killed(
                mongodb_server.uri, event, "tests.schema.remade", *(copy.name for copy in copies)
            )
            killed = ends.count(-signal.SIGKILL)
            assert killed >= 6
            assert ends == [-signal.SIGKILL] * killed + [1] * (len(ends) - killed)
            for number, copy in enumerate(copies):
                names = copy.list_collection_names()
                # A client writes before the next run: into the new collection, or into none.
                came = [{"_id": 1, "at": number}] if aside_name("log") in names else []
                if came:
                    copy.log.insert_many(came)
                finish(copy)
                assert list(copy.log.find()) == came, (event, number, names)
                assert copy.log.options() == WANTED, (event, number, names)
                assert is_right(copy), (event, number, names)
        finally:
            for copy in copies:
                database.client.drop_database(copy)


class TestTimeSeries:
    """Time-series collections cannot be renamed."""

    SPEC = CollectionSpec(
        name="log", models=("app.Log",), options={"timeseries": {"timeField": "at"}}
    )

    def test_takes_the_place_of_an_ordinary_one(self, database):
        database.create_collection("log")
        remake(database, self.SPEC)
        assert database.log.options()["timeseries"]["timeField"] == "at"
        assert is_right(database, self.SPEC)

    def test_is_not_made_anew(self, database):
        database.create_collection("log", timeseries={"timeField": "at"})
        (change,) = make_plan(database, [SPEC]).changes[:1]
        assert change.sign == "!"
        assert change.words.endswith(
            "or drop it while it has none; a time-series collection cannot be renamed"
        )


def test_a_saved_plan_is_the_same(database, settings):
    settings.SECRET_KEY = "plans"
    database.create_collection("log")
    plan = make_plan(database, [SPEC])
    assert load(render_json(plan)) == plan
    apply(database, load(render_json(plan)))
    assert is_right(database)


def test_the_collation_of_the_old_one_outlives_an_interruption(matrix_database):
    matrix_database.create_collection(
        aside_name("log"), capped=True, size=4096, collation={"locale": "fr"}
    )
    matrix_database.log.insert_one({"_id": 1})
    remake(matrix_database, CollectionSpec(name="log", models=("app.Log",)))
    assert matrix_database.log.options()["collation"]["locale"] == "fr"
    assert list(matrix_database.log.find()) == [{"_id": 1}]


def _fields(spec: CollectionSpec) -> dict[str, Any]:
    return {"name": spec.name, "models": spec.models, "options": spec.options}


@contextmanager
def writing(database: Database[Any]) -> Iterator[tuple[list[int], Callable[[], None]]]:
    """Gives the keys that were acknowledged, and what lets the first five be written."""
    begun, some = threading.Event(), threading.Event()
    acknowledged = list[int]()

    def write() -> None:
        log = database.get_collection("log", write_concern=WriteConcern("majority"))
        begun.wait(60)
        for key in range(WRITTEN):
            log.insert_one({"_id": key, "at": key})
            with suppress(DuplicateKeyError):
                log.insert_one({"_id": key, "at": key})
            acknowledged.append(key)
            if key == 5:
                some.set()

    def begin() -> None:
        begun.set()
        assert some.wait(60)

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        try:
            yield acknowledged, begin
        finally:
            begun.set()
        writer.result()
