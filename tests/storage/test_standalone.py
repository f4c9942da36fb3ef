"""On a server without transactions, the storage itself undoes what a rollback would undo."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import FileExists, GridFSStorage
from djongo_services.storage.bucket import AsyncBucket, Bucket
from djongo_services.transaction import TransactionsUnsupported, aatomic, atomic
from tests.storage.conftest import nothing_left
from tests.transaction.test_standalone import standalone  # noqa: F401  (a fixture)


class Boom(Exception):
    pass


@pytest.fixture
def mongo(standalone: str, settings: Any) -> Iterator[Database[Any]]:  # noqa: F811
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": {"HOST": standalone, "NAME": "test_standalone"}},
        "TRANSACTION": {"STANDALONE": "single-document"},
    }
    database = connections["default"].database
    for kind in ("files", "chunks"):
        database[f"fs.{kind}"].delete_many({})
    yield database
    connections.close_all()


def content(storage: GridFSStorage, name: str) -> bytes:
    with storage.open(name) as file:
        found: bytes = file.read()
        return found


def test_without_blocks(mongo: Database[Any]) -> None:
    storage = GridFSStorage()
    assert storage.save("a.txt", ContentFile(b"content")) == "a.txt"
    assert storage.save("a.txt", ContentFile(b"content")) != "a.txt"
    assert content(storage, "a.txt") == b"content"
    for name in storage.listdir("")[1]:
        storage.delete(name)
    assert nothing_left(mongo)


def test_atomic_is_refused_unless_told(mongo: Database[Any], settings: Any) -> None:
    settings.DJONGO_SERVICES = {**settings.DJONGO_SERVICES, "TRANSACTION": {}}
    with pytest.raises(TransactionsUnsupported), atomic():
        GridFSStorage().save("a.txt", ContentFile(b"content"))
    assert nothing_left(connections["default"].database)


@pytest.mark.parametrize("options", [{}, {"allow_overwrite": True}, {"deduplicate": True}], ids=str)
def test_rolled_back_by_hand(mongo: Database[Any], options: dict[str, Any]) -> None:
    storage = GridFSStorage(**options)
    storage.save("kept.txt", ContentFile(b"kept"))
    storage.save("also.txt", ContentFile(b"kept"))

    def state() -> Any:
        names = storage.listdir("")[1]
        chunks = mongo.fs.chunks.count_documents({})
        return {name: content(storage, name) for name in names}, chunks

    before = state()
    with pytest.raises(Boom), atomic():
        storage.save("new.txt", ContentFile(b"new"))
        storage.save("twin.txt", ContentFile(b"kept"))
        raise Boom
    assert state() == before
    with pytest.raises(Boom), atomic():
        storage.delete("kept.txt")
        assert not storage.exists("kept.txt")
        raise Boom
    assert state() == before
    with pytest.raises(Boom), atomic():
        storage.save("new.txt", ContentFile(b"new"))
        storage.delete("new.txt")
        storage.delete("kept.txt")
        storage.delete("also.txt")
        storage.save("kept.txt", ContentFile(b"another"))
        storage.save_many([("many.txt", b"many")])
        raise Boom
    assert state() == before
    with atomic():
        storage.save("new.txt", ContentFile(b"new"))
        storage.delete("kept.txt")
        storage.delete("also.txt")
    assert state() == ({"new.txt": b"new"}, 1)


def test_written_and_rolled_back(mongo: Database[Any]) -> None:
    storage = GridFSStorage()
    storage.save("a.txt", ContentFile(b"old"))
    with pytest.raises(Boom), atomic():
        with storage.open("a.txt", "wb") as file:
            file.write(b"new")
        raise Boom
    assert content(storage, "a.txt") == b"old"
    assert mongo.fs.chunks.count_documents({}) == 1


def test_an_id_that_exists(mongo: Database[Any]) -> None:
    bucket = Bucket(mongo)
    stored = bucket.upload("a", b"", id="mine")
    for new in (b"", b"new"):
        with pytest.raises(Boom), atomic():
            with pytest.raises(FileExists):
                bucket.upload("b", new, id="mine")
            raise Boom
    assert bucket.get("mine") == stored
    assert mongo.fs.chunks.count_documents({}) == 0


async def test_with_asyncio(mongo: Database[Any]) -> None:
    bucket = AsyncBucket(connections["default"].async_database)
    kept = await bucket.upload("kept", b"kept")
    with pytest.raises(Boom):
        async with aatomic():
            new = await bucket.upload("new", b"new")
            await bucket.delete(kept.id)
            await bucket.delete(new.id)
            raise Boom
    assert [stored.filename async for stored in bucket.find()] == ["kept"]
    assert await bucket.read_bytes(kept) == b"kept"
    assert mongo.fs.chunks.count_documents({}) == 1
    await connections["default"].aclose()
