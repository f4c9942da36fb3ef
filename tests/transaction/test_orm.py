"""The backend's ORM inside of atomic(), and atomic() together with the backend's and Django's."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import django_mongodb_backend.transaction as backend
import pytest
from asgiref.sync import sync_to_async
from django.core.files.base import ContentFile
from django.db import DatabaseError, IntegrityError
from django.db import connections as databases
from django.db import transaction as django
from django.db.models import Count, Max
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from djongo_services.transaction import (
    TransactionManagementError,
    WriteConflict,
    aatomic,
    atomic,
    on_commit,
    on_rollback,
    retrying,
    run_in_transaction,
    set_rollback,
)
from djongo_services.transaction.testing import capture_on_commit, rolled_back
from tests.backend_app.models import Author
from tests.transaction.conftest import entry, failing, open_transactions

pytestmark = pytest.mark.django_db(transaction=True)

Mongo = Database[dict[str, Any]]


class Boom(Exception):
    pass


@pytest.fixture
def mongo(settings: Any) -> Iterator[Mongo]:
    """The database that the ORM is on, by the connection that shares its client."""
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    database = connections["default"].database
    yield database
    database.raw.drop()
    assert open_transactions(database.client) == 0
    assert databases["default"].session is None  # type: ignore[attr-defined]  # the backend's
    assert databases["default"].run_on_commit == []


def names() -> list[str]:
    return sorted(Author.objects.values_list("name", flat=True))


def test_orm_and_pymongo_commit_together(mongo: Mongo) -> None:
    with atomic():
        Author.objects.create(name="A")
        Author.objects.bulk_create([Author(name="B"), Author(name="C")])
        Author.objects.filter(name="C").update(name="D")
        mongo.raw.insert_one({})
        assert names() == ["A", "B", "D"]
    assert names() == ["A", "B", "D"]
    assert mongo.raw.count_documents({}) == 1


def test_orm_and_pymongo_roll_back_together(mongo: Mongo) -> None:
    kept = Author.objects.create(name="kept")
    with pytest.raises(Boom), atomic():
        Author.objects.create(name="A")
        kept.delete()
        mongo.raw.insert_one({})
        raise Boom
    assert names() == ["kept"]
    assert mongo.raw.count_documents({}) == 0


def test_djangos_on_commit_comes_to_the_same_row(mongo: Mongo) -> None:
    ran: list[str] = []
    with atomic():
        on_commit(lambda: ran.append("ours"))
        django.on_commit(lambda: ran.append("Django's"))
        backend.on_commit(lambda: ran.append("the backend's"))
        Author.objects.create(name="A")
        assert ran == []
    assert ran == ["ours", "Django's", "the backend's"]
    with pytest.raises(Boom), atomic():
        django.on_commit(lambda: ran.append("never"))
        raise Boom
    django.on_commit(lambda: ran.append("at once"))
    assert ran[3:] == ["at once"]


def test_the_backends_atomic_joins_ours(mongo: Mongo) -> None:
    with atomic():
        with backend.atomic():
            Author.objects.create(name="A")
            with backend.atomic():
                Author.objects.create(name="B")
        set_rollback(True)
    assert names() == []


@pytest.mark.parametrize("inner", [backend.atomic, django.atomic])
def test_an_inner_failure_of_another_atomic_dooms_ours(mongo: Mongo, inner: Any) -> None:
    with pytest.raises(TransactionManagementError, match="caught inside of it"), atomic():
        Author.objects.create(name="A")
        with inner():
            with pytest.raises(Boom), inner():
                Author.objects.create(name="B")
                raise Boom
    assert names() == []


def test_ours_joins_the_backends_atomic(mongo: Mongo) -> None:
    ran: list[str] = []
    with pytest.raises(Boom), backend.atomic():
        Author.objects.create(name="A")
        with atomic():
            Author.objects.create(name="B")
            mongo.raw.insert_one({})
            on_commit(lambda: ran.append("commit"))
            on_rollback(lambda: ran.append("rollback"))
        raise Boom
    assert ran == ["rollback"]
    assert names() == []
    assert mongo.raw.count_documents({}) == 0
    with backend.atomic(), atomic():
        mongo.raw.insert_one({})
        on_commit(lambda: ran.append("commit"))
        assert ran == ["rollback"]
        with pytest.raises(RuntimeError, match="durable"), atomic(durable=True):
            pass
    assert ran == ["rollback", "commit"]
    assert mongo.raw.count_documents({}) == 1


def test_our_inner_failure_dooms_the_backends_atomic(mongo: Mongo) -> None:
    with pytest.raises(TransactionManagementError, match="inner Boom"), backend.atomic():
        Author.objects.create(name="A")
        with pytest.raises(Boom), atomic():
            raise Boom
        with pytest.raises(TransactionManagementError, match="inner block failed"):
            Author.objects.create(name="B")
    assert names() == []


def test_ours_within_djangos_atomic_commits_for_itself(mongo: Mongo) -> None:
    ran: list[str] = []
    with django.atomic():
        with atomic(durable=True):
            Author.objects.create(name="A")
            django.on_commit(lambda: ran.append("hook"))
        assert ran == ["hook"]
    assert names() == ["A"]


def test_get_or_create_inside(mongo: Mongo) -> None:
    with atomic():
        _, created = Author.objects.get_or_create(name="A")
        _, again = Author.objects.get_or_create(name="A")
    assert (created, again) == (True, False)


def test_the_backends_atomic_works_after_a_failed_commit_of_ours(mongo: Mongo) -> None:
    ran: list[str] = []
    mongo.raw.insert_one({})
    with failing(mongo.client, "commitTransaction", times=1, errorCode=8):
        with pytest.raises(PyMongoError), atomic():
            Author.objects.create(name="A")
            django.on_commit(lambda: ran.append("commit"))
            on_rollback(lambda: ran.append("rollback"))
    assert ran == ["rollback"]
    with pytest.raises(Boom), backend.atomic():
        Author.objects.create(name="B")
        raise Boom
    assert names() == []


def test_a_failed_commit_of_the_backend_leaves_nothing_behind(mongo: Mongo) -> None:
    ran: list[str] = []
    with failing(mongo.client, "commitTransaction", times=1, errorCode=8):
        with pytest.raises(PyMongoError), backend.atomic():
            Author.objects.create(name="A")
            django.on_commit(lambda: ran.append("commit"))
    for atomic_block in (backend.atomic, atomic):
        with pytest.raises(Boom), atomic_block():
            Author.objects.create(name="B")
            raise Boom
    assert (names(), ran) == ([], [])
    mongo.client.admin.command("killAllSessions", [])


def test_a_transient_error_behind_djangos_is_found(mongo: Mongo) -> None:
    Author.objects.create(name="there")
    attempts: list[Author] = []
    author = Author(name="new")

    @retrying
    def create() -> str:
        attempts.append(author)
        assert author.pk is None
        assert author._state.adding
        author.save()
        Author.objects.filter(name="there").update(name="updated")
        return "done"

    with failing(
        mongo.client,
        "update",
        times=2,
        errorCode=112,
        errorLabels=["TransientTransactionError"],
    ):
        assert create() == "done"
    assert len(attempts) == 3
    assert names() == ["new", "updated"]


def test_the_orms_errors_say_what_went_wrong(mongo: Mongo) -> None:
    author = Author.objects.create(name="there")
    with pytest.raises(DatabaseError, match=r"^Write conflict: .*run_in_transaction\(\)") as raised:
        with atomic():
            Author.objects.get(name="there")
            with mongo.client.start_session() as another:
                mongo.backend_app_author.update_one({}, {"$set": {"name": "b"}}, session=another)
            Author.objects.update(name="c")
    assert isinstance(raised.value.__cause__, WriteConflict)
    with pytest.raises(IntegrityError, match="E11000"), atomic():
        Author.objects.create(pk=author.pk, name="twice")


def test_instances_of_a_failed_attempt_are_as_before(mongo: Mongo) -> None:
    kept = Author.objects.create(name="kept")
    key = kept.pk
    author = Author(name="new")

    def work() -> None:
        author.save()
        author.save()
        kept.delete()
        assert kept.pk is None
        raise Boom

    with pytest.raises(Boom):
        run_in_transaction(work)
    assert author.pk is None
    assert author._state.adding
    assert author._state.db is None
    assert kept.pk == key
    author.save(force_insert=True)
    assert names() == ["kept", "new"]


def test_a_duplicate_key_is_not_tried_again(mongo: Mongo) -> None:
    there = Author.objects.create(name="there")
    calls: list[int] = []

    def work(swallow: bool) -> None:
        calls.append(1)
        mongo.raw.insert_one({})
        try:
            Author(pk=there.pk, name="twice").save(force_insert=True)
        except DatabaseError:
            if not swallow:
                raise

    with pytest.raises(IntegrityError):
        run_in_transaction(work, False)
    with pytest.raises(TransactionManagementError):
        run_in_transaction(work, True)
    assert len(calls) == 2


async def test_the_orms_a_methods_and_both_clients_join(mongo: Mongo) -> None:
    ran: list[str] = []

    def blocking() -> None:
        Author.objects.create(name="thread")
        mongo.raw.insert_one({"_id": "sync"})
        with atomic():
            django.on_commit(lambda: ran.append("hook"))

    async def transfer(*, fail: bool) -> None:
        async with aatomic():
            await Author.objects.acreate(name="async")
            await sync_to_async(blocking)()
            await asyncio.to_thread(mongo.raw.insert_one, {"_id": "to_thread"})
            await connections["default"].async_database.raw.insert_one({"_id": "async"})
            assert await Author.objects.acount() == 2
            assert await connections["default"].async_database.raw.count_documents({}) == 3
            if fail:
                raise Boom

    try:
        with pytest.raises(Boom):
            await transfer(fail=True)
        assert await Author.objects.acount() == 0
        assert await connections["default"].async_database.raw.count_documents({}) == 0
        assert ran == []
        await transfer(fail=False)
        assert await Author.objects.acount() == 2
        assert await connections["default"].async_database.raw.count_documents({}) == 3
        assert ran == ["hook"]
    finally:
        await connections["default"].aclose()


def test_the_orm_works_outside_of_another_connections_block(settings: Any, database: Mongo) -> None:
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": {"DATABASE": "default"}, "archive": entry(database)}
    }
    archive = connections["archive"].database
    with pytest.raises(Boom), atomic("archive"):
        archive.a.insert_one({})
        Author.objects.create(name="outside")
        with atomic():
            Author.objects.create(name="its own")
        raise Boom
    assert names() == ["its own", "outside"]
    assert archive.a.count_documents({}) == 0
    connections.close_all()


async def test_a_cancelled_orm_call_leaves_nothing_behind(mongo: Mongo) -> None:
    async def work() -> None:
        async with aatomic():
            await Author.objects.acreate(name="A")

    await Author.objects.acount()
    for delay in (0.001, 0.005, 0.05):
        # Much longer than the delay: on a busy machine the test itself is late.
        block = max(100, round(20_000 * delay))
        with failing(mongo.client, "insert", times=1, blockConnection=True, blockTimeMS=block):
            task = asyncio.create_task(work())
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await asyncio.to_thread(open_transactions, mongo.client) == 0
    assert await Author.objects.acount() == 0


@pytest.mark.parametrize("block", [atomic, backend.atomic, rolled_back])
def test_djangos_own_helpers_capture_what_users_registered_inside(
    mongo: Mongo, block: Any, django_capture_on_commit_callbacks: Any
) -> None:
    storage = GridFSStorage()
    name = storage.save("file", ContentFile(b"text"))
    ran: list[str] = []

    def second() -> None:
        ran.append("second")

    def first() -> None:
        ran.append("first")
        on_commit(second)

    with contextlib.suppress(Boom), block():
        mongo.raw.insert_one({})
        django.on_commit(lambda: ran.append("before"))
        for capture in (django_capture_on_commit_callbacks, capture_on_commit):
            ran.clear()
            with capture(execute=True) as callbacks:
                storage.delete(name)
                storage.save("file", ContentFile(b"text"))
                django.on_commit(first)
            assert callbacks == [first, second]
            assert ran == ["first", "second"]
        raise Boom
    assert ran == ["first", "second"]
    assert storage.open(name).read() == b"text"
    mongo.fs.files.drop()
    mongo.fs.chunks.drop()


def test_a_test_that_is_rolled_back(mongo: Mongo) -> None:
    with rolled_back():
        Author.objects.create(name="A")
        with django.atomic(), atomic(durable=True):
            Author.objects.create(name="B")
            django.on_commit(Boom)
        with capture_on_commit() as callbacks:
            django.on_commit(Boom)
        assert callbacks == [Boom]
        assert names() == ["A", "B"]
    assert names() == []


def test_unions_and_aggregates_see_what_the_block_has_written(mongo: Mongo) -> None:
    """The server refuses ``$unionWith`` in a transaction, which the backend 6.x counts with."""
    Author.objects.create(name="before")
    with atomic():
        assert Author.objects.count() == 1
        Author.objects.bulk_create([Author(name="a"), Author(name="b")])
        both = Author.objects.filter(name="a").union(Author.objects.filter(name="before"))
        assert sorted(one.name for one in both) == ["a", "before"]
        assert Author.objects.aggregate(n=Count("pk"), last=Max("name")) == {
            "n": 3,
            "last": "before",
        }
        assert Author.objects.filter(name="nobody").count() == 0
    assert Author.objects.count() == 3
