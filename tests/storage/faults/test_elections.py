"""The primary dies or steps down in the middle of an upload or a download.

Either it succeeds or it raises, and afterwards every file that there is can be read as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import pytest
from django.core.files.base import ContentFile
from pymongo.errors import PyMongoError
from pymongo.write_concern import WriteConcern

from djongo_services.connections import connections
from djongo_services.embedded import MongoServer
from djongo_services.storage import GridFSStorage, UploadInterrupted
from djongo_services.storage.bucket import AsyncBucket, Bucket
from djongo_services.transaction import atomic, run_in_transaction
from tests.members import primary_of
from tests.storage.faults.conftest import Mongo, apart, fail_point, orphans, sound, step_down
from tests.transaction.conftest import failing

BATCH = 2 * 1024 * 1024


@contextmanager
def dying_primary(server: MongoServer) -> Iterator[Callable[[], None]]:
    """Returns a function that kills the primary; afterwards the member is started again."""
    killed: list[Any] = []

    def kill() -> None:
        killed.append(primary_of(server))
        killed[-1].kill()

    yield lambda: apart(kill)
    for member in killed:
        member.restart()
    server.wait_until_ready()


@contextmanager
def restless_primary(server: MongoServer) -> Iterator[Callable[[], None]]:
    """Returns a function that makes another member the primary."""
    yield lambda: apart(lambda: step_down(server))
    server.wait_until_ready()


def source(batches: int, disturb: Callable[[], None], after: int) -> Iterator[bytes]:
    for number in range(batches):
        if number == after:
            disturb()
        yield bytes([number]) * BATCH


each_fault = pytest.mark.parametrize("fault", [dying_primary, restless_primary])


@each_fault
def test_an_upload(replica_set: MongoServer, mongo: Mongo, outside: Mongo, fault: Any) -> None:
    """The driver repeats what the election interrupted, and nothing is missing."""
    storage = GridFSStorage()
    storage.save("first", ContentFile(b"content"))
    expected = {"first": 7}
    for name, after in [("early", 0), ("middle", 2), ("late", 3)]:
        with fault(replica_set) as disturb:
            try:
                storage.save(name, source(4, disturb, after))
            except (PyMongoError, UploadInterrupted):
                continue
            expected[name] = 4 * BATCH
    assert len(expected) > 1
    assert sound(outside) == expected
    assert orphans(outside) == 0


@each_fault
def test_between_the_chunks_and_the_files_document(
    replica_set: MongoServer, mongo: Mongo, outside: Mongo, fault: Any
) -> None:
    bucket = Bucket(mongo)
    bucket.upload("first", b"content")
    stream = bucket.open_upload("a")
    stream.write(bytes(2 * BATCH))
    document = stream.seal()
    with fault(replica_set) as disturb:
        disturb()
        try:
            stream.publish(document)
        except (PyMongoError, UploadInterrupted):
            assert sound(outside) == {"first": 7}
        else:
            assert sound(outside) == {"first": 7, "a": 2 * BATCH}
    assert orphans(outside) == 0


def test_chunks_that_the_new_primary_never_had(
    replica_set: MongoServer, mongo: Mongo, outside: Mongo
) -> None:
    """They had been acknowledged by the old one alone; a file with a hole is not stored."""
    bucket = Bucket(mongo)
    bucket.upload("first", b"content")
    with bucket.open_upload("holed") as stream:
        primary = primary_of(replica_set)
        others = [each for each in replica_set.members if each is not primary]
        with ExitStack() as stack:
            points = [
                stack.enter_context(fail_point(each.address, "stopReplProducer")) for each in others
            ]
            # They stop when the answer to what they asked last is there.
            mongo.other.with_options(write_concern=WriteConcern(w=1)).insert_one({})
            for is_met in points:
                is_met()
            stream.write(bytes(BATCH + 1))
            primary.kill()
        try:
            with pytest.raises(UploadInterrupted, match="The primary changed while 'holed' was"):
                stream.close()
        finally:
            primary.restart()
            replica_set.wait_until_ready()
    assert sound(outside) == {"first": 7}
    assert orphans(outside) == 0


@each_fault
def test_a_transaction(replica_set: MongoServer, mongo: Mongo, outside: Mongo, fault: Any) -> None:
    """Row and file appear together or not at all."""
    storage = GridFSStorage()
    storage.save("first", ContentFile(b"content"))
    mongo.rows.insert_one({"file": "first"})
    for name, after in [("middle", 1), ("end", 2)]:
        with fault(replica_set) as disturb:
            try:
                with atomic():
                    mongo.rows.insert_one({"file": name})
                    storage.save(name, source(2, disturb, after))
                    if after == 2:
                        disturb()
            except PyMongoError:
                continue
    assert set(sound(outside)) == {row["file"] for row in outside.rows.find()}
    assert orphans(outside) == 0


@pytest.mark.parametrize("together", [True, False], ids=["in a transaction", "outside of one"])
def test_the_connection_is_lost_when_chunks_are_deleted(
    replica_set: MongoServer, mongo: Mongo, outside: Mongo, together: bool
) -> None:
    """The file is gone by then, and its chunks do not wait for the collector."""
    storage = GridFSStorage()
    storage.save("a", ContentFile(b"content"))
    chunks = f"{outside.name}.fs.chunks"
    lost = failing(outside.client, "delete", times=1, closeConnection=True, namespace=chunks)
    with lost as wait_until_met:
        with atomic() if together else nullcontext():
            storage.delete("a")
        wait_until_met()
    assert sound(outside) == {}
    assert orphans(outside) == 0


def test_a_transaction_that_is_repeated(
    replica_set: MongoServer, mongo: Mongo, outside: Mongo
) -> None:
    storage = GridFSStorage(allow_overwrite=True)
    storage.save("a", ContentFile(b"old"))
    attempts: list[int] = []

    def disturb_once() -> None:
        if len(attempts) == 1:
            apart(lambda: step_down(replica_set))

    def work() -> None:
        attempts.append(1)
        mongo.rows.insert_one({"file": "a"})
        storage.save("a", source(3, disturb_once, 1))

    run_in_transaction(work)
    replica_set.wait_until_ready()
    assert len(attempts) > 1
    assert sound(outside) == {"a": 3 * BATCH}
    assert outside.rows.count_documents({}) == 1
    assert orphans(outside) == 0


@each_fault
def test_a_download(replica_set: MongoServer, mongo: Mongo, outside: Mongo, fault: Any) -> None:
    """It continues where it was."""
    bucket = Bucket(mongo)
    stored = bucket.upload("a", source(6, lambda: None, 0))
    with fault(replica_set) as disturb:
        reading = bucket.read(stored)
        found = [next(reading)]
        disturb()
        found += reading
    assert b"".join(found) == b"".join(source(6, lambda: None, 0))
    with fault(replica_set) as disturb, GridFSStorage().open("a") as file:
        begin = file.read(BATCH)
        disturb()
        assert begin + file.read() == b"".join(found)


async def test_a_download_with_asyncio(
    replica_set: MongoServer, mongo: Mongo, outside: Mongo
) -> None:
    import asyncio

    bucket = AsyncBucket(connections["default"].async_database)
    stored = await bucket.upload("a", source(6, lambda: None, 0))
    found: list[bytes] = []
    async for piece in bucket.read(stored):
        if not found:
            await asyncio.to_thread(step_down, replica_set)
        found.append(piece)
    assert b"".join(found) == b"".join(source(6, lambda: None, 0))
    await connections["default"].aclose()
    await asyncio.to_thread(replica_set.wait_until_ready)
