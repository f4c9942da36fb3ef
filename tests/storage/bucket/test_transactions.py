"""Files are part of the transaction that is open, of whichever kind it is."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import django_mongodb_backend.transaction as backend
import pytest
from asgiref.sync import sync_to_async
from django.db import connections as databases
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.connections import connections
from djongo_services.storage import FileExists, NoFile
from djongo_services.storage.bucket import AsyncBucket, Bucket, StoredFile
from djongo_services.transaction import aatomic, atomic, run_in_transaction, set_rollback
from tests.storage.conftest import connect
from tests.transaction.conftest import committed, failing, uri_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.versions]


class Boom(Exception):
    pass


@dataclass(frozen=True, kw_only=True)
class Place:
    """A bucket, a way to begin transactions that it is to join, and an observer."""

    bucket: Bucket
    begin: Callable[[], AbstractContextManager[Any]]
    outside: Bucket

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        with pytest.raises(Boom), self.begin():
            yield
            raise Boom

    def names(self) -> list[str]:
        """The names that other clients see, also when they are read within a block."""
        with self.outside.layout.client.start_session() as session:
            found = self.outside.files.find({}, session=session)
            return sorted(each["filename"] for each in found)

    def content(self, name: str) -> bytes:
        """The newest file's, as everybody else sees it."""
        with self.outside.layout.client.start_session() as session:
            found = self.outside.files.find_one({"filename": name}, session=session)
        assert found is not None
        return self.outside.read_bytes(StoredFile.from_document(found))

    def abort_on_server(self) -> None:
        """End the open transaction behind the driver's back, as an expiry or an election does."""
        own = self.bucket.session()
        with self.outside.layout.client.start_session() as session:
            self.outside.layout.client.admin.command(
                "killSessions", [{"id": own.session_id["id"]}], session=session
            )

    def chunks(self) -> int:
        with self.outside.layout.client.start_session() as session:
            return self.outside.chunks.count_documents({}, session=session)


@contextmanager
def _bound(client: Any) -> Iterator[Any]:
    with client.start_session() as session, session.bind(), session.start_transaction():
        yield session


KINDS = ["atomic", "bound session", "backend"]


def _place(kind: str, settings: Any, database: Database[Any]) -> Place:
    if kind == "backend":
        settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
        database = connections["default"].database
        bucket = Bucket(database, f"fs_{uuid.uuid4().hex}")
        with database.client.start_session():
            outside = MongoClient[Any](uri_of(database))
        return Place(
            bucket=bucket,
            begin=backend.atomic,
            outside=Bucket(outside[database.name], bucket.name),
        )
    observer = Bucket(database)
    if kind == "atomic":
        return Place(bucket=Bucket(connect(settings, database)), begin=atomic, outside=observer)
    client = MongoClient[Any](uri_of(database))
    return Place(
        bucket=Bucket(client[database.name]), begin=lambda: _bound(client), outside=observer
    )


def _end(kind: str, place: Place) -> None:
    if kind == "backend":
        place.outside.files.drop()
        place.outside.chunks.drop()
        place.outside.layout.client.close()
        assert databases["default"].session is None  # type: ignore[attr-defined]  # the backend's
        assert databases["default"].run_on_commit == []
    elif kind == "bound session":
        place.bucket.layout.client.close()
    connections.close_all()


@pytest.fixture(params=KINDS)
def place(
    request: pytest.FixtureRequest, settings: Any, database: Database[Any]
) -> Iterator[Place]:
    made = _place(request.param, settings, database)
    yield made
    _end(request.param, made)


@pytest.fixture(params=["4.4", "5.0", *KINDS])
def matrix_place(
    request: pytest.FixtureRequest, settings: Any, mongodb_servers: Any, database: Database[Any]
) -> Iterator[Place]:
    """A place of every kind on the newest server, and of the package's own kind on the older
    ones."""
    if request.param in KINDS:
        made = _place(request.param, settings, database)
        yield made
        _end(request.param, made)
        return
    with mongodb_servers(request.param).client() as client:
        older = client[database.name]
        yield _place("atomic", settings, older)
        connections.close_all()
        client.drop_database(older.name)


def test_saved_and_committed(matrix_place: Place) -> None:
    place = matrix_place
    with place.begin():
        stored = place.bucket.upload("a", b"content")
        assert place.names() == []
        assert place.chunks() == 1
        assert place.bucket.read_bytes(place.bucket.get(stored.id)) == b"content"
    assert place.names() == ["a"]
    assert place.outside.read_bytes(stored) == b"content"


def test_saved_and_rolled_back(matrix_place: Place) -> None:
    place = matrix_place
    for size in (0, 7, 2_500):
        with place.rolled_back():
            place.bucket.upload("a", bytes(size), chunk_size=1)
            assert place.chunks() == size
        assert (place.names(), place.chunks()) == ([], 0)


def test_deleted_and_committed(matrix_place: Place) -> None:
    place = matrix_place
    stored = place.bucket.upload("a", b"content")
    with place.begin():
        place.bucket.delete(stored.id)
        with pytest.raises(NoFile):
            place.bucket.get(stored.id)
        assert place.names() == ["a"]
        assert place.outside.read_bytes(stored) == b"content"
    assert (place.names(), place.chunks()) == ([], 0)


def test_deleted_and_rolled_back(matrix_place: Place) -> None:
    place = matrix_place
    stored = place.bucket.upload("a", b"content")
    with place.rolled_back():
        place.bucket.delete(stored.id)
    assert place.bucket.read_bytes(place.bucket.get(stored.id)) == b"content"


def test_a_transaction_that_has_begun_before_the_first_file(matrix_place: Place) -> None:
    """Its snapshot is older than the collections, which an index from outside would make it
    unable to use."""
    place = matrix_place
    other = place.bucket.layout.database.other
    with place.begin():
        other.insert_one({})
        stored = place.bucket.upload("a", b"content")
        assert place.bucket.read_bytes(place.bucket.get(stored.id)) == b"content"
        place.bucket.upload("b", b"content")
    assert place.names() == ["a", "b"]
    indexes = place.outside.files.index_information()
    assert "filename_1_uploadDate_1" in indexes
    with place.rolled_back():
        other.insert_one({})
        place.bucket.upload("c", b"content")
    assert (place.names(), place.chunks()) == (["a", "b"], 2)
    other.drop()


def test_a_bucket_that_was_only_ever_rolled_back(place: Place) -> None:
    with place.rolled_back():
        assert list(place.bucket.find()) == []
        place.bucket.upload("a", b"content")
    assert (place.names(), place.chunks()) == ([], 0)
    assert "filename_1_uploadDate_1" in place.outside.files.index_information()


def test_replaced(place: Place) -> None:
    """As a storage overwrites: the new file first, then the deletion of the old one."""
    old = place.bucket.upload("a", b"old")
    with place.rolled_back():
        place.bucket.upload("a", b"new")
        place.bucket.delete(old.id)
        assert place.bucket.read_bytes(place.bucket.get_by_name("a")) == b"new"
        assert place.content("a") == b"old"
    assert place.names() == ["a"]
    assert place.bucket.read_bytes(place.bucket.get_by_name("a")) == b"old"
    assert place.chunks() == 1
    with place.begin():
        place.bucket.upload("a", b"new")
        place.bucket.delete(old.id)
    assert place.names() == ["a"]
    assert place.bucket.read_bytes(place.bucket.get_by_name("a")) == b"new"
    assert place.chunks() == 1


def test_renamed(place: Place) -> None:
    stored = place.bucket.upload("a", b"content")
    with place.rolled_back():
        place.bucket.rename(stored.id, "b")
    assert place.names() == ["a"]
    with place.begin():
        place.bucket.rename(stored.id, "b")
        assert place.names() == ["a"]
    assert place.names() == ["b"]


def test_saved_and_deleted_in_one_transaction(place: Place) -> None:
    for begin in (place.begin, place.rolled_back):
        with begin():
            place.bucket.delete(place.bucket.upload("a", b"content").id)
            assert list(place.bucket.find()) == []
        assert (place.names(), place.chunks()) == ([], 0)


def test_many_at_once(place: Place) -> None:
    items = [(f"{number:02}", b"x" * number) for number in range(20)]
    with place.rolled_back():
        place.bucket.upload_many(items)
        assert place.names() == []
    assert (place.names(), place.chunks()) == ([], 0)
    with place.begin():
        stored = place.bucket.upload_many(items)
    assert place.names() == [name for name, _ in items]
    with place.rolled_back():
        assert place.bucket.delete_many([each.id for each in stored]) == 20
    assert place.chunks() == 19
    with place.begin():
        ids = [each.id for each in stored]
        assert place.bucket.delete_many(ids) == 20
        ids.clear()  # a list of the caller's
    assert (place.names(), place.chunks()) == ([], 0)


def test_an_upload_that_fails_inside(place: Place) -> None:
    """Its chunks are deleted at once; the transaction continues."""

    def source() -> Iterator[bytes]:
        yield b"some"
        raise ZeroDivisionError

    with place.begin():
        with pytest.raises(ZeroDivisionError):
            place.bucket.upload("a", source(), chunk_size=1)
        assert place.chunks() == 0
        place.bucket.upload("b", b"content")
    assert (place.names(), place.chunks()) == (["b"], 1)


def test_an_id_that_exists_stays_what_it_is(place: Place) -> None:
    """Also after the rollback of the transaction in which it was tried."""
    for there, new in itertools.product([b"", b"first"], [b"", b"second"]):
        stored = place.bucket.upload("a", there, id="mine")
        with place.rolled_back(), pytest.raises(FileExists):
            place.bucket.upload("b", new, id="mine")
        assert place.bucket.read_bytes(place.bucket.get("mine")) == there
        assert place.bucket.get("mine") == stored
        place.bucket.delete("mine")


def test_an_id_that_exists_by_the_time_of_the_insert(place: Place) -> None:
    stream = place.bucket.open_upload("b", id="mine")
    document = stream.seal()
    stored = place.outside.upload("a", b"", id="mine")
    with place.rolled_back(), pytest.raises(FileExists):
        stream.publish(document)
    assert place.outside.get("mine") == stored


def test_a_commit_that_fails_leaves_nothing(place: Place) -> None:
    place.bucket.upload("a", b"content")
    with pytest.raises(OperationFailure), place.begin():
        place.bucket.upload("b", b"content")
        place.abort_on_server()
    assert (place.names(), place.chunks()) == (["a"], 1)


def test_a_commit_that_fails_deletes_nothing(place: Place) -> None:
    stored = place.bucket.upload("a", b"content")
    with pytest.raises(OperationFailure), place.begin():
        place.bucket.delete(stored.id)
        place.abort_on_server()
    assert place.bucket.read_bytes(place.bucket.get(stored.id)) == b"content"


def test_a_commit_that_is_repeated(place: Place) -> None:
    """Its first answer was lost."""
    old = place.bucket.upload("a", b"old")
    with (
        failing(place.outside.layout.client, "commitTransaction", times=1, closeConnection=True),
        place.begin(),
    ):
        place.bucket.upload("a", b"new")
        place.bucket.delete(old.id)
    assert (place.names(), place.chunks()) == (["a"], 1)
    assert place.content("a") == b"new"


class TestNested:
    @pytest.fixture
    def bucket(self, settings: Any, database: Database[Any]) -> Iterator[Bucket]:
        yield Bucket(connect(settings, database))
        connections.close_all()

    def test_the_outermost_block_decides(self, bucket: Bucket, database: Database[Any]) -> None:
        with pytest.raises(Boom), atomic():
            with atomic():
                bucket.upload("a", b"content")
            assert committed(database.fs.chunks) == 1
            raise Boom
        assert database.fs.chunks.count_documents({}) == 0
        with atomic():
            with atomic():
                bucket.upload("a", b"content")
            set_rollback(True)
        assert database.fs.chunks.count_documents({}) == 0
        with atomic(), atomic():
            bucket.upload("a", b"content")
        assert database.fs.files.count_documents({}) == 1

    def test_on_commit_of_others_may_raise(self, bucket: Bucket, database: Database[Any]) -> None:
        from djongo_services.transaction import on_commit, on_rollback

        def boom() -> None:
            raise Boom

        stored = bucket.upload("a", b"content")
        with pytest.raises(Boom), atomic():
            on_commit(boom)
            bucket.delete(stored.id)
        assert database.fs.chunks.count_documents({}) == 0
        with pytest.raises(Boom), atomic():
            on_rollback(boom)
            bucket.upload("a", b"content")
            set_rollback(True)
        assert database.fs.chunks.count_documents({}) == 0

    def test_attempts_that_failed_leave_nothing(
        self, bucket: Bucket, database: Database[Any]
    ) -> None:
        bucket.upload("first", b"content")
        attempts: list[int] = []

        def work() -> Any:
            attempts.append(1)
            stored = bucket.upload("a", b"content", chunk_size=1)
            bucket.layout.database.other.insert_one({})
            return stored

        with failing(
            database.client,
            "insert",
            times=3,
            errorCode=112,
            errorLabels=["TransientTransactionError"],
            namespace=f"{database.name}.other",
        ):
            stored = run_in_transaction(work)
        assert len(attempts) == 4
        assert database.fs.files.count_documents({}) == 2
        assert database.fs.chunks.count_documents({}) == 1 + len(b"content")
        assert bucket.read_bytes(stored) == b"content"


@dataclass(frozen=True, kw_only=True)
class AsyncPlace:
    bucket: AsyncBucket
    begin: Callable[[], Any]
    outside: Database[Any]

    @asynccontextmanager
    async def rolled_back(self) -> AsyncIterator[None]:
        with pytest.raises(Boom):
            async with self.begin():
                yield
                raise Boom

    def counts(self) -> tuple[int, int]:
        """Files and chunks as everybody else sees them."""
        files, chunks = self.outside.fs.files, self.outside.fs.chunks
        with self.outside.client.start_session() as session:
            return (
                files.count_documents({}, session=session),
                chunks.count_documents({}, session=session),
            )


@asynccontextmanager
async def _abound(client: Any) -> AsyncIterator[Any]:
    async with client.start_session() as session, session.bind():
        async with await session.start_transaction():
            yield session


@pytest.fixture(params=["aatomic", "bound session"])
async def aplace(
    request: pytest.FixtureRequest, settings: Any, database: Database[Any]
) -> AsyncIterator[AsyncPlace]:
    connect(settings, database)
    bucket = AsyncBucket(connections["default"].async_database)
    client = bucket.layout.client
    yield AsyncPlace(
        bucket=bucket,
        begin=aatomic if request.param == "aatomic" else lambda: _abound(client),
        outside=database,
    )
    await connections["default"].aclose()
    connections.close_all()


async def test_async_saved(aplace: AsyncPlace) -> None:
    for size in (0, 7, 2_500):
        async with aplace.rolled_back():
            await aplace.bucket.upload("a", bytes(size), chunk_size=1)
            assert aplace.counts() == (0, size)
        assert aplace.counts() == (0, 0)
    async with aplace.begin():
        stored = await aplace.bucket.upload("a", b"content")
        assert aplace.counts() == (0, 1)
        found = await aplace.bucket.get_by_name("a")
        assert await aplace.bucket.read_bytes(found) == b"content"
    assert await aplace.bucket.read_bytes(stored) == b"content"
    assert aplace.counts() == (1, 1)


async def test_async_deleted(aplace: AsyncPlace) -> None:
    stored = await aplace.bucket.upload("a", b"content")
    async with aplace.rolled_back():
        await aplace.bucket.delete(stored.id)
        with pytest.raises(NoFile):
            await aplace.bucket.get(stored.id)
    assert await aplace.bucket.read_bytes(await aplace.bucket.get(stored.id)) == b"content"
    async with aplace.begin():
        await aplace.bucket.delete(stored.id)
        assert aplace.counts() == (1, 1)
    assert aplace.counts() == (0, 0)


async def test_async_many_at_once(aplace: AsyncPlace) -> None:
    items = [(f"{number:02}", b"x" * number) for number in range(20)]
    async with aplace.rolled_back():
        await aplace.bucket.upload_many(items)
        assert aplace.counts() == (0, 19)
    assert aplace.counts() == (0, 0)
    async with aplace.begin():
        stored = await aplace.bucket.upload_many(items)
    assert aplace.counts() == (20, 19)
    async with aplace.begin():
        assert await aplace.bucket.delete_many([each.id for each in stored]) == 20
        assert aplace.counts() == (20, 19)
    assert aplace.counts() == (0, 0)


async def test_async_deleted_on_a_condition(aplace: AsyncPlace) -> None:
    stored = await aplace.bucket.upload("a", b"content")
    async with aplace.rolled_back():
        assert await aplace.bucket.delete_if(stored.id, {"filename": "a"})
    assert aplace.counts() == (1, 1)
    async with aplace.begin():
        assert await aplace.bucket.delete_if(stored.id, {"filename": "a"})
        assert aplace.counts() == (1, 1)
    assert aplace.counts() == (0, 0)


async def test_async_replaced(aplace: AsyncPlace) -> None:
    old = await aplace.bucket.upload("a", b"old")
    async with aplace.rolled_back():
        await aplace.bucket.upload("a", b"new")
        await aplace.bucket.delete(old.id)
    found = await aplace.bucket.get_by_name("a")
    assert await aplace.bucket.read_bytes(found) == b"old"
    async with aplace.begin():
        await aplace.bucket.upload("a", b"new")
        await aplace.bucket.delete(old.id)
    found = await aplace.bucket.get_by_name("a")
    assert await aplace.bucket.read_bytes(found) == b"new"
    assert aplace.counts() == (1, 1)


async def test_async_begun_before_the_first_file(aplace: AsyncPlace) -> None:
    async with aplace.begin():
        await aplace.bucket.layout.database.other.insert_one({})
        await aplace.bucket.upload("a", b"content")
    assert aplace.counts() == (1, 1)
    assert "filename_1_uploadDate_1" in aplace.outside.fs.files.index_information()


async def test_async_an_id_that_exists(aplace: AsyncPlace) -> None:
    for there in (b"", b"first"):
        stored = await aplace.bucket.upload("a", there, id="mine")
        for new in (b"", b"second"):
            async with aplace.rolled_back():
                with pytest.raises(FileExists):
                    await aplace.bucket.upload("b", new, id="mine")
        assert await aplace.bucket.get("mine") == stored
        assert await aplace.bucket.read_bytes(stored) == there
        await aplace.bucket.delete("mine")


async def test_async_a_commit_that_fails(aplace: AsyncPlace) -> None:
    await aplace.bucket.upload("a", b"content")
    with pytest.raises(OperationFailure):
        async with aplace.begin():
            await aplace.bucket.upload("b", b"content")
            own = aplace.bucket.session().session_id["id"]
            with aplace.outside.client.start_session() as session:
                aplace.outside.client.admin.command("killSessions", [{"id": own}], session=session)
    assert aplace.counts() == (1, 1)


async def test_a_blocking_bucket_joins_an_asyncio_transaction(
    settings: Any, database: Database[Any]
) -> None:
    """As when sync_to_async runs a storage in a coroutine."""
    bucket = Bucket(connect(settings, database))
    with pytest.raises(Boom):
        async with aatomic():
            await sync_to_async(bucket.upload)("a", b"content")
            assert database.fs.chunks.count_documents({}) == 1
            raise Boom
    assert database.fs.chunks.count_documents({}) == 0
    async with aatomic():
        stored = await sync_to_async(bucket.upload)("a", b"content")
        assert database.fs.files.count_documents({}) == 0
    assert bucket.read_bytes(bucket.get(stored.id)) == b"content"
    await connections["default"].aclose()
    connections.close_all()
