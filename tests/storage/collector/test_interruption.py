"""A run that ends in the middle, in any way, loses nothing and can be gone on with."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import bson
import pymongo
import pytest
from bson import Binary, ObjectId
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services.lease import COLLECTION, Locked
from djongo_services.storage.collector import (
    CollectorInterrupted,
    Kind,
    References,
    ReferencesUnreadable,
    list_runs,
    purge,
    restore,
)
from djongo_services.storage.collector.bson_order import sort_key
from djongo_services.storage.collector.collecting import lease_of
from djongo_services.storage.collector.collections import (
    BEYOND,
    EXACT,
    BucketCollections,
    IndexStream,
)
from djongo_services.storage.collector.references.lookups import ProviderSource
from tests.storage.collector.by_hand import (
    GRACE,
    contents,
    counts,
    filenames,
    in_use,
    make_bucket,
    object_id,
    put,
    put_chunks,
    run,
)


@pytest.fixture
def fs(database):
    make_bucket(database)
    return database


@pytest.fixture
def at_once(monkeypatch):
    """Everything is removed, and the place noted, after each window."""
    monkeypatch.setattr("djongo_services.storage.collector.removing.WAIT_SECONDS", 0.0)


class StopAfter:
    """A progress hook that sets the event after so many windows."""

    def __init__(self, windows: int) -> None:
        self.left = windows
        self.stop = threading.Event()

    def __call__(self, progress: Any) -> None:
        if progress.phase == "files and chunks":
            self.left -= 1
            if self.left <= 0:
                self.stop.set()


def breaking_at(call: int) -> References:
    """A project that can no longer be checked from the nth time on."""
    calls = []

    def provider(names: Any) -> tuple[str, ...]:
        calls.append(names)
        if len(calls) >= call:
            raise RuntimeError("the search engine is down")
        return ()

    return References(
        sources=(ProviderSource(path="tests.breaks", provider=provider),), answers_for_all=True
    )


class TestStopAndResume:
    def test_it_goes_on_where_it_was(self, fs, at_once):
        ids = [1, 2.5, "a", "b", {"a": 1}, Binary(b"x"), ObjectId(), True, datetime(2020, 1, 1)]
        for number, id in enumerate(ids):
            put(fs, f"{number}", id=id)
            put_chunks(fs, uuid.uuid4().hex)
        for windows in range(1, len(ids)):
            hook = StopAfter(windows=2)
            before = fs["fs.files"].count_documents({})
            try:
                run(fs, resume=windows > 1, batch_size=1, progress=hook, stop=hook.stop)
            except CollectorInterrupted:
                (latest,) = list_runs(fs, "fs")
                assert latest.status == "interrupted"
                assert latest.position is not None
                assert latest.files == len(ids) - fs["fs.files"].count_documents({})
            else:
                break
            assert fs["fs.files"].count_documents({}) <= before
        report = run(fs, resume=True, batch_size=1)
        assert counts(report) == {Kind.UNREFERENCED: len(ids), Kind.ORPHAN_CHUNKS: len(ids)}
        assert report.files == len(ids)
        (latest,) = list_runs(fs, "fs")
        assert (latest.status, latest.error, latest.files) == ("done", None, len(ids))
        assert latest.counts[Kind.UNREFERENCED] == len(ids)
        assert filenames(fs) == []

    def test_with_the_options_that_it_had(self, fs, at_once):
        for number in range(4):
            put(fs, f"{number}")
            put_chunks(fs, object_id())
        hook = StopAfter(windows=1)
        with pytest.raises(CollectorInterrupted):
            run(
                fs,
                only=[Kind.UNREFERENCED],
                keep_in_trash=False,
                batch_size=1,
                progress=hook,
                stop=hook.stop,
            )
        report = run(fs, resume=True)
        assert counts(report) == {Kind.UNREFERENCED: 4}
        assert (report.deleted, set(report.kinds)) == (True, {Kind.UNREFERENCED})

    def test_what_was_to_be_deleted_is(self, fs, at_once):
        """Although the run was interrupted between the trash and the end."""
        put(fs, "a")
        with pytest.raises(ReferencesUnreadable):
            run(fs, breaking_at(3), keep_in_trash=False)
        assert fs["fs.trash"].count_documents({}) == 1
        run(fs, resume=True)
        assert fs["fs.trash"].count_documents({}) == fs["fs.chunks"].count_documents({}) == 0

    def test_without_an_interrupted_run_a_new_one_begins(self, fs):
        first = run(fs)
        assert run(fs, resume=True).run != first.run

    def test_a_dry_run_stops_too(self, fs):
        put(fs, "a")
        stop = threading.Event()
        stop.set()
        with pytest.raises(CollectorInterrupted):
            run(fs, dry_run=True, stop=stop)
        with pytest.raises(CollectorInterrupted):
            run(fs, stop=stop, only=[Kind.STALE_UPLOADS])

    def test_a_purge_stops_too(self, fs):
        put(fs, "a")
        run(fs)
        stop = threading.Event()
        stop.set()
        with pytest.raises(CollectorInterrupted):
            purge(fs, references=in_use(), older_than=GRACE * 0, stop=stop)
        assert fs["fs.trash"].count_documents({}) == 1


@contextmanager
def dying_after(uri: str, database: Database[Any], commands: int) -> Iterator[Database[Any]]:
    """A client all of whose commands fail after so many, as if its process had died."""
    data = {
        "failCommands": ["find", "aggregate", "insert", "update", "delete", "getMore"],
        "errorCode": 1,
        "appName": f"dying {commands} {database.name}",
    }
    client: Any = pymongo.MongoClient(
        uri, appName=data["appName"], retryWrites=False, retryReads=False
    )
    admin = database.client.admin
    admin.command("configureFailPoint", "failCommand", mode={"skip": commands}, data=data)
    try:
        yield client[database.name]
    finally:
        admin.command("configureFailPoint", "failCommand", mode="off")
        client.close()


class TestDeath:
    """The client dies after any number of commands; the next run puts everything in order."""

    @pytest.mark.parametrize("keep", [True, False])
    def test_nothing_is_lost(self, fs, mongodb_server, keep):
        names = {f"{number}" for number in range(6)}
        used = {"0", "3"}
        for name in names:
            put(fs, name)
        put_chunks(fs, "orphan")
        fs["fs.uploads"].insert_one({"_id": "upload", "touchedAt": datetime(2020, 1, 1)})
        put_chunks(fs, "upload")
        died = 0
        for commands in range(200):
            with dying_after(mongodb_server.uri, fs, commands) as database:
                try:
                    run(database, in_use(*used), keep_in_trash=keep)
                except PyMongoError:
                    died += 1
                else:
                    break
            fs[COLLECTION].delete_many({})  # As when it ran out.
            trash = {
                each["file"]["filename"] for each in fs["fs.trash"].find({"file": {"$ne": None}})
            }
            assert used <= set(filenames(fs))
            if keep:
                assert trash | set(filenames(fs)) == names
                assert fs["fs.chunks"].count_documents({}) == 3 * 8
        assert died > 20
        assert filenames(fs) == sorted(used)
        report = run(fs, in_use(*used), keep_in_trash=keep)
        assert report.is_clean
        if keep:
            assert fs["fs.trash"].count_documents({}) == 6
        else:  # What a run had only moved to the trash when it died is there still.
            purge(fs, references=in_use(*used), older_than=GRACE * 0)
            assert fs["fs.trash"].count_documents({}) == 0
            assert fs["fs.chunks"].count_documents({}) == 6

    def test_a_run_that_failed_says_why(self, fs, mongodb_server):
        put(fs, "a")

        with pytest.raises(ReferencesUnreadable, match="RuntimeError: the search engine is down"):
            run(fs, breaking_at(2))
        (latest,) = list_runs(fs, "fs")
        assert latest.status == "failed"
        assert "the search engine is down" in (latest.error or "")
        assert latest.finished is not None
        assert filenames(fs) == ["a"]


class TestStreams:
    """A stream that lost its cursor continues where it was."""

    def stream(self, collection: Any, **options: Any) -> IndexStream:
        return IndexStream(
            collection=collection,
            keys=("files_id", "n"),
            projection={"_id": 0, "files_id": 1, "n": 1},
            batch_size=2,
            **options,
        )

    @pytest.fixture
    def chunks(self, matrix_database):
        make_bucket(matrix_database)
        for id in (1, "a", ObjectId("1" * 24), {"a": 1}, True, datetime(2020, 1, 1)):
            put_chunks(matrix_database, id)
        return matrix_database["fs.chunks"]

    def read(self, stream: IndexStream) -> list[Any]:
        found = []
        for batch in stream.batches():
            found += [(each["files_id"], each["n"]) for each in bson.decode_all(batch, EXACT)]
        return found

    def test_its_cursors_are_killed(self, chunks):
        expected = self.read(self.stream(chunks))
        assert len(expected) == 18
        found = []
        batches = self.stream(chunks).batches()
        for batch in batches:
            found += [(each["files_id"], each["n"]) for each in bson.decode_all(batch, EXACT)]
            kill_cursors(chunks)
        assert found == expected

    def test_beginning_behind_any_value(self, chunks):
        everything = self.read(self.stream(chunks))
        for at, (id, n) in enumerate(everything):
            assert self.read(self.stream(chunks, after=(id, n))) == everything[at + 1 :]
            behind = [each for each in everything[at:] if sort_key(each[0]) != sort_key(id)]
            assert self.read(self.stream(chunks, after=(id, BEYOND))) == behind

    def test_closing_it_early_leaves_no_cursor(self, database, mongodb_server):
        make_bucket(database)
        put_chunks(database, 1, b"x" * 400)
        batches = self.stream(database["fs.chunks"]).batches()
        next(batches)
        assert open_cursors(database["fs.chunks"])
        batches.close()
        assert not open_cursors(database["fs.chunks"])


def open_cursors(collection: Any) -> list[Any]:
    pipeline = [
        {"$currentOp": {"idleCursors": True, "allUsers": True}},
        {"$match": {"type": "idleCursor", "ns": collection.full_name}},
    ]
    found = collection.database.client.admin.aggregate(pipeline)
    return [each["cursor"]["cursorId"] for each in found]


def kill_cursors(collection: Any) -> None:
    if cursors := open_cursors(collection):
        collection.database.command("killCursors", collection.name, cursors=cursors)


class TestElections:
    def test_the_primary_steps_down_in_the_middle(self, replica_set):
        """At every query for names, with open streams and removals in progress."""
        with replica_set.client() as client:
            database = client[f"test_{uuid.uuid4().hex}"]
            make_bucket(database)
            for number in range(30):
                put(database, f"{number}", id=number)
                put_chunks(database, f"orphan {number}")
            asked = []

            def provider(names: Any) -> set[str]:
                asked.append(names)
                if len(asked) in (2, 9):
                    step_down(client)
                return {"7", "8"}.intersection(names)

            source = ProviderSource(path="tests.unrest", provider=provider)
            references = References(sources=(source,), answers_for_all=True)
            report = run(database, references, batch_size=2)
            assert len(asked) > 9
            assert counts(report) == {Kind.UNREFERENCED: 28, Kind.ORPHAN_CHUNKS: 30}
            assert filenames(database) == ["7", "8"]
            assert database["fs.trash"].count_documents({}) == 58
            client.drop_database(database)


def step_down(client: Any) -> None:
    """The connection may be closed before the answer."""
    with suppress(PyMongoError):
        client.admin.command("replSetStepDown", 1, force=True)


class TestTwoRuns:
    def test_the_second_hears_who_is_at_work(self, fs):
        before = contents(fs)
        with lease_of(BucketCollections.of(fs, "fs")):
            sentence = r"collecting garbage in the bucket 'fs': process \d+ on .*, since \d\d:\d\d"
            with pytest.raises(Locked, match=sentence):
                run(fs)
            with pytest.raises(Locked, match=sentence):
                purge(fs, references=in_use(), older_than=GRACE)
            with pytest.raises(Locked, match=sentence):
                restore(fs, ids=[])
            run(fs, dry_run=True)  # Changes nothing, so it disturbs no other run.
        assert contents(fs, before) == before

    def test_on_two_buckets(self, fs):
        make_bucket(fs, "other")
        with lease_of(BucketCollections.of(fs, "other")):
            run(fs)

    def test_schema_changes_are_another_matter(self, fs):
        from djongo_services.schema.applying import SchemaLease

        with SchemaLease(fs):
            run(fs)


def test_inside_a_transaction(fs):
    from django.db.transaction import TransactionManagementError

    with fs.client.start_session() as session, session.bind(), session.start_transaction():
        with pytest.raises(TransactionManagementError, match="inside of a transaction"):
            run(fs)


def test_old_runs_are_forgotten(fs, monkeypatch):
    monkeypatch.setattr("djongo_services.storage.collector.runs.KEPT", 3)
    runs = [run(fs).run for _ in range(6)]
    assert [each.id for each in list_runs(fs, "fs")] == runs[:-4:-1]
