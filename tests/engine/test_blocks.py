"""The commands that Django's blocks send to the server, and what they leave in the database."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
from bson.timestamp import Timestamp
from django.db import IntegrityError, NotSupportedError, OperationalError, transaction
from pymongo.errors import ExecutionTimeout
from pymongo.write_concern import WriteConcern

from djongo_services.backend import sessions
from djongo_services.backend.unique import filters, types_of
from djongo_services.schema.options import _ATTRIBUTE as OPTIONS
from djongo_services.schema.options import CollectionOptions
from djongo_services.transaction import current
from tests.engine.helpers import failing, rolled_back
from tests.engine.shop.models import Article, Label, Note
from tests.mongodb_orm import connection

pytestmark = pytest.mark.django_db(transaction=True)


def names() -> list[str]:
    return sorted(Article.objects.values_list("name", flat=True))


class TestSent:
    def test_a_block_that_only_reads(self, sent):
        Article.objects.create(name="a")
        with sent() as commands, transaction.atomic():
            assert Article.objects.count() == 1
            assert Article.objects.get().name == "a"
        assert commands == ["aggregate", "aggregate"]

    def test_a_block_without_anything(self, sent):
        with sent() as commands, transaction.atomic():
            pass
        assert commands == []

    def test_a_write_of_its_own(self, sent):
        with sent() as commands:
            note = Note.objects.create(text="a")
            note.text = "b"
            note.save()
            Note.objects.update(text="c")
            note.delete()
        assert commands == ["insert", "update", "update", "delete"]

    def test_a_write_begins_it(self, sent):
        with sent() as commands, transaction.atomic():
            Article.objects.count()
            Article.objects.create(name="a")
            Article.objects.count()
        assert commands == ["aggregate", "insert*", "aggregate*", "commitTransaction*"]

    def test_a_savepoint_without_writes(self, sent):
        with sent() as commands, transaction.atomic(), transaction.atomic():
            Article.objects.create(name="a")
        assert commands == ["insert*", "commitTransaction*"]


class TestSessions:
    def test_one_is_used_again(self):
        client = connection.connection
        Article.objects.create(name="a")
        first = sessions.take(client, None)
        sessions.give_back(first)
        for number in range(5):
            with transaction.atomic():
                Article.objects.update(stock=number)
        assert sessions.take(client, None) is first
        first.end_session()

    def test_one_that_has_written_since_is_not_used(self):
        client = connection.connection
        with transaction.atomic():
            Article.objects.create(name="a")
        moment = Timestamp(1, 1)
        fresh = sessions.take(client, moment)
        assert fresh.operation_time is None
        sessions.give_back(fresh)
        assert sessions.take(client, moment) is fresh
        fresh.end_session()

    def test_they_are_no_more_than_the_bound(self, monkeypatch):
        monkeypatch.setattr(sessions, "MOST", 2)
        client = connection.connection
        with transaction.atomic():
            Article.objects.create(name="a")
        taken = [sessions.take(client, None) for _ in range(4)]
        for session in taken:
            sessions.give_back(session)
        assert [session.has_ended for session in taken] == [False, False, True, True]
        with transaction.atomic():
            Article.objects.update(stock=1)
        assert sessions.take(client, Timestamp(1, 1)) in taken


class TestOneMoment:
    def test_a_session_that_was_kept_follows_the_transaction(self):
        collection = connection.database.shop_article
        with transaction.atomic():
            kept = connection.session
            assert collection.find_one({}, session=kept) is None
            for name in "ab":
                collection.insert_one({"name": name, "stock": 0}, session=kept)
            assert collection.count_documents({}, session=kept) == 2
        assert names() == ["a", "b"]

    def test_reads_before_the_first_write_do_not_change(self, outside):
        Article.objects.create(name="a")
        with transaction.atomic():
            assert names() == ["a"]
            outside.shop_article.insert_one({"name": "b", "stock": 0})
            assert names() == ["a"]
        assert names() == ["a", "b"]

    def test_what_was_read_and_has_changed_is_a_conflict(self, outside):
        article = Article.objects.create(name="a")
        with failing(OperationalError) as raised, transaction.atomic():
            read = Article.objects.get()
            outside.shop_article.update_one({"_id": article.pk}, {"$set": {"stock": 5}})
            read.stock += 1
            read.save()
        assert "Write conflict" in str(raised.value)
        assert Article.objects.get().stock == 5

    def test_a_write_beside_it_after_the_first_read_is_no_conflict(self):
        """As when the storage writes chunks; the pool may give any session to any operation."""
        Article.objects.create(name="a")
        with transaction.atomic():
            assert names() == ["a"]
            with current.apart():
                connection.database.shop_note.insert_one({"text": "beside"})
            Article.objects.create(name="b")
        assert names() == ["a", "b"]

    def test_a_write_just_before_it_that_no_majority_has_is_no_conflict(self):
        Article.objects.create(name="a")
        quick = connection.database.get_collection("shop_note", write_concern=WriteConcern(w=1))
        for number in range(20):
            with ExitStack() as stack:
                for _ in range(2):
                    session = stack.enter_context(connection.connection.start_session())
                    quick.insert_one({"text": "quick"}, session=session)
            with transaction.atomic():
                assert Article.objects.get(name="a").stock == number
                Article.objects.update(stock=number + 1)

    def test_a_collection_that_is_newer_than_the_moment(self, outside):
        with transaction.atomic():
            assert names() == []
            connection.database.made_now.insert_one({"_id": 1})
        assert outside.made_now.count_documents({}) == 1

    def test_no_update_is_lost(self):
        Article.objects.create(name="a")
        committed = []

        def work() -> None:
            try:
                for _ in range(20):
                    try:
                        with transaction.atomic():
                            article = Article.objects.get()
                            try:
                                with transaction.atomic():
                                    Article.objects.create(name="a")
                            except IntegrityError:
                                pass
                            article.stock += 1
                            article.save()
                    except OperationalError:
                        continue
                    committed.append(1)
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(committed) > 0
        assert Article.objects.get().stock == len(committed)


class TestQuerySets:
    def test_rows_are_locked(self, outside):
        article = Article.objects.create(name="a")
        with transaction.atomic():
            locked = Article.objects.select_for_update().get()
            update = {"q": {"_id": article.pk}, "u": {"$set": {"stock": 5}}}
            with pytest.raises(ExecutionTimeout):  # Another writer waits for the lock.
                outside.command("update", "shop_article", updates=[update], maxTimeMS=200)
            locked.stock += 1
            locked.save()
        assert list(outside.shop_article.find_one()) == ["_id", "name", "stock"]
        assert Article.objects.get().stock == 1

    def test_rows_of_a_closed_collection_are_locked(self, outside, monkeypatch):
        schema = {"bsonType": "object", "properties": {"_id": {}, "name": {}, "stock": {}}}
        validator = {"$jsonSchema": {**schema, "additionalProperties": False}}
        article = Article.objects.create(name="a")
        before = outside.shop_article.find_one()
        connection.database.command("collMod", "shop_article", validator=validator)
        try:
            with failing(NotSupportedError) as raised, transaction.atomic():
                Article.objects.select_for_update().get()
            assert "@collection_options(closed=True) on shop.Article" in str(raised.value)
            monkeypatch.setattr(Article, OPTIONS, CollectionOptions(closed=True), raising=False)
            with transaction.atomic():
                assert Article.objects.select_for_update().get() == article
                update = {"q": {"_id": article.pk}, "u": {"$set": {"stock": 5}}}
                with pytest.raises(ExecutionTimeout):
                    outside.command("update", "shop_article", updates=[update], maxTimeMS=200)
        finally:
            connection.database.command("collMod", "shop_article", validator={})
        assert [*outside.shop_article.find_one().items()] == [*before.items()]

    def test_a_row_of_one_column_is_locked(self, outside, monkeypatch):
        """Reversing it changes the place of its key, which the server puts right."""
        monkeypatch.setattr(Note, OPTIONS, CollectionOptions(closed=True), raising=False)
        note = Note.objects.create(text="a")
        with transaction.atomic():
            assert Note.objects.select_for_update().get() == note
            update = {"q": {"_id": note.pk}, "u": {"$set": {"text": "b"}}}
            with pytest.raises(ExecutionTimeout):
                outside.command("update", "shop_note", updates=[update], maxTimeMS=200)
        assert [*outside.shop_note.find_one().items()] == [("_id", note.pk), ("text", "a")]

    def test_rows_are_locked_in_transactions_only(self):
        with pytest.raises(transaction.TransactionManagementError, match="outside"):
            list(Article.objects.select_for_update())

    @pytest.mark.parametrize("inside", [False, True])
    def test_conflicts_are_ignored_or_updated(self, inside):
        Article.objects.create(name="a", stock=1)
        with transaction.atomic() if inside else transaction.atomic(savepoint=False):
            new = [Article(name="a", stock=2), Article(name="b", stock=2)]
            Article.objects.bulk_create(new, ignore_conflicts=True)
            assert dict(Article.objects.values_list("name", "stock")) == {"a": 1, "b": 2}
            new = [Article(name="a", stock=3), Article(name="c", stock=3)]
            Article.objects.bulk_create(
                new, update_conflicts=True, update_fields=["stock"], unique_fields=["name"]
            )
            assert dict(Article.objects.values_list("name", "stock")) == {"a": 3, "b": 2, "c": 3}
            assert {one.pk for one in new} < set(Article.objects.values_list("pk", flat=True))

    def test_a_duplicate_is_looked_for_by_the_index(self):
        types = types_of(Article._meta, connection)
        (by_name,) = filters([("name",)], {"name": "a"}, types)
        plan = connection.database.shop_article.find({"$or": [by_name]}).explain()
        assert "IXSCAN" in str(plan["queryPlanner"]["winningPlan"])

    def test_conflicts_outside_of_a_transaction(self):
        Article.objects.create(name="a", stock=1)
        Article.objects.bulk_create([Article(name="a"), Article(name="b")], ignore_conflicts=True)
        assert names() == ["a", "b"]

    def test_a_union_in_a_transaction(self):
        with transaction.atomic():
            for name in "abc":
                Article.objects.create(name=name)
            found = Article.objects.filter(name="a").union(Article.objects.exclude(name="b"))
            assert sorted(one.name for one in found) == ["a", "c"]

    def test_many_to_many_is_prefetched(self):
        label = Label.objects.create(shelf="x", place=1)
        label.articles.add(Article.objects.create(name="a"), Article.objects.create(name="b"))
        found = Label.objects.prefetch_related("articles").get()
        assert sorted(one.name for one in found.articles.all()) == ["a", "b"]

    def test_get_or_create_in_a_block_that_has_written(self):
        with transaction.atomic():
            first, made = Article.objects.get_or_create(name="a")
            second, again = Article.objects.get_or_create(name="a")
            Article.objects.create(name="b")
        assert (first, made, again) == (second, True, False)
        assert names() == ["a", "b"]

    @pytest.mark.parametrize("written", [False, True])
    def test_a_collection_is_made_inside_of_a_block(self, written):
        with rolled_back():
            if written:
                Article.objects.create(name="a")
            connection.database.create_collection("made_inside")
            connection.database.made_inside.create_index("n")
        assert names() == []
        assert "made_inside" in connection.database.list_collection_names()
        connection.database.drop_collection("made_inside")

    @pytest.mark.parametrize(
        ("option", "named"),
        [
            ({"skip_locked": True}, "^SKIP LOCKED is not supported"),
            ({"of": ("self",)}, "^FOR UPDATE OF is not supported"),
            ({"no_key": True}, "^FOR NO KEY UPDATE is not supported"),
        ],
    )
    def test_locks_that_there_are_not(self, option, named):
        with transaction.atomic(), pytest.raises(NotSupportedError, match=named):
            list(Article.objects.select_for_update(**option))

    def test_what_a_validator_refuses_is_explained(self):
        validator = {"$jsonSchema": {"properties": {"stock": {"maximum": 5}}}}
        connection.database.command("collMod", "shop_article", validator=validator)
        try:
            with pytest.raises(IntegrityError, match=r"shop_article\.stock"):
                Article.objects.create(name="a", stock=6)
            with pytest.raises(IntegrityError, match=r"shop_article\.stock"):
                Article.objects.bulk_create([Article(name="a", stock=6)])
            article = Article.objects.create(name="a", stock=5)
            with pytest.raises(IntegrityError, match=r"shop_article\.stock"):
                Article.objects.update(stock=6)
            article.stock = 6
            with pytest.raises(IntegrityError, match=r"shop_article\.stock"):
                article.save()
        finally:
            connection.database.command("collMod", "shop_article", validator={})

    def test_more_than_the_servers_cache_holds(self):
        large = "x" * 1_000_000
        with failing(OperationalError) as raised, transaction.atomic():
            for _ in range(20):
                Note.objects.bulk_create([Note(text=large) for _ in range(10)])
        # Before MongoDB 6.0 the server takes it for a conflict.
        assert str(raised.value).startswith(
            ("shop_note: more was written in one transaction than", "Write conflict: insert on ")
        )
        assert not Note.objects.exists()

    def test_listings_inside_of_a_block(self):
        with transaction.atomic():
            Article.objects.create(name="a")
            assert "shop_article" in connection.database.list_collection_names()
            connection.database.shop_article.index_information()
            Article.objects.filter(name="a").explain()
        assert names() == ["a"]


def test_an_address_with_a_write_concern_and_a_read_preference(engine, django_db_blocker):
    """As in the addresses that hosted databases provide."""
    options = engine.settings_dict["OPTIONS"]
    options.update(w="majority", readPreference="secondaryPreferred", retryWrites=True)
    with engine.schema_editor() as editor:
        editor.create_model(Note)
    notes = Note.objects.using(engine.alias)
    with transaction.atomic(using=engine.alias):
        assert not notes.exists()
        note = notes.create(text="a")
        with transaction.atomic(using=engine.alias):
            notes.filter(pk=note.pk).update(text="b")
            engine.database.shop_note.insert_one({"text": "raw"})
        assert sorted(notes.values_list("text", flat=True)) == ["b", "raw"]
    assert notes.count() == 2
