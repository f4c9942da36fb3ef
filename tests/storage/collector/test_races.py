"""Changes by other processes while the collector works: no file in use is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pymongo
import pytest
from pymongo.monitoring import CommandListener

from djongo_services.storage.collector import Kind, References
from djongo_services.storage.collector.references.lookups import ProviderSource
from tests.storage.collector.by_hand import (
    OLD,
    contents,
    counts,
    filenames,
    in_use,
    make_bucket,
    moment,
    object_id,
    put,
    put_chunks,
    run,
)


@pytest.fixture
def fs(database):
    make_bucket(database)
    return database


class Hook(CommandListener):
    """Does something once, right before a command of a kind on a collection is sent."""

    def __init__(self, command: str, collection: str, action: Callable[[], object]) -> None:
        self.wanted = (command, collection)
        self.action: Callable[[], object] | None = action

    def started(self, event: Any) -> None:
        target = event.command.get(event.command_name)
        if (event.command_name, target) == self.wanted and self.action is not None:
            action, self.action = self.action, None
            action()

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


@pytest.fixture
def before(fs, mongodb_server):
    """``before("insert", "fs.trash", action)``: the database as seen by a client with the hook."""
    clients = []

    def hooked(command: str, collection: str, action: Callable[[], object]) -> Any:
        hook = Hook(command, collection, action)
        client: Any = pymongo.MongoClient(mongodb_server.uri, event_listeners=[hook])
        clients.append((client, hook))
        return client[fs.name]

    yield hooked
    for client, _ in clients:
        client.close()
    assert all(hook.action is None for _, hook in clients), "the hook was never reached"


def referring_from(call: int, name: str) -> References:
    """A project that begins to refer to the name right before it is asked for the nth time."""
    calls = []

    def provider(asked: Any) -> set[str]:
        calls.append(asked)
        return {name} if len(calls) >= call else set()

    return References(
        sources=(ProviderSource(path="tests.late", provider=provider),), answers_for_all=True
    )


class TestAReferenceAppears:
    @pytest.mark.parametrize("call", [1, 2, 3, 4])
    @pytest.mark.parametrize("keep", [True, False])
    def test_at_any_time_of_the_run(self, fs, call, keep):
        """Asked by the pass, before the removal, after it, and at the end of the run."""
        put(fs, "a")
        before = contents(fs, ["fs.files", "fs.chunks"])
        report = run(fs, referring_from(call, "a"), keep_in_trash=keep)
        if call == 4 and not keep:  # It is gone: only the trash could have helped.
            assert filenames(fs) == []
            return
        assert contents(fs, ["fs.files", "fs.chunks"]) == before
        assert fs["fs.trash"].count_documents({}) == 0
        assert report.count + report.restored == (2 if call == 4 else 0)

    def test_to_a_broken_file(self, fs):
        put(fs, "a")
        fs["fs.chunks"].delete_one({"n": 1})
        assert counts(run(fs, referring_from(2, "a"))) == {}
        assert filenames(fs) == ["a"]


class TestAFileChanges:
    @pytest.mark.parametrize(
        ("command", "collection"), [("find", "fs.files"), ("insert", "fs.trash")]
    )
    def test_it_gets_another_name(self, fs, before, command, collection):
        """As when another file of the same content is saved, and shares it."""
        put(fs, "a")
        alias = {"$push": {"metadata.aliases": {"name": "b", "addedAt": moment(OLD)}}}
        hooked = before(command, collection, lambda: fs["fs.files"].update_one({}, alias))
        assert counts(run(hooked, in_use("b"))) == {}
        assert (filenames(fs), fs["fs.trash"].count_documents({})) == (["a"], 0)

    def test_it_is_deleted(self, fs, before):
        put(fs, "a")
        hooked = before("insert", "fs.trash", lambda: fs["fs.files"].delete_one({}))
        assert counts(run(hooked)) == {Kind.UNREFERENCED: 1}
        assert filenames(fs) == []

    def test_another_run_moves_it_to_the_trash(self, fs, before):
        id = put(fs, "a")
        document = fs["fs.files"].find_one()

        def move() -> None:
            entry = {"_id": id, "file": document, "kind": "deleted", "trashedAt": moment(OLD)}
            fs["fs.trash"].insert_one(entry)
            fs["fs.files"].delete_one({"_id": id})

        assert counts(run(before("insert", "fs.trash", move))) == {Kind.UNREFERENCED: 1}
        (entry,) = fs["fs.trash"].find()
        assert (entry["file"], filenames(fs)) == (document, [])

    def test_a_newer_revision_is_deleted(self, fs, before):
        """The older one is the current one again."""
        old = put(fs, "a", age=2 * OLD)
        new = put(fs, "a")
        hooked = before("insert", "fs.trash", lambda: fs["fs.files"].delete_one({"_id": new}))
        run(hooked, in_use("a"), only=[Kind.SUPERSEDED])
        assert [each["_id"] for each in fs["fs.files"].find()] == [old]
        assert fs["fs.trash"].count_documents({}) == 0

    def test_a_new_file_of_the_name_is_saved(self, fs, before):
        put(fs, "a")
        hooked = before("insert", "fs.trash", lambda: put(fs, "a", b"new"))
        report = run(hooked, referring_from(3, "a"))
        assert counts(report) == {Kind.UNREFERENCED: 1}
        assert fs["fs.files"].find_one()["length"] == 3


class TestAnUploadEnds:
    @pytest.mark.parametrize(
        ("command", "collection"), [("aggregate", "fs.chunks"), ("insert", "fs.trash")]
    )
    def test_its_chunks_looked_like_orphans(self, fs, before, command, collection):
        id = object_id()
        put_chunks(fs, id)
        document = {"_id": id, "filename": "a", "length": 10, "chunkSize": 4}
        hooked = before(command, collection, lambda: fs["fs.files"].insert_one(document))
        assert counts(run(hooked, in_use("a"), only=[Kind.ORPHAN_CHUNKS])) == {}
        assert fs["fs.trash"].count_documents({}) == 0
        assert run(fs, in_use("a")).is_clean

    def test_it_goes_on(self, fs, before):
        id = object_id()
        put_chunks(fs, id)
        chunk = {"_id": object_id(OLD / 100), "files_id": id, "n": 3, "data": b"0"}
        hooked = before("find", "fs.uploads", lambda: fs["fs.chunks"].insert_one(chunk))
        assert counts(run(hooked, only=[Kind.ORPHAN_CHUNKS])) == {}

    def test_a_stale_one_is_touched(self, fs, before):
        entry = {"_id": 1, "filename": "a", "touchedAt": moment(OLD)}
        fs["fs.uploads"].insert_one(entry)
        put_chunks(fs, 1)
        touch = {"$set": {"touchedAt": moment(OLD / 100)}}
        hooked = before("insert", "fs.trash", lambda: fs["fs.uploads"].update_one({}, touch))
        assert counts(run(hooked)) == {}
        assert fs["fs.uploads"].count_documents({}) == 1
        assert fs["fs.trash"].count_documents({}) == 0


def test_a_file_is_deleted_while_it_is_looked_at(fs, before):
    """Its files document goes first, so that it looks like orphan chunks, then they go as well."""
    id = put(fs, "a")

    def delete() -> None:
        fs["fs.files"].delete_one({"_id": id})
        fs["fs.chunks"].delete_many({"files_id": id})

    hooked = before("aggregate", "fs.chunks", delete)
    assert counts(run(hooked)) == {}
