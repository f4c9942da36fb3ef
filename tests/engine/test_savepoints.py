"""A rollback to a savepoint: what came before is as it was, or the whole fails."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import bson
import pymongo
import pytest
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from django.db import DatabaseError, IntegrityError, transaction
from django.test import override_settings

from djongo_services import database_names
from djongo_services.backend import moments, sessions
from djongo_services.backend.recording import Write, recorder, repetitions
from djongo_services.backend.transactions import EngineTransaction
from djongo_services.connections import connections as services
from djongo_services.transaction.errors import is_transient
from tests.engine.helpers import failing, rolled_back
from tests.engine.shop.models import Article, Label
from tests.mongodb_orm import connection

pytestmark = pytest.mark.django_db(transaction=True)


def stocks() -> dict[str, int]:
    return dict(Article.objects.values_list("name", "stock"))


def before_the_repetition(monkeypatch: Any, act: Callable[[], Any]) -> None:
    """Another client's write between the end of the first attempt and its repetition, when nothing
    is locked: that is possible where the server does not end the one by the other, as on a
    mongos."""
    monkeypatch.setattr(sessions, "ends_with_the_next", lambda session: False)
    start = EngineTransaction._start
    begun: list[Any] = []

    def meddle(self: Any, session: Any, moment: Any) -> None:
        if begun:
            act()
        begun.append(session)
        start(self, session, moment)

    monkeypatch.setattr(EngineTransaction, "_start", meddle)


def write_and_undo() -> None:
    with rolled_back():
        Article.objects.create(name="undone")
        Article.objects.update(stock=99)


def test_all_kinds_of_writes_are_repeated():
    Article.objects.bulk_create([Article(name="old", stock=1), Article(name="gone", stock=2)])
    with transaction.atomic():
        Article.objects.filter(name="gone").delete()
        Article.objects.filter(name="old").update(stock=7)
        Article.objects.bulk_create([Article(name=f"n{number}") for number in range(3)])
        upserted = connection.database.shop_article.update_one(
            {"name": "upserted"}, {"$set": {"stock": 4}}, upsert=True
        ).upserted_id
        taken = connection.database.shop_article.find_one_and_update(
            {"name": "n1"}, {"$inc": {"stock": 5}}
        )
        before = stocks()
        write_and_undo()
        assert stocks() == before
        Article.objects.create(name="after")
    assert stocks() == {"old": 7, "n0": 0, "n1": 5, "n2": 0, "upserted": 4, "after": 0}
    assert Article.objects.get(name="upserted").pk == upserted
    assert taken["stock"] == 0


def test_an_error_of_the_server_ends_only_the_savepoint():
    Article.objects.create(name="a")
    Article.objects.create(name="b")
    with transaction.atomic():
        Article.objects.create(name="c")
        with pytest.raises(IntegrityError, match="duplicate key"), transaction.atomic():
            # An update is not looked for first.
            Article.objects.filter(name="a").update(name="b")
        Article.objects.create(name="d")
    assert sorted(stocks()) == ["a", "b", "c", "d"]


def test_a_duplicate_that_is_found_first_ends_nothing(sent):
    Article.objects.create(name="a")
    with sent() as commands, transaction.atomic():
        Article.objects.create(name="b")
        with pytest.raises(IntegrityError, match="Duplicate key"), transaction.atomic():
            Article.objects.create(name="a")
        Article.objects.create(name="c")
    assert "abortTransaction*" not in commands
    assert sorted(stocks()) == ["a", "b", "c"]


def test_keys_of_several_fields_are_looked_for(sent):
    Label.objects.create(shelf="x", place=1)
    with sent() as commands, transaction.atomic():
        Label.objects.create(shelf="x", place=2)
        with pytest.raises(IntegrityError, match="Duplicate key"), transaction.atomic():
            Label.objects.create(shelf="x", place=1)
    assert "abortTransaction*" not in commands


def test_savepoints_in_savepoints():
    with transaction.atomic():
        Article.objects.create(name="1")
        with transaction.atomic():
            Article.objects.create(name="2")
            with rolled_back():
                Article.objects.create(name="3")
            Article.objects.create(name="4")
        with rolled_back():
            Article.objects.create(name="5")
            with transaction.atomic():
                Article.objects.create(name="6")
    assert sorted(stocks()) == ["1", "2", "4"]


def test_by_hand():
    with transaction.atomic():
        Article.objects.create(name="1")
        first = transaction.savepoint()
        Article.objects.create(name="2")
        second = transaction.savepoint()
        Article.objects.create(name="3")
        transaction.savepoint_rollback(second)
        assert sorted(stocks()) == ["1", "2"]
        transaction.savepoint_commit(second)
        transaction.savepoint_rollback(first)
        transaction.savepoint_rollback(first)
        Article.objects.create(name="4")
    assert sorted(stocks()) == ["1", "4"]


@pytest.mark.parametrize("seen", ["before the savepoint", "after it"])
def test_what_others_change_meanwhile_stays_unseen(outside, seen):
    Article.objects.create(name="a", stock=1)
    with transaction.atomic():
        Article.objects.create(name="b")
        if seen == "before the savepoint":
            assert sorted(stocks()) == ["a", "b"]
        with rolled_back():
            if seen == "after it":
                assert sorted(stocks()) == ["a", "b"]
            Article.objects.create(name="c")
            outside.shop_article.insert_one({"name": "other", "stock": 0})
        assert sorted(stocks()) == ["a", "b"]
    assert sorted(stocks()) == ["a", "b", "other"]


class TestNothingWasSeen:
    """Then the block is just as valid at another moment, and the server is not queried for its
    moment."""

    @pytest.fixture(autouse=True)
    def not_asked(self, monkeypatch):
        def ask(client: Any, database: str) -> bool:
            raise AssertionError("the moment was to be learned")

        monkeypatch.setattr(moments, "can_choose", ask)
        monkeypatch.setattr(EngineTransaction, "_reads_first", lambda self, client: False)

    def test_what_was_written_is_repeated(self, outside):
        with transaction.atomic():
            Article.objects.create(name="a")
            with rolled_back():
                Article.objects.create(name="b")
                outside.shop_article.insert_one({"name": "other", "stock": 0})
        assert sorted(stocks()) == ["a", "other"]

    def test_a_duplicate_that_is_found_first_ends_nothing(self):
        Article.objects.create(name="taken")
        with transaction.atomic():
            Article.objects.create(name="a")
            with pytest.raises(IntegrityError), transaction.atomic():
                Article.objects.create(name="taken")
        assert sorted(stocks()) == ["a", "taken"]

    def test_another_client_was_faster(self, outside, monkeypatch):
        other = {"name": "a", "stock": 50}
        before_the_repetition(monkeypatch, lambda: outside.shop_article.insert_one(other))
        with failing(DatabaseError) as raised, transaction.atomic():
            Article.objects.create(name="a", stock=1)
            with rolled_back():
                Article.objects.create(name="b")
        assert is_transient(raised.value)
        assert stocks() == {"a": 50}


def test_what_an_asynchronous_client_has_seen_stays(outside):
    async def names() -> list[str]:
        articles = services["default"].async_database.shop_article
        return [one["name"] async for one in articles.find()]

    with transaction.atomic():
        Article.objects.create(name="a")
        with rolled_back():
            assert asyncio.run(names()) == ["a"]
            outside.shop_article.insert_one({"name": "other", "stock": 0})
            Article.objects.create(name="b")
        assert sorted(stocks()) == ["a"]


def test_a_duplicate_that_was_found_has_been_seen(outside):
    """The application has learnt of it, so it is still there after a later rollback."""
    Article.objects.create(name="taken")
    with transaction.atomic():
        Article.objects.create(name="a")
        with pytest.raises(IntegrityError), transaction.atomic():
            Article.objects.create(name="taken")
        with rolled_back():
            Article.objects.create(name="b")
            outside.shop_article.delete_one({"name": "taken"})
        assert sorted(stocks()) == ["a", "taken"]
    assert sorted(stocks()) == ["a"]


def test_what_others_have_changed_ends_the_whole(outside):
    article = Article.objects.create(name="a", stock=1)

    def change() -> None:
        outside.shop_article.update_one({"_id": article.pk}, {"$set": {"stock": 50}})

    with pytest.MonkeyPatch.context() as patched:
        before_the_repetition(patched, change)
        with failing(DatabaseError) as raised, transaction.atomic():
            Article.objects.filter(name="a").update(stock=2)
            write_and_undo()
            Article.objects.create(name="never")
    assert "atomic" in str(raised.value)
    assert stocks() == {"a": 50}


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ([{"$set": {"at": "$$NOW"}}], {}),
        ({"$currentDate": {"at": True}}, {}),
        ([{"$set": {"stock": {"$rand": {}}}}], {}),
    ],
)
def test_what_differs_each_time_is_not_repeated(change, options):
    Article.objects.create(name="a")
    with failing(DatabaseError), transaction.atomic():
        connection.database.shop_article.update_one({"name": "a"}, change)
        write_and_undo()
        Article.objects.create(name="never")
    assert stocks() == {"a": 0}


def test_what_is_inserted_as_a_value_is_no_operator(outside):
    with transaction.atomic():
        Article.objects.create(name="$$NOW and $rand")
        write_and_undo()
    assert stocks() == {"$$NOW and $rand": 0}


def test_repeated_together_is_no_more_than_a_message_holds():
    """A message of the wire protocol holds 48 MB, however large the log may be."""
    command = bson.encode({"insert": "large", "ordered": True})
    document = bson.encode({"data": b"x" * (10 << 20)})
    writes = [Write("shop", command, (document,), len(document)) for _ in range(5)]
    commands = [command for _, command in repetitions(writes)]
    assert sum(len(command["documents"]) for command in commands) == 5
    assert max(len(bson.encode(command)) for command in commands) < 48_000_000


def test_the_server_ends_the_first_attempt_by_itself(outside, sent):
    """Others can write at once what only the undone part had written."""
    other = Article.objects.create(name="other")
    with sent() as commands, transaction.atomic():
        Article.objects.create(name="a")
        with rolled_back():
            Article.objects.filter(pk=other.pk).update(stock=1)
        outside.shop_article.update_one({"name": "other"}, {"$set": {"stock": 2}})
    assert "abortTransaction*" not in commands
    assert stocks() == {"other": 2, "a": 0}


def test_a_rollback_with_nothing_to_repeat_leaves_nothing_open(outside):
    other = Article.objects.create(name="other")
    with transaction.atomic():
        with rolled_back():
            Article.objects.filter(pk=other.pk).update(stock=1)
        outside.shop_article.update_one({"name": "other"}, {"$set": {"stock": 2}})
    assert stocks() == {"other": 2}


@override_settings(DJONGO_SERVICES={"TRANSACTION": {"SAVEPOINT_LOG": 1000}})
def test_more_than_is_kept():
    with failing(DatabaseError), transaction.atomic():
        Article.objects.bulk_create([Article(name=f"{number:040}") for number in range(50)])
        write_and_undo()
        Article.objects.create(name="never")
    assert stocks() == {}


class TestValuesOfACodec:
    """PyMongo's ``codec_options`` say how values are written that BSON has several types for."""

    @pytest.fixture
    def things(self):
        collection = connection.database.things
        yield lambda options: collection.with_options(codec_options=options)
        collection.drop()

    def test_of_the_client_are_repeated(self, things, monkeypatch):
        client = connection.database.client
        options = client.codec_options
        standard = options.with_options(uuid_representation=UuidRepresentation.STANDARD)
        monkeypatch.setattr(client, "_codec_options", standard)
        written = {"_id": 1, "key": uuid.UUID(int=7)}
        with transaction.atomic():
            things(standard).insert_one(written)
            write_and_undo()
        assert list(things(standard).find()) == [written]

    def test_of_a_collection_are_not_repeated_without(self, things):
        """The block does not continue as if the write before the savepoint still existed."""
        old: CodecOptions[Any] = CodecOptions(uuid_representation=UuidRepresentation.PYTHON_LEGACY)
        with failing(DatabaseError), transaction.atomic():
            Article.objects.create(name="never")
            things(old).insert_one({"key": uuid.UUID(int=7)})
            write_and_undo()
        assert stocks() == {}
        assert things(old).count_documents({}) == 0


class TestNothingIsLostInSilence:
    """Blocks that continue after the writes before a savepoint could not be restored."""

    @staticmethod
    def lose(name: str) -> None:
        """Write what cannot be repeated, and undo a savepoint after it."""
        Article.objects.create(name=name)
        connection.database.shop_article.update_one({"name": name}, [{"$set": {"at": "$$NOW"}}])
        write_and_undo()

    def test_the_block_ends_with_an_error(self):
        with failing(DatabaseError) as raised, transaction.atomic():
            self.lose("earlier")
        assert "nothing of it is saved" in str(raised.value)
        assert stocks() == {}
        Article.objects.create(name="the next one")
        assert stocks() == {"the next one": 0}

    def test_in_the_middle_of_another(self):
        """The block around it is not saved either: it learns of the error only at its end."""
        with failing(DatabaseError) as raised, transaction.atomic():
            Article.objects.create(name="outer")
            with transaction.atomic():
                self.lose("earlier")
        assert "nothing of it is saved" in str(raised.value)
        assert stocks() == {}

    def test_while_an_error_is_being_handled(self):
        def handle() -> None:
            try:
                raise KeyError
            except KeyError:
                with transaction.atomic():
                    self.lose("earlier")

        with pytest.raises(DatabaseError, match="nothing of it is saved"):
            handle()
        assert stocks() == {}

    def test_an_error_on_its_way_is_enough(self):
        with failing(KeyError) as raised, transaction.atomic():
            self.lose("earlier")
            raise KeyError
        assert raised.value.__context__ is None
        assert stocks() == {}

    def test_an_outer_savepoint_undoes_what_could_not_be_restored(self):
        with transaction.atomic():
            with rolled_back():
                self.lose("earlier")
            Article.objects.create(name="kept")
        assert stocks() == {"kept": 0}


@override_settings(DJONGO_SERVICES={"TRANSACTION": {"SAVEPOINTS": "off"}})
def test_without_savepoints_the_whole_is_rolled_back():
    with failing(transaction.TransactionManagementError), transaction.atomic():
        Article.objects.create(name="a")
        write_and_undo()
        Article.objects.create(name="never")
    assert stocks() == {}


def test_a_cursor_that_was_opened_before():
    Article.objects.bulk_create([Article(name=f"{number}") for number in range(300)])
    with transaction.atomic():
        rows = Article.objects.iterator(chunk_size=50)
        first = next(rows)
        Article.objects.create(name="later")
        assert len({first.name, *(row.name for row in rows)}) == 300


class TestListening:
    """Writes to be repeated are recorded from PyMongo's events, which are sent only when they are
    needed."""

    @pytest.fixture
    def things(self, engine, monkeypatch):
        monkeypatch.setattr(database_names, "is_testing", lambda: False)
        return engine.database.things

    def test_only_to_transactions_that_write(self, engine, things):
        things.insert_one({"_id": "before"})
        listeners = engine.connection._event_listeners
        assert not listeners.enabled_for_commands
        with transaction.atomic(using="engine"):
            assert things.find_one()
            assert not listeners.enabled_for_commands
            things.insert_one({"_id": 1})
            assert listeners.enabled_for_commands
            with rolled_back(transaction.atomic(using="engine")):
                things.insert_one({"_id": 2})
        assert not listeners.enabled_for_commands
        assert [one["_id"] for one in things.find()] == ["before", 1]

    def test_without_them_the_whole_is_rolled_back(self, engine, things, monkeypatch):
        things.insert_one({"_id": "before"})
        monkeypatch.setattr(type(recorder), "__bool__", lambda self: False)
        with failing(transaction.TransactionManagementError), transaction.atomic(using="engine"):
            things.insert_one({"_id": 1})
            with rolled_back(transaction.atomic(using="engine")):
                things.insert_one({"_id": 2})
            things.insert_one({"_id": 3})
        assert [one["_id"] for one in things.find()] == ["before"]


def test_a_repetition_that_is_never_sent_leaves_nothing_open(outside):
    """The server did not learn of the transaction that would have ended the first attempt."""
    other = Article.objects.create(name="other")
    with failing(DatabaseError), transaction.atomic():
        Article.objects.create(name="a")
        savepoint = transaction.savepoint()
        Article.objects.filter(pk=other.pk).update(stock=1)
        with pymongo.timeout(1e-6):
            transaction.savepoint_rollback(savepoint)
    with pymongo.timeout(5):
        outside.shop_article.update_one({"name": "other"}, {"$set": {"stock": 2}})
    assert stocks() == {"other": 2}
