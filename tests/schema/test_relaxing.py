"""A relaxed validator: the same rules, not enforced, with a mark that says what it was."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from bson import Int64, encode
from pymongo.errors import WriteError

from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Validator
from djongo_services.schema.applying import History, SchemaLease, apply
from djongo_services.schema.diff import diff
from djongo_services.schema.diff.validators import same_query
from djongo_services.schema.migrating import settling
from djongo_services.schema.migrating.settling import validators_of
from djongo_services.schema.operations import SetValidator
from djongo_services.schema.ownership import annotated, is_ours, marked, note_of
from djongo_services.schema.relaxing import before_relaxing, relaxed
from djongo_services.schema.spec import CollectionSpec
from tests.schema.rollbacks import roll_back

SCHEMA = {"$jsonSchema": {"required": ["name"], "properties": {"name": {"bsonType": "string"}}}}
CHECKED = {"$and": [SCHEMA, {"size": {"$gte": Int64(0)}}]}
AT = datetime(2026, 11, 30, 4, 36, tzinfo=UTC)


def ours(query=SCHEMA, level="strict", action="error"):
    return Validator(query=marked(query, ["shop.Book"]), level=level, action=action)


@pytest.mark.parametrize("query", [SCHEMA, CHECKED])
@pytest.mark.parametrize("level", ["strict", "moderate"])
@pytest.mark.parametrize("action", ["error", "warn"])
def test_what_it_was_can_be_read_from_it(query, level, action):
    before = ours(query, level, action)
    resting = relaxed(before, AT)
    assert resting.level == "off"
    assert is_ours(resting.query)
    assert same_query(resting.query, query)
    assert note_of(resting.query) == f"relaxed by migrate at 2026-11-30T04:36:00Z, {level} before"
    assert before_relaxing(resting) == before
    assert encode(dict(before_relaxing(resting).query)) == encode(dict(before.query))


def test_only_ours_can_be_relaxed():
    foreign = Validator(query=SCHEMA)
    assert before_relaxing(foreign) is None
    assert annotated(SCHEMA, "a note") == SCHEMA
    assert note_of(SCHEMA) == ""


def test_what_was_switched_off_or_edited_by_hand_is_not_relaxed():
    off = ours(level="off")
    assert before_relaxing(off) is None
    edited = {"$jsonSchema": {**relaxed(ours(), AT).query["$jsonSchema"], "required": ["x"]}}
    assert before_relaxing(Validator(query=edited, level="off")) is None


class TestOnAServer:
    @pytest.fixture
    def books(self, matrix_database):
        before = ours(CHECKED)
        matrix_database.create_collection("books", validator=before.query)
        step = SetValidator(collection="books", before=before, after=relaxed(before, AT))
        matrix_database.command(step.command())
        return matrix_database

    def spec(self, **columns):
        rules = {name: {"bsonType": kind} for name, kind in columns.items()}
        return CollectionSpec(
            name="books",
            models=("shop.Book",),
            validator={"$jsonSchema": {"required": list(columns), "properties": rules}},
        )

    def settle(self, database, spec):
        with SchemaLease(database) as lease:
            return settling.settle(database, {"books": spec}, created=[], lease=lease)

    def test_nothing_is_refused(self, books):
        books.books.insert_one({"name": 5})
        assert before_relaxing(validators_of(books)["books"]) == ours(CHECKED)

    def test_the_difference_to_the_models_is_that_it_is_relaxed(self, books):
        plan = diff(read_catalog(books), (self.spec(name="string"),), violators={"books": 0})
        (change,) = plan.changes
        assert change.words.endswith("; a run of migrate relaxed it and has not ended")

    def test_it_comes_back_as_strict_as_it_was(self, books):
        (settled,) = self.settle(books, self.spec(title="string"))
        assert (settled.after.level, settled.after.action) == ("strict", "error")
        with pytest.raises(WriteError):
            books.books.insert_one({"title": 5})

    def test_what_is_written_between_the_count_and_the_validator_is_found(self, books, monkeypatch):
        def apply_late(database, *args, **kwargs):
            if database.books.count_documents({}) == 0:
                database.books.insert_one({"name": "of the old code"})
            return apply(database, *args, **kwargs)

        monkeypatch.setattr(settling, "apply", apply_late)
        (settled,) = self.settle(books, self.spec(title="string"))
        assert settled.violators == 1
        found = validators_of(books)["books"]
        assert (found.level, found.action) == ("moderate", "warn")

    def test_rolling_back_puts_the_rules_in_force_that_were_before(self, books):
        self.settle(books, self.spec(title="string"))
        (run,) = History(books).runs()
        roll_back(books, run.id)
        assert validators_of(books)["books"] == ours(CHECKED)

    def test_a_collection_that_no_model_has_any_more_gets_its_rules_back(self, books):
        with SchemaLease(books) as lease:
            settling.settle(books, {}, created=[], lease=lease)
        assert validators_of(books)["books"] == ours(CHECKED)

    def test_a_new_collection_with_a_validator_of_its_own_keeps_it(self, books):
        books.create_collection("books_2", validator={"a": 1})
        spec = CollectionSpec(name="books_2", models=("shop.Two",), validator=SCHEMA)
        with SchemaLease(books) as lease:
            settling.settle(books, {"books_2": spec}, created=["books_2"], lease=lease)
        assert validators_of(books)["books_2"].query == {"a": 1}
