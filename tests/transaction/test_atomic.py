"""atomic() with raw PyMongo: commit, rollback, nesting, options."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import contextvars
import threading
from typing import Any

import pytest
from django.db import DatabaseError
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern

from djongo_services.connections import connections
from djongo_services.transaction import (
    ForeignClient,
    TransactionManagementError,
    atomic,
    current_session,
    get_rollback,
    in_atomic_block,
    on_commit,
    set_rollback,
)
from tests.transaction.conftest import committed, entry, open_transactions, uri_of

pytestmark = pytest.mark.versions


Mongo = Database[dict[str, Any]]


class Boom(Exception):
    pass


class Commands(CommandListener):
    """The names of the commands that a client sent."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.commands: list[dict[str, Any]] = []

    def started(self, event: Any) -> None:
        self.names.append(event.command_name)
        self.commands.append(dict(event.command))

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


@pytest.fixture
def commands(database: Mongo, settings: Any) -> Any:
    listener = Commands()
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": entry(database, event_listeners=[listener])}
    }
    database.things.insert_one({"_id": "there"})
    yield listener
    connections.close_all()


def test_commits_together(each_mongo: Mongo, matrix_database: Mongo) -> None:
    with atomic():
        each_mongo.a.insert_one({"_id": 1})
        each_mongo.b.insert_one({"_id": 1})
        assert committed(matrix_database.a) == 0
        assert open_transactions(matrix_database.client) == 1
    assert committed(matrix_database.a) == committed(matrix_database.b) == 1
    assert open_transactions(matrix_database.client) == 0


def test_rolls_back_together(each_mongo: Mongo, matrix_database: Mongo) -> None:
    with pytest.raises(Boom), atomic():
        each_mongo.a.insert_one({"_id": 1})
        each_mongo.b.insert_many([{"_id": 1}, {"_id": 2}])
        raise Boom
    # The collection of the first write was created before, for other transactions' sake.
    assert matrix_database.list_collection_names() == ["a"]
    assert committed(matrix_database.a) == 0
    assert open_transactions(matrix_database.client) == 0


def test_reads_its_own_writes(mongo: Mongo) -> None:
    with atomic():
        mongo.a.insert_one({"_id": 1, "n": 1})
        mongo.a.update_one({"_id": 1}, {"$inc": {"n": 1}})
        assert mongo.a.find_one() == {"_id": 1, "n": 2}
        assert list(mongo.a.aggregate([{"$project": {"n": 1, "_id": 0}}])) == [{"n": 2}]


def test_cursors_of_several_batches_stay_inside(mongo: Mongo) -> None:
    mongo.a.insert_many([{"_id": n} for n in range(10)])
    with atomic():
        mongo.a.insert_one({"_id": 10})
        assert [each["_id"] for each in mongo.a.find(batch_size=3)] == list(range(11))


def test_decorates_functions_with_and_without_arguments(mongo: Mongo) -> None:
    @atomic
    def bare(n: int) -> int:
        mongo.a.insert_one({"_id": n})
        return n

    @atomic("default", durable=True)
    def failing(n: int) -> None:
        mongo.a.insert_one({"_id": n})
        raise Boom

    assert bare(1) == 1
    assert bare(2) == 2
    assert bare.__name__ == "bare"
    with pytest.raises(Boom):
        failing(3)
    assert sorted(each["_id"] for each in mongo.a.find()) == [1, 2]


def test_called_functions_and_threads_that_copy_the_context_join(
    mongo: Mongo, outside: Mongo
) -> None:
    def work() -> None:
        connections["default"].database.a.insert_one({"_id": "thread"})

    with atomic():
        mongo.a.insert_one({"_id": "here"})
        thread = threading.Thread(target=contextvars.copy_context().run, args=[work])
        thread.start()
        thread.join()
        assert committed(outside.a) == 0
        set_rollback(True)
    assert committed(outside.a) == 0


def test_a_thread_with_a_context_of_its_own_stays_outside(mongo: Mongo, outside: Mongo) -> None:
    with atomic():
        thread = threading.Thread(target=lambda: mongo.a.insert_one({"_id": 1}))
        thread.start()
        thread.join()
        set_rollback(True)
    assert committed(outside.a) == 1


def test_an_explicit_session_stays_outside(mongo: Mongo, outside: Mongo) -> None:
    with atomic(), mongo.client.start_session() as session:
        mongo.a.insert_one({"_id": "inside"})
        mongo.b.insert_one({"_id": "outside"}, session=session)
        set_rollback(True)
    assert committed(outside.a) == 0
    assert committed(outside.b) == 1


def test_another_connection_works_outside(mongo: Mongo, outside: Mongo) -> None:
    second = connections["second"].database
    with pytest.raises(Boom), atomic():
        mongo.a.insert_one({"_id": 1})
        second.a.insert_one({"_id": 1})
        raise Boom
    assert committed(outside.a) == 0
    assert second.a.count_documents({}) == 1


def test_blocks_on_two_connections_keep_apart(mongo: Mongo) -> None:
    second = connections["second"].database
    with atomic():
        mongo.a.insert_one({"_id": 1})
        with pytest.raises(Boom), atomic("second"):
            second.a.insert_one({"_id": 1})
            mongo.a.insert_one({"_id": 2})
            raise Boom
        mongo.a.insert_one({"_id": 3})
    assert mongo.a.count_documents({}) == 3
    assert second.a.count_documents({}) == 0


def test_a_foreign_client_is_told_what_to_do(mongo: Mongo, outside: Mongo) -> None:
    with MongoClient[Any](uri_of(outside)) as client:
        with pytest.raises(ForeignClient, match=r"none of the configured connections.*session="):
            with atomic():
                mongo.a.insert_one({"_id": 1})
                client[outside.name].b.insert_one({"_id": 1})
        with atomic(), client.start_session() as session:
            client[outside.name].b.insert_one({"_id": 2}, session=session)
    assert committed(outside.a) == 0
    assert [each["_id"] for each in outside.b.find()] == [2]


def test_nothing_is_sent_before_the_first_operation(commands: Commands) -> None:
    with atomic():
        pass
    connections["default"].database.client.admin.command("ping")
    assert [name for name in commands.names if name not in ("ping", "hello")] == []


def test_a_block_that_only_read_sends_no_commit(commands: Commands) -> None:
    things = connections["default"].database.things
    ran: list[str] = []
    with atomic():
        assert things.find_one() == {"_id": "there"}
        assert things.count_documents({}) == 1
        assert things.distinct("_id") == ["there"]
        on_commit(lambda: ran.append("hook"))
    assert "commitTransaction" not in commands.names
    assert commands.names[-1] == "abortTransaction"
    assert ran == ["hook"]


def test_options_reach_the_server(commands: Commands) -> None:
    with atomic(
        read_concern=ReadConcern("snapshot"),
        write_concern=WriteConcern("majority", j=True),
        read_preference=ReadPreference.PRIMARY,
        max_commit_time=2.5,
    ):
        connections["default"].database.things.insert_one({"_id": 1})
    first, last = commands.commands[-2:]
    assert first["readConcern"]["level"] == "snapshot"
    assert last["writeConcern"] == {"w": "majority", "j": True}
    assert last["maxTimeMS"] == 2500


def test_an_inner_block_joins(mongo: Mongo, outside: Mongo) -> None:
    with atomic():
        mongo.a.insert_one({"_id": 1})
        with atomic():
            mongo.a.insert_one({"_id": 2})
        assert committed(outside.a) == 0
    assert committed(outside.a) == 2


def test_a_failed_inner_block_dooms_the_outer_one(mongo: Mongo, outside: Mongo) -> None:
    with pytest.raises(TransactionManagementError, match="rolled back, though") as caught:
        with atomic():
            mongo.a.insert_one({"_id": 1})
            with pytest.raises(Boom), atomic():
                raise Boom
            assert get_rollback()
            with pytest.raises(TransactionManagementError, match="inner block failed") as refused:
                mongo.a.insert_one({"_id": 2})
            assert isinstance(refused.value.__cause__, Boom)
            with pytest.raises(TransactionManagementError, match="no savepoints"):
                set_rollback(False)
    assert isinstance(caught.value.__cause__, Boom)
    assert isinstance(caught.value, DatabaseError)
    assert committed(outside.a) == 0
    with atomic():
        mongo.a.insert_one({"_id": 3})
    assert committed(outside.a) == 1


def test_a_caught_duplicate_key_cannot_be_survived(each_mongo: Mongo) -> None:
    each_mongo.a.insert_one({"_id": 1})
    for insert in (
        lambda: each_mongo.a.insert_one({"_id": 1}),
        lambda: each_mongo.a.insert_many([{"_id": 1}]),
    ):
        with pytest.raises(TransactionManagementError, match="Catch it outside") as caught:
            with atomic():
                each_mongo.b.insert_one({})
                with pytest.raises(Exception, match="E11000"):
                    insert()
        assert caught.value.__cause__ is not None
        with pytest.raises(TransactionManagementError, match="Catch it outside"):
            with atomic():
                each_mongo.b.insert_one({})
                with pytest.raises(Exception, match="E11000"):
                    insert()
                each_mongo.b.insert_one({})
    assert each_mongo.b.count_documents({}) == 0


def test_a_duplicate_key_goes_through_as_it_is(mongo: Mongo) -> None:
    mongo.a.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError), atomic():
        mongo.a.insert_one({"_id": 1})


def test_set_rollback_needs_no_exception(mongo: Mongo, outside: Mongo) -> None:
    with atomic():
        mongo.a.insert_one({"_id": 1})
        assert not get_rollback()
        set_rollback(True)
        set_rollback(False)
        mongo.a.insert_one({"_id": 2})
        set_rollback(True)
        assert get_rollback()
        with pytest.raises(TransactionManagementError, match=r"set_rollback\(True\)"):
            mongo.a.insert_one({"_id": 3})
    assert committed(outside.a) == 0


@pytest.mark.parametrize("ask", [get_rollback, lambda: set_rollback(True)])
def test_rollback_is_asked_for_inside_only(mongo: Mongo, ask: Any) -> None:
    with pytest.raises(TransactionManagementError, match="inside of an atomic block"):
        ask()


def test_durable_refuses_to_be_nested(mongo: Mongo) -> None:
    with atomic(durable=True):
        with pytest.raises(RuntimeError, match="durable"), atomic(durable=True):
            pass
        mongo.a.insert_one({"_id": 1})
    assert mongo.a.count_documents({}) == 1


def test_options_of_an_inner_block_are_refused_unless_equal(mongo: Mongo) -> None:
    with atomic(read_concern=ReadConcern("snapshot")):
        with atomic(read_concern=ReadConcern("snapshot")):
            pass
        with pytest.raises(TransactionManagementError, match=r"write_concern.*outermost"):
            with atomic(write_concern=WriteConcern(1)):
                pass
    assert not in_atomic_block()


def test_the_session_can_be_asked_for(mongo: Mongo, outside: Mongo) -> None:
    assert current_session() is None
    with atomic():
        session = current_session()
        mongo.a.insert_one({"_id": 1}, session=session)
        assert session.in_transaction
        set_rollback(True)
    assert session.has_ended
    assert committed(outside.a) == 0


def test_a_session_bound_around_the_block_learns_its_times(mongo: Mongo) -> None:
    with mongo.client.start_session() as session, session.bind():
        mongo.a.insert_one({"_id": 1})
        before = session.operation_time
        with atomic():
            mongo.a.insert_one({"_id": 2})
            assert mongo.a.count_documents({}) == 2
        assert session.operation_time > before
        assert mongo.a.count_documents({}) == 2


def test_a_transaction_of_a_bound_session_is_not_shadowed(mongo: Mongo) -> None:
    with mongo.client.start_session() as session, session.bind(end_session=False):
        with session.start_transaction():
            with pytest.raises(TransactionManagementError, match="instead of start_transaction"):
                with atomic():
                    pass
