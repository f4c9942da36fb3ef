"""The asyncio side: reading natively, writing in Django's thread for blocking code."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.base import ContentFile
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import CorruptFile, FileChanged, GridFSStorage, NoFile
from djongo_services.storage.bucket import AsyncBucket
from tests.storage.bucket.conftest import Commands
from tests.storage.conftest import connect, nothing_left
from tests.transaction.conftest import entry

CONTENT = bytes(range(256)) * 5_000


@pytest.fixture
async def astorage(settings: Any, database: Database[Any]) -> AsyncIterator[GridFSStorage]:
    connect(settings, database)
    yield GridFSStorage(location="media")
    await connections["default"].aclose()
    await sync_to_async(connections.close_all)()


async def test_the_contract(astorage: GridFSStorage) -> None:
    name = await astorage.asave("f/a.txt", ContentFile(b"content"))
    assert name == "f/a.txt"
    other = await astorage.asave("f/a.txt", ContentFile(b"other"), max_length=20)
    assert other != name
    assert await astorage.aexists(name)
    assert await astorage.aexists("f")
    assert await astorage.aexists("")
    assert not await astorage.aexists("g")
    assert await astorage.asize(name) == 7
    assert await astorage.alistdir("f") == ([], sorted(["a.txt", other.rpartition("/")[2]]))
    stored = await astorage.astored(name)
    assert await astorage.aget_modified_time(name) == stored.upload_date
    assert await astorage.aget_created_time(name) == stored.upload_date
    assert await astorage.aget_accessed_time(name) == stored.upload_date
    async with await astorage.aopen(name) as file:
        assert (file.name, file.size, file.closed) == (name, 7, False)
        assert await file.read() == b"content"
    assert file.closed
    with pytest.raises(ValueError, match=r"The file 'f/a.txt' is closed"):
        await file.read()
    await astorage.adelete(name)
    await astorage.adelete(name)
    for method in (astorage.aopen, astorage.asize, astorage.astored, astorage.aget_modified_time):
        with pytest.raises(NoFile, match=r"There is no file 'f/a.txt' in the storage"):
            await method(name)


async def test_reading(astorage: GridFSStorage) -> None:
    await astorage.asave("a", ContentFile(CONTENT))
    async with await astorage.aopen("a") as file:
        assert await file.read(10) == CONTENT[:10]
        assert file.tell() == 10
        assert file.seek(-6, io.SEEK_END) == len(CONTENT) - 6
        assert await file.read(100) == CONTENT[-6:]
        assert await file.read() == await file.read(5) == b""
        assert file.seek(5) == 5
        assert file.seek(5, io.SEEK_CUR) == 10
        assert await file.read(0) == b""
        with pytest.raises(OSError, match="no position -1"):
            file.seek(-1)
        with pytest.raises(ValueError, match="whence is 0, 1 or 2"):
            file.seek(0, 5)
        assert b"".join([piece async for piece in file]) == CONTENT
        pieces = [piece async for piece in file.chunks(1_000_000)]
        assert [len(piece) for piece in pieces] == [1_000_000, 280_000]


async def test_reading_is_native(settings: Any, database: Database[Any]) -> None:
    """Queries are sent through the loop's own client."""
    commands = Commands()
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": entry(database, event_listeners=[commands])}
    }
    storage = GridFSStorage()
    client = connections["default"].async_client
    await AsyncBucket(client[database.name]).upload("a.txt", b"content")
    commands.sent.clear()
    async with await storage.aopen("a.txt") as file:
        assert await file.read() == b"content"
    assert commands.names == ["find", "find"]
    assert storage._bucket is None
    await connections["default"].aclose()
    connections.close_all()


async def test_damage(astorage: GridFSStorage, database: Database[Any]) -> None:
    await astorage.asave("a", ContentFile(CONTENT))
    database.fs.chunks.update_one({"n": 0}, {"$set": {"data": bytes(255 * 1024)}})
    async with await astorage.aopen("a") as file:
        assert await file.read(5) == bytes(5)
        with pytest.raises(CorruptFile, match="do not have the checksum"):
            await file.read()
    async with await astorage.aopen("a") as file:
        with pytest.raises(CorruptFile, match="do not have the checksum"):
            [piece async for piece in file]
    await astorage.adelete("a")
    with pytest.raises(FileChanged):
        await file._range(0, 5)


def test_one_storage_in_several_event_loops(settings: Any, database: Database[Any]) -> None:
    """Each has its own client, even though PyMongo treats clients of one server as equal."""
    connect(settings, database)
    storage = GridFSStorage()
    storage.save("a.txt", ContentFile(b"content"))

    async def read() -> bytes:
        try:
            async with await storage.aopen("a.txt") as file:
                return await file.read()
        finally:
            await connections["default"].aclose()

    loops = [asyncio.new_event_loop() for _ in range(3)]
    for _ in range(2):
        for loop in loops:
            assert loop.run_until_complete(read()) == b"content"
    for loop in loops:
        loop.close()
    assert [asyncio.run(read()) for _ in range(3)] == [b"content"] * 3
    connections.close_all()


@contextmanager
def slow_insert(database: Database[Any], collection: str) -> Iterator[Callable[[], object]]:
    """The next insert takes a while; what this gives waits until the server has it."""
    admin = database.client.admin
    data = {
        "failCommands": ["insert"],
        "namespace": f"{database.name}.{collection}",
        "blockConnection": True,
        "blockTimeMS": 300,
    }
    point: dict[str, Any] = {"configureFailPoint": "failCommand", "mode": {"times": 1}}
    before = admin.command({**point, "data": data})["count"]
    wait = {"waitForFailPoint": "failCommand", "timesEntered": before + 1, "maxTimeMS": 60_000}
    yield lambda: admin.command(wait)
    admin.command({**point, "mode": "off"})


def wait_for_inserts(database: Database[Any], collection: str) -> None:
    """Wait until the server runs no insert."""
    command = {"command.insert": collection}
    pipeline: list[dict[str, Any]] = [
        {"$currentOp": {}},
        {"$match": {"ns": f"{database.name}.{collection}", **command}},
    ]
    while list(database.client.admin.aggregate(pipeline)):
        continue


class TestUploads:
    """Uploads into the asyncio bucket, whose tasks may be cancelled."""

    @pytest.fixture
    async def bucket(self, settings: Any, database: Database[Any]) -> AsyncIterator[AsyncBucket]:
        connect(settings, database)
        yield AsyncBucket(connections["default"].async_database)
        await connections["default"].aclose()
        await sync_to_async(connections.close_all)()

    async def test_a_task_that_is_cancelled(
        self, bucket: AsyncBucket, database: Database[Any]
    ) -> None:
        written = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield bytes(1_000_000)
            written.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(bucket.upload("a", endless()))
        await written.wait()
        assert database.fs.chunks.count_documents({}) > 0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert nothing_left(database)

    @pytest.mark.parametrize(
        "upload",
        [
            lambda bucket: bucket.upload("a", b"content"),
            lambda bucket: bucket.upload_many([("a", b"content")]),
        ],
        ids=["upload", "upload_many"],
    )
    async def test_a_task_that_is_cancelled_in_an_insert(
        self,
        bucket: AsyncBucket,
        database: Database[Any],
        upload: Callable[[AsyncBucket], Coroutine[Any, Any, object]],
    ) -> None:
        """The server still makes it, and only then is it removed."""
        await bucket.upload("first", b"content")
        for collection in ("fs.chunks", "fs.files"):
            with slow_insert(database, collection) as entered:
                task = asyncio.create_task(upload(bucket))
                await asyncio.to_thread(entered)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await asyncio.to_thread(wait_for_inserts, database, collection)
            assert [stored.filename async for stored in bucket.find()] == ["first"]
            assert database.fs.chunks.count_documents({}) == 1

    async def test_several_at_once(self, bucket: AsyncBucket, database: Database[Any]) -> None:
        contents = {f"{number}": bytes([number]) * 100_000 for number in range(20)}
        await asyncio.gather(*(bucket.upload(name, data) for name, data in contents.items()))

        async def read(name: str) -> bytes:
            return await bucket.read_bytes(await bucket.get_by_name(name))

        found = await asyncio.gather(*map(read, contents))
        assert dict(zip(contents, found, strict=True)) == contents
