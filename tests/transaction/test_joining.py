"""The transaction to which code with only a client belongs, and the waiting that it may cause."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import django_mongodb_backend.transaction as backend
import pytest
from pymongo import AsyncMongoClient, MongoClient
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, OperationFailure

from djongo_services.connections import connections
from djongo_services.transaction import (
    TransactionManagementError,
    aatomic,
    atomic,
    on_commit,
    on_rollback,
    set_rollback,
)
from djongo_services.transaction.current import Joined, joined
from tests.transaction.conftest import failing, uri_of

Mongo = Database[dict[str, Any]]


class Boom(Exception):
    pass


def registered(within: Joined | None, ran: list[str]) -> Joined:
    assert within is not None
    within.on_commit(lambda: ran.append("committed"))
    within.on_rollback(lambda: ran.append("rolled back"))
    return within


def test_outside_of_everything(mongo: Mongo) -> None:
    assert joined(mongo.client) is None
    with MongoClient[Any](connect=False) as client:
        assert joined(client) is None


def test_an_atomic_block(mongo: Mongo, database: Mongo) -> None:
    ran: list[str] = []
    with atomic():
        within = registered(joined(mongo.client), ran)
        assert within.undone_by_rollback
        assert not within.has_snapshot
        mongo.a.insert_one({}, session=within.session)
        assert within.has_snapshot
        assert joined(connections["second"].client) is None
        assert joined(database.client) is None
    assert ran == ["committed"]
    assert mongo.a.count_documents({}) == 1
    assert joined(mongo.client) is None


def test_an_atomic_block_that_is_rolled_back(mongo: Mongo) -> None:
    ran: list[str] = []
    with pytest.raises(Boom), atomic():
        registered(joined(mongo.client), ran)
        raise Boom
    assert ran == ["rolled back"]


def test_one_that_can_only_be_rolled_back_cannot_be_joined(mongo: Mongo) -> None:
    with atomic():
        set_rollback(True)
        with pytest.raises(TransactionManagementError, match="will be rolled back"):
            joined(mongo.client)


def test_the_order_of_callbacks(mongo: Mongo) -> None:
    """The last callback runs first, even if another one raises."""
    ran: list[str] = []

    def boom() -> None:
        raise Boom

    for event in ("committed", "rolled back"):
        ran.clear()
        with pytest.raises(Boom), atomic():
            on_commit(boom)
            on_rollback(boom)
            for number in range(3):
                within = joined(mongo.client)
                assert within is not None
                within.on_commit(partial(ran.append, f"committed {number}"))
                within.on_rollback(partial(ran.append, f"rolled back {number}"))
            set_rollback(event == "rolled back")
        assert ran == [f"{event} {number}" for number in (2, 1, 0)]


def test_a_callback_that_raises_is_logged(mongo: Mongo, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []
    with atomic():
        within = joined(mongo.client)
        assert within is not None
        within.on_commit(lambda: ran.append("later"))
        within.on_commit(lambda: 1 / 0)
    assert ran == ["later"]
    assert "division by zero" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_backends_own_atomic(settings: Any) -> None:
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    client = connections["default"].client
    ran: list[str] = []
    with backend.atomic():
        within = registered(joined(client), ran)
        assert within.undone_by_rollback
        with backend.atomic():
            again = joined(client)
            assert again is not None
            assert again.session is within.session
    assert ran == ["committed"]
    with pytest.raises(Boom), backend.atomic():
        registered(joined(client), ran)
        raise Boom
    assert ran == ["committed", "rolled back"]
    assert joined(client) is None


@pytest.mark.django_db(transaction=True)
def test_callbacks_of_the_backends_atomic_come_before_those_of_others(settings: Any) -> None:
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    client = connections["default"].client
    ran: list[str] = []

    def boom() -> None:
        raise Boom

    with pytest.raises(Boom), backend.atomic():
        backend.on_commit(boom)
        registered(joined(client), ran)
    assert ran == ["committed"]


class TestBoundSession:
    @pytest.fixture
    def client(self, database: Mongo) -> Any:
        """A client that the package has not seen before."""
        with MongoClient[Any](uri_of(database)) as client:
            yield client

    def test_without_a_transaction(self, client: Any) -> None:
        with client.start_session() as session, session.bind():
            assert joined(client) is None

    def test_not_bound(self, client: Any) -> None:
        with client.start_session() as session, session.start_transaction():
            assert joined(client) is None

    def test_committed_and_aborted(self, client: Any, database: Mongo) -> None:
        ran: list[str] = []
        with client.start_session() as session, session.bind():
            with session.start_transaction():
                within = registered(joined(client), ran)
                assert within.session is session
                assert not within.has_snapshot
                client[database.name].a.insert_one({})
                assert within.has_snapshot
            assert ran == ["committed"]
            with pytest.raises(Boom), session.start_transaction():
                registered(joined(client), ran)
                raise Boom
            assert ran == ["committed", "rolled back"]
            with session.start_transaction():
                pass
            assert ran == ["committed", "rolled back"]

    def test_by_hand(self, client: Any, database: Mongo) -> None:
        ran: list[str] = []
        with client.start_session() as session, session.bind():
            session.start_transaction()
            registered(joined(client), ran)
            client[database.name].a.insert_one({})
            session.commit_transaction()
            session.commit_transaction()
            assert ran == ["committed"]
            session.start_transaction()
            registered(joined(client), ran)
        assert ran == ["committed", "rolled back"]

    def test_repeated_by_the_driver(self, client: Any, database: Mongo) -> None:
        ran: list[str] = []
        attempts: list[int] = []

        def work(session: Any) -> None:
            attempts.append(1)
            with session.bind(end_session=False):
                registered(joined(client), ran)
                client[database.name].a.insert_one({})

        with (
            failing(
                database.client,
                "insert",
                times=2,
                errorCode=112,
                errorLabels=["TransientTransactionError"],
                namespace=f"{database.name}.a",
            ),
            client.start_session() as session,
        ):
            session.with_transaction(work)
        assert len(attempts) == 3
        assert ran == ["rolled back", "rolled back", "committed"]

    def test_a_commit_that_is_refused(self, client: Any, database: Mongo) -> None:
        ran: list[str] = []
        with client.start_session() as session, session.bind():
            with pytest.raises(OperationFailure), session.start_transaction():
                registered(joined(client), ran)
                client[database.name].a.insert_one({})
                own = session.session_id["id"]
                with database.client.start_session() as other:
                    database.client.admin.command("killSessions", [{"id": own}], session=other)
            assert ran == ["rolled back"]

    def test_a_commit_with_an_unknown_outcome(self, client: Any, database: Mongo) -> None:
        """Neither callback is run, and the next transaction does not run them either."""
        ran: list[str] = []
        with client.start_session() as session, session.bind():
            with (
                failing(database.client, "commitTransaction", times=2, closeConnection=True),
                pytest.raises(ConnectionFailure),
                session.start_transaction(),
            ):
                registered(joined(client), ran)
                client[database.name].a.insert_one({})
            assert ran == []
            session.commit_transaction()
            assert ran == ["committed"]
            with (
                failing(database.client, "commitTransaction", times=2, closeConnection=True),
                pytest.raises(ConnectionFailure),
                session.start_transaction(),
            ):
                registered(joined(client), ran)
                client[database.name].a.insert_one({})
            with session.start_transaction():
                client[database.name].a.insert_one({})
            assert ran == ["committed"]

    async def test_with_asyncio(self, database: Mongo) -> None:
        ran: list[str] = []

        async def later() -> None:
            await asyncio.sleep(0)
            ran.append("awaited")

        async with AsyncMongoClient[Any](uri_of(database)) as client:
            async with client.start_session() as session, session.bind():
                async with await session.start_transaction():
                    within = registered(joined(client), ran)
                    within.on_commit(later)
                    await client[database.name].a.insert_one({})
                assert ran == ["awaited", "committed"]
                with pytest.raises(Boom):
                    async with await session.start_transaction():
                        registered(joined(client), ran)
                        raise Boom
                assert ran == ["awaited", "committed", "rolled back"]
            assert joined(client) is None


async def test_an_aatomic_block(async_mongo: Any, mongo: Mongo) -> None:
    ran: list[str] = []
    async with aatomic():
        within = registered(joined(async_mongo.client), ran)
        twin = joined(mongo.client)
        assert twin is not None
        assert twin.session.session_id == within.session.session_id
        await async_mongo.a.insert_one({})
        assert within.has_snapshot
        assert twin.has_snapshot
    assert ran == ["committed"]
    with pytest.raises(Boom):
        async with aatomic():
            registered(joined(async_mongo.client), ran)
            raise Boom
    assert ran == ["committed", "rolled back"]
