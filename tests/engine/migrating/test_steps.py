"""Each operation of a migration leaves documents, indexes and validator as the models say."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, cast

import pytest
from bson import Int64, ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.db import DataError, IntegrityError, models, transaction
from django.db.migrations import operations as o
from django.db.migrations.writer import OperationWriter
from django.db.models import Q
from django_mongodb_backend import indexes as backend_indexes
from django_mongodb_backend import utils as backend_utils
from django_mongodb_backend.fields import (
    EmbeddedModelArrayField,
    EmbeddedModelField,
    PolymorphicEmbeddedModelField,
)
from django_mongodb_backend.models import EmbeddedModel
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from djongo_services.operations import MISFITS, ConvertField
from tests.engine.helpers import names_constraints
from tests.engine.migrating.state import key
from tests.mongodb_orm import connection, connections


def create(name: str, *fields: tuple[str, Any], **options: Any) -> o.CreateModel:
    return o.CreateModel(name, [key(), *fields], options=options)


def embedded(name: str, *fields: tuple[str, Any]) -> o.CreateModel:
    return o.CreateModel(name, [*fields], bases=(EmbeddedModel,))


def char(**options: Any) -> Any:
    return models.CharField(**{"max_length": 20, **options})


def index_keys(moving: Any, name: str) -> list[list[str]]:
    return sorted(list(one["key"]) for one in moving.collection(name).list_indexes())


class Secret(models.CharField):
    encrypted = True


OF_EMBEDDED = not hasattr(backend_indexes, "EmbeddedFieldIndex")
"""Whether embedded models declare their indexes themselves."""
THING = create("Thing", ("name", char()), ("size", models.IntegerField(default=0)))
POSITIVE = models.CheckConstraint(condition=Q(size__gte=0), name="size_is_positive")


def test_the_validator_is_there_from_the_beginning(moving):
    moving.do(THING)
    assert moving.out_of_step() == []
    assert moving.options("Thing")["validationLevel"] == "strict"
    assert moving.options("Thing")["validationAction"] == "error"
    assert moving.schema("Thing")["properties"]["name"]["title"] == "CharField"


class TestAddField:
    def test_documents_get_the_default_as_it_is(self, moving):
        moving.do(THING)
        moving.collection("Thing").insert_many([{"name": "a", "size": 1}, {"name": "b", "size": 2}])
        moving.do(o.AddField("Thing", "code", char(default="$name")))
        assert [one["code"] for one in moving.documents("Thing")] == ["$name", "$name"]
        assert moving.out_of_step() == []

    def test_a_document_that_has_it_already_keeps_it(self, moving):
        moving.do(THING)
        moving.collection("Thing").insert_one({"name": "a", "size": 1, "code": "mine"})
        moving.do(o.AddField("Thing", "code", char(default="c")))
        assert moving.documents("Thing")[0]["code"] == "mine"

    @pytest.mark.parametrize("keys", ["same type", "all types"])
    def test_more_documents_than_one_batch(self, moving, keys, monkeypatch):
        monkeypatch.setattr("djongo_services.backend.schema.batches.SIZE", 10)
        from djongo_services.backend.schema import batches

        monkeypatch.setattr(
            batches.update_in_batches, "__kwdefaults__", {"progress": None, "size": 10}
        )
        moving.do(THING)
        several: list[Any] = [ObjectId() for _ in range(95)]
        if keys == "all types":
            several += [*range(17), *(f"key {n}" for n in range(23)), True, {"a": 1}, None]
        documents = [{"_id": one, "name": "n", "size": 0} for one in several]
        moving.collection("Thing").insert_many(documents, bypass_document_validation=True)
        moving.do(o.AddField("Thing", "code", char(default="c")))
        assert moving.collection("Thing").count_documents({"code": "c"}) == len(several)

    def test_null_where_it_may_be_null(self, moving):
        moving.do(THING)
        moving.collection("Thing").insert_one({"name": "a", "size": 1})
        moving.do(o.AddField("Thing", "code", char(null=True)))
        assert moving.documents("Thing")[0] == {"name": "a", "size": 1, "code": None}

    def test_no_default_and_not_null_is_refused_where_there_are_documents(self, moving):
        moving.do(THING)
        moving.collection("Thing").insert_one({"name": "a", "size": 1})
        with pytest.raises(IntegrityError, match=r"moving_thing\.code cannot be added: it cannot"):
            moving.do(o.AddField("Thing", "code", char()))
        assert moving.out_of_step() == []

    def test_db_default_and_an_expression(self, moving):
        moving.do(THING)
        moving.collection("Thing").insert_one({"name": "a", "size": 1})
        moving.do(
            o.AddField("Thing", "number", models.IntegerField(db_default=7)),
            o.AddField("Thing", "at", models.DateTimeField(db_default=models.functions.Now())),
        )
        (found,) = moving.documents("Thing")
        assert found["number"] == 7
        assert found["at"].year >= 2024
        assert moving.out_of_step() == []

    def test_documents_that_break_the_validator_in_another_field(self, moving):
        moving.do(THING)
        moving.collection("Thing").insert_one(
            {"name": 3, "size": 1}, bypass_document_validation=True
        )
        moving.do(o.AddField("Thing", "code", char(default="c")))
        assert moving.documents("Thing")[0]["code"] == "c"

    def test_a_many_to_many_field(self, moving):
        moving.do(THING, create("Tag", ("name", char())))
        moving.do(o.AddField("Thing", "tags", models.ManyToManyField("moving.Tag")))
        assert moving.out_of_step() == []
        moving.do(o.RemoveField("Thing", "tags"))
        assert "moving_thing_tags" not in connection.database.list_collection_names()


class TestRemoveField:
    def test_with_all_indexes_that_have_it(self, moving):
        moving.do(create("Thing", ("name", char(unique=True)), ("size", models.IntegerField())))
        moving.collection("Thing").create_index([("size", 1), ("name", 1)])
        moving.collection("Thing").insert_one({"name": "a", "size": 1})
        moving.do(o.RemoveField("Thing", "name"))
        assert moving.documents("Thing") == [{"size": 1}]
        assert list(moving.collection("Thing").index_information()) == ["_id_"]
        assert moving.out_of_step() == []


class TestRenameField:
    def test_indexes_keep_their_names_and_are_unique_all_the_time(self, moving):
        moving.do(
            create(
                "Thing",
                ("name", char(unique=True)),
                ("size", models.IntegerField()),
                indexes=[models.Index(fields=["size", "name"], name="by_size")],
            )
        )
        moving.collection("Thing").insert_many([{"name": "a", "size": 1}, {"name": "b", "size": 1}])
        before = moving.collection("Thing").index_information()
        moving.do(o.RenameField("Thing", "name", "title"))
        after = moving.collection("Thing").index_information()
        assert set(after) == set(before)
        assert after["by_size"]["key"] == [("size", 1), ("title", 1)]
        with pytest.raises(OperationFailure, match="E11000"):
            moving.collection("Thing").insert_one({"title": "a", "size": 9})
        assert moving.out_of_step() == []
        assert [one["title"] for one in moving.documents("Thing")] == ["a", "b"]

    def test_a_text_index_keeps_what_comes_before_its_texts_and_after(self, moving):
        moving.do(THING)
        keys = [("size", 1), ("name", "text"), ("rank", 1)]
        moving.collection("Thing").create_index(keys, name="words", weights={"name": 3})
        moving.do(o.RenameField("Thing", "name", "title"))
        after = moving.collection("Thing").index_information()["words"]
        assert after["key"] == [("size", 1), ("_fts", "text"), ("_ftsx", 1), ("rank", 1)]
        assert after["weights"] == {"title": 3}

    def test_check_constraints_follow(self, moving):
        moving.do(THING, o.AddConstraint("Thing", POSITIVE))
        moving.do(o.RenameField("Thing", "size", "weight"))
        with pytest.raises(OperationFailure) as raised:
            moving.collection("Thing").insert_one({"name": "a", "weight": -1})
        said = "size_is_positive" in str(raised.value.details)
        assert said is names_constraints(connection.database)
        moving.collection("Thing").insert_one({"name": "a", "weight": 1})

    def test_titles_of_foreign_keys_follow(self, moving):
        moving.do(
            create("Tag", ("code", char(unique=True))),
            create(
                "Thing",
                ("tag", models.ForeignKey("moving.Tag", models.CASCADE, "+", to_field="code")),
            ),
        )
        moving.do(o.RenameField("Tag", "code", "short"))
        title = moving.schema("Thing")["properties"]["tag_id"]["title"]
        assert title == "ForeignKey(moving_tag.short)"
        assert moving.out_of_step() == []


class TestAlterField:
    @pytest.mark.parametrize(
        ("old", "new", "values", "after"),
        [
            (models.IntegerField(), char(), [1, 20], ["1", "20"]),
            (char(), models.IntegerField(), ["1", "20"], [1, 20]),
            (models.FloatField(), models.IntegerField(), [1.5, 2.6], [2, 3]),
            (char(), models.BooleanField(), ["true", "False"], [True, False]),
            (char(), models.FloatField(), ["1.5"], [1.5]),
            (models.IntegerField(), models.BooleanField(), [0, 3], [False, True]),
        ],
        ids=["long-string", "string-long", "double-long", "string-bool", "string-double", "bool"],
    )
    def test_values_are_converted(self, moving, old, new, values, after):
        moving.do(create("Thing", ("value", old)))
        moving.collection("Thing").insert_many([{"value": one} for one in values])
        moving.do(o.AlterField("Thing", "value", new))
        found = [one["value"] for one in moving.documents("Thing")]
        assert found == after
        assert [type(one) for one in found] == [
            Int64 if type(one) is int else type(one) for one in after
        ]
        assert moving.out_of_step() == []

    def test_what_cannot_be_converted_is_listed_and_nothing_changes(self, moving):
        moving.do(create("Thing", ("value", char())))
        moving.collection("Thing").insert_many([{"value": "1"}, {"value": "one"}])
        before = moving.validator("Thing"), moving.documents("Thing")
        with pytest.raises(DataError) as raised:
            moving.do(o.AlterField("Thing", "value", models.IntegerField()))
        assert "moving_thing.value cannot become IntegerField: _id " in str(raised.value)
        assert 'has "one". Nothing was changed.' in str(raised.value)
        assert (moving.validator("Thing"), moving.documents("Thing")) == before

    @pytest.mark.parametrize("size", [1, 500])
    def test_what_cannot_be_converted_is_kept_aside(self, moving, caplog, monkeypatch, size):
        monkeypatch.setattr("djongo_services.backend.schema.misfits._AT_ONCE", size)
        moving.do(create("Thing", ("value", char(default="d"))))
        documents = [{"value": one} for one in ("1", "one", "two")]
        _, *others = moving.collection("Thing").insert_many(documents).inserted_ids
        moving.do(ConvertField("Thing", "value", models.IntegerField(null=True), misfits="keep"))
        assert [one["value"] for one in moving.documents("Thing")] == [1, None, None]
        kept = list(connection.database[MISFITS].find(projection={"_id": 0, "at": 0}))
        common = {"collection": "moving_thing", "field": "value"}
        types = {"type": "CharField", "not": "IntegerField"}
        assert sorted(kept, key=lambda one: one["document"]) == [
            {**common, "document": others[0], "value": "one", **types},
            {**common, "document": others[1], "value": "two", **types},
        ]
        assert caplog.messages == [
            "moving_thing.value: 2 values that cannot become IntegerField were replaced by null "
            "and kept in djongo_services_misfits."
        ]
        assert moving.out_of_step() == []

    @pytest.mark.parametrize("after", range(1, 7))
    def test_nothing_is_lost_by_an_interruption(self, moving, monkeypatch, after):
        """Interrupted after each of the commands that take values out of their documents."""
        from djongo_services.backend.schema import DatabaseSchemaEditor

        DatabaseSchemaEditor.migrate_begins(connections["default"], verbosity=0, stdout=None)
        monkeypatch.setattr("djongo_services.backend.schema.misfits._AT_ONCE", 1)
        moving.do(create("Thing", ("value", char())))
        moving.collection("Thing").insert_many([{"value": one} for one in ("a", "1", "b", "c")])
        change = ConvertField("Thing", "value", models.IntegerField(null=True), misfits="keep")
        send, sent = Collection.bulk_write, iter(range(1, 100))

        def bulk_write(*args, **kwargs):
            done = send(*args, **kwargs)
            if next(sent) == after:
                raise KeyboardInterrupt
            return done

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Collection, "bulk_write", bulk_write)
            with pytest.raises(KeyboardInterrupt):
                moving.do(change)
        moving.do(change)
        assert [one["value"] for one in moving.documents("Thing")] == [None, 1, None, None]
        assert sorted(connection.database[MISFITS].distinct("value")) == ["a", "b", "c"]
        assert connection.database[MISFITS].count_documents({}) == 3
        assert moving.out_of_step() == []

    def test_what_cannot_be_converted_is_given_up(self, moving, caplog):
        moving.do(create("Thing", ("value", char())))
        moving.collection("Thing").insert_many([{"value": "1"}, {"value": "one"}])
        moving.do(ConvertField("Thing", "value", models.IntegerField(default=7), misfits="null"))
        assert moving.documents("Thing") == [{"value": 1}, {"value": 7}]
        assert connection.database[MISFITS].count_documents({}) == 0
        assert caplog.messages == [
            "moving_thing.value: 1 value that cannot become IntegerField was replaced by the "
            "default and not kept."
        ]
        assert moving.out_of_step() == []

    def test_what_is_too_long_is_kept_aside(self, moving):
        moving.do(create("Thing", ("value", char())))
        moving.collection("Thing").insert_many([{"value": "ab"}, {"value": "abc"}])
        short = char(max_length=2, null=True)
        moving.do(ConvertField("Thing", "value", short, misfits="keep"))
        assert moving.documents("Thing") == [{"value": "ab"}, {"value": None}]
        assert connection.database[MISFITS].find_one()["value"] == "abc"
        assert moving.out_of_step() == []

    @pytest.mark.parametrize(
        "field",
        [
            models.IntegerField(),
            models.IntegerField(unique=True, default=7),
        ],
        ids=["nothing takes their place", "one of them only"],
    )
    def test_what_cannot_be_replaced_is_refused(self, moving, field):
        moving.do(create("Thing", ("value", char())))
        moving.collection("Thing").insert_many([{"value": "1"}, {"value": "one"}])
        before = moving.validator("Thing"), moving.documents("Thing")
        with pytest.raises(DataError, match="Nothing was changed"):
            moving.do(ConvertField("Thing", "value", field, misfits="keep"))
        assert (moving.validator("Thing"), moving.documents("Thing")) == before

    def test_what_is_missing_is_refused_all_the_same(self, moving):
        moving.do(create("Thing", ("value", char())))
        collection = moving.collection("Thing")
        collection.insert_many([{"value": "one"}, {}], bypass_document_validation=True)
        field = models.IntegerField(default=7)
        with pytest.raises(IntegrityError, match=r"has null\. Nothing was changed"):
            moving.do(ConvertField("Thing", "value", field, misfits="keep"))
        assert moving.documents("Thing") == [{"value": "one"}, {}]

    def test_the_text_says_what_becomes_of_them(self, moving):
        moving.do(create("Thing", ("value", char())))
        field = models.IntegerField(null=True)
        (line,) = (
            one
            for one in moving.text(ConvertField("Thing", "value", field, misfits="keep"))
            if one.startswith("//")
        )
        assert line == (
            "// moving_thing.value: values that cannot become IntegerField are replaced by null "
            "and kept in djongo_services_misfits."
        )

    def test_a_migration_keeps_the_choice(self):
        field = models.IntegerField(null=True)
        written, imports = OperationWriter(
            ConvertField("thing", "value", field, misfits="keep"), indentation=0
        ).serialize()
        assert "misfits='keep'" in written
        assert imports == {"import djongo_services.operations", "from django.db import models"}
        with pytest.raises(ValueError, match="must be one of 'refuse', 'keep', 'null'"):
            ConvertField("thing", "value", field, misfits=cast(Any, "drop"))

    def test_the_list_is_bounded(self, moving):
        moving.do(create("Thing", ("value", char())))
        moving.collection("Thing").insert_many([{"value": f"x{n}"} for n in range(50)])
        with pytest.raises(DataError) as raised:
            moving.do(o.AlterField("Thing", "value", char(max_length=1)))
        assert str(raised.value).count("_id ") == 10
        assert "and there are more" in str(raised.value)

    def test_nulls_without_a_default_are_refused(self, moving):
        moving.do(create("Thing", ("value", char(null=True))))
        moving.collection("Thing").insert_one({"value": None})
        with pytest.raises(IntegrityError, match=r"moving_thing\.value cannot become CharField"):
            moving.do(o.AlterField("Thing", "value", char()))
        moving.do(o.AlterField("Thing", "value", char(default="d")))
        assert moving.documents("Thing") == [{"value": "d"}]
        assert moving.out_of_step() == []

    def test_a_unique_field_that_is_converted_stays_unique(self, moving):
        moving.do(create("Thing", ("value", models.IntegerField(unique=True))))
        moving.collection("Thing").insert_many([{"value": Int64(1)}, {"value": Int64(2)}])
        moving.do(o.AlterField("Thing", "value", char(unique=True)))
        with pytest.raises(OperationFailure, match="E11000"):
            moving.collection("Thing").insert_one({"value": "1"})
        names = list(moving.collection("Thing").index_information())
        assert len(names) == 2
        assert not any("shadow" in name for name in names)

    def test_values_that_would_be_the_same_are_refused(self, moving):
        moving.do(create("Thing", ("value", char(unique=True))))
        moving.collection("Thing").insert_many([{"value": "1"}, {"value": "01"}])
        with pytest.raises(IntegrityError, match="cannot be unique: 2 documents would have 1"):
            moving.do(o.AlterField("Thing", "value", models.IntegerField(unique=True)))
        assert [one["value"] for one in moving.documents("Thing")] == ["1", "01"]

    def test_unique_and_indexed_come_and_go(self, moving):
        moving.do(create("Thing", ("value", char())))
        moving.do(o.AlterField("Thing", "value", char(unique=True)))
        assert len(moving.collection("Thing").index_information()) == 2
        moving.do(o.AlterField("Thing", "value", char(db_index=True)))
        (made,) = set(moving.collection("Thing").index_information()) - {"_id_"}
        assert "unique" not in moving.collection("Thing").index_information()[made]
        moving.do(o.AlterField("Thing", "value", char()))
        assert list(moving.collection("Thing").index_information()) == ["_id_"]

    def test_two_columns_are_never_both_missing_while_documents_move(self, moving, monkeypatch):
        """A client that writes meanwhile must provide the field, under one name or the other."""
        from djongo_services.backend.schema.fields import FieldEditor

        moving.do(
            create("Thing", ("value", models.IntegerField())),
            o.AddConstraint(
                "Thing", models.CheckConstraint(condition=Q(value__gte=0), name="positive")
            ),
        )
        refused = []
        original = FieldEditor._change_documents

        def meanwhile(editor, *args, **kwargs):
            collection = moving.collection("Thing")
            for document in (
                {"value": 1},
                {"weight": 1},
                {"value": -1, "weight": -1},
                {"weight": "x"},
            ):
                try:
                    collection.insert_one(dict(document))
                except OperationFailure:
                    refused.append(document)
            original(editor, *args, **kwargs)

        monkeypatch.setattr(FieldEditor, "_change_documents", meanwhile)
        moving.do(o.RenameField("Thing", "value", "weight"))
        assert refused == [{"value": -1, "weight": -1}, {"weight": "x"}]
        assert moving.documents("Thing") == [{"weight": 1}, {"weight": 1}]


class TestConstraints:
    def test_violated_by_documents(self, moving):
        moving.do(THING)
        moving.collection("Thing").insert_one({"name": "a", "size": -1})
        with pytest.raises(IntegrityError, match="CHECK constraint failed: size_is_positive"):
            moving.do(o.AddConstraint("Thing", POSITIVE))
        assert moving.out_of_step() == []

    def test_null_passes_as_in_sql(self, moving):
        moving.do(create("Thing", ("size", models.IntegerField(null=True))))
        moving.do(o.AddConstraint("Thing", POSITIVE))
        moving.collection("Thing").insert_many([{"size": None}, {"size": 1}])

    def test_removed(self, moving):
        moving.do(THING, o.AddConstraint("Thing", POSITIVE))
        assert moving.out_of_step() == []
        moving.do(o.RemoveConstraint("Thing", "size_is_positive"))
        assert moving.out_of_step() == []
        moving.collection("Thing").insert_one({"name": "a", "size": -1})

    def test_a_unique_constraint_with_isnull_in_its_condition(self, moving):
        once = models.UniqueConstraint(
            fields=["name"], condition=Q(size__isnull=False), name="once"
        )
        moving.do(create("Thing", ("name", char()), ("size", models.IntegerField(null=True))))
        moving.do(o.AddConstraint("Thing", once))
        things = moving.collection("Thing")
        things.insert_many([{"name": "a", "size": None}, {"name": "a", "size": None}])
        things.insert_one({"name": "a", "size": Int64(1)})
        with pytest.raises(OperationFailure, match="E11000"):
            things.insert_one({"name": "a", "size": Int64(1)})
        moving.do(o.RemoveConstraint("Thing", "once"))
        assert list(things.index_information()) == ["_id_"]


class TestTables:
    def test_renamed_with_titles_of_what_refers_to_it(self, moving):
        moving.do(
            THING,
            create("Tag", ("things", models.ManyToManyField("moving.Thing"))),
            create("Note", ("thing", models.ForeignKey("moving.Thing", models.CASCADE))),
            embedded("Part", ("thing", models.ForeignKey("moving.Thing", models.CASCADE, "+"))),
            create("Whole", ("parts", EmbeddedModelArrayField("moving.Part"))),
        )
        moving.do(o.AlterModelTable("Thing", "moving_items"))
        assert moving.out_of_step() == []
        moving.do(o.RenameModel("Thing", "Article"), o.AlterModelTable("Article", None))
        assert moving.out_of_step() == []


class TestEmbeddedModels:
    @pytest.fixture
    def place(self, moving):
        moving.do(
            embedded("Place", ("street", char()), ("number", models.IntegerField(default=1))),
            embedded("Other", ("word", char())),
            create(
                "Home",
                ("one", EmbeddedModelField("moving.Place", null=True)),
                ("many", EmbeddedModelArrayField("moving.Place", null=True)),
                ("any", PolymorphicEmbeddedModelField(["moving.Place", "moving.Other"], null=True)),
            ),
        )
        street = {"street": "s", "number": Int64(1)}
        moving.collection("Home").insert_many(
            [
                {
                    "one": street,
                    "many": [street, street],
                    "any": {**street, "_label": "moving.Place"},
                },
                {"one": None, "many": [], "any": {"word": "w", "_label": "moving.Other"}},
            ]
        )
        return moving

    def places(self, moving):
        first, second = moving.documents("Home")
        assert second == {"one": None, "many": [], "any": {"word": "w", "_label": "moving.Other"}}
        found = [first["one"], *first["many"], first["any"]]
        return [{k: v for k, v in one.items() if k != "_label"} for one in found]

    def test_a_field_is_added_everywhere(self, place):
        place.do(o.AddField("Place", "town", char(default="t")))
        assert self.places(place) == [{"street": "s", "number": 1, "town": "t"}] * 4
        assert place.out_of_step() == []

    def test_a_field_is_removed_everywhere(self, place):
        place.do(o.RemoveField("Place", "number"))
        assert self.places(place) == [{"street": "s"}] * 4
        assert place.out_of_step() == []

    def test_a_field_is_renamed_everywhere(self, place):
        place.do(o.RenameField("Place", "street", "road"))
        assert self.places(place) == [{"road": "s", "number": 1}] * 4
        assert place.out_of_step() == []

    def test_a_field_is_converted_everywhere(self, place):
        place.do(o.AlterField("Place", "number", char()))
        assert self.places(place) == [{"street": "s", "number": "1"}] * 4
        assert place.out_of_step() == []

    @pytest.mark.parametrize("where", ["one", "many", "any"])
    def test_what_cannot_be_converted_is_listed_and_nothing_changes(self, place, where):
        good, bad = {"street": "2", "number": Int64(1)}, {"street": "two", "number": Int64(1)}
        place.collection("Home").delete_many({"one": {"$ne": None}})
        label = {"_label": "moving.Place"}
        document: dict[str, Any] = {"one": good, "many": [good] * 2, "any": {**good, **label}}
        document[where] = [good, bad] if where == "many" else {**document[where], **bad}
        place.collection("Home").insert_one(document)
        before = place.validator("Home"), place.documents("Home")
        with pytest.raises(DataError) as raised:
            place.do(o.AlterField("Place", "street", models.IntegerField()))
        assert f"moving_home.{where}.street cannot become IntegerField in the doc" in str(
            raised.value
        )
        assert (place.validator("Home"), place.documents("Home")) == before
        place.collection("Home").update_one({"one": {"$ne": None}}, {"$set": {where: None}})
        place.do(o.AlterField("Place", "street", models.IntegerField()))
        assert place.out_of_step() == []

    def test_an_index_on_a_field_inside_follows_a_rename(self, moving):
        """Declared where the backend accepts it: 6.1 requires it on the model that contains the
        documents."""
        place = embedded("Place", ("street", char(db_index=OF_EMBEDDED)))
        home = create("Home", ("one", EmbeddedModelField("moving.Place", null=True)))
        moving.do(place, home)
        if not OF_EMBEDDED:
            index = backend_indexes.EmbeddedFieldIndex(fields=["one.street"], name="street")
            moving.do(o.AddIndex("Home", index))
        assert index_keys(moving, "Home") == [["_id"], ["one.street"]]
        moving.do(o.RenameField("Place", "street", "road"))
        assert index_keys(moving, "Home") == [["_id"], ["one.road"]]

    def test_encrypted_fields_are_never_stored_in_the_clear(self, moving):
        """The backend supports them from 6.0 on, and needs a client that encrypts."""
        encrypts = hasattr(backend_utils, "model_has_encrypted_fields")
        with pytest.raises(ImproperlyConfigured) if encrypts else nullcontext():
            moving.do(create("Thing", ("secret", Secret(max_length=20))))
        made = "moving_thing" in connection.database.list_collection_names()
        assert made is not encrypts


class TestValidatorsOfOthers:
    def test_stay_and_are_in_force(self, moving):
        moving.do(THING)
        theirs = {"name": {"$ne": "x"}}
        connection.database.command("collMod", "moving_thing", validator=theirs)
        moving.collection("Thing").insert_one({"name": "a", "size": 1})
        moving.do(o.AddField("Thing", "code", char(default="c")))
        assert moving.validator("Thing") == theirs
        assert moving.documents("Thing")[0]["code"] == "c"

    def test_a_collection_without_one_gets_none(self, moving):
        moving.do(THING)
        connection.database.command("collMod", "moving_thing", validator={})
        moving.do(o.AddField("Thing", "code", char(default="c")))
        assert not moving.options("Thing").get("validator")


class TestTransactions:
    def test_django_opens_a_block_around_each_operation(self, moving):
        moving.do(THING)
        moving.collection("Thing").insert_one({"name": "a", "size": 1})
        with transaction.atomic():
            moving.do(o.AddField("Thing", "code", char(default="c", db_index=True)))
        assert moving.documents("Thing")[0]["code"] == "c"

    def test_one_that_has_written_is_refused_at_once(self, moving):
        moving.do(THING)
        with transaction.atomic():
            connection.database.moving_thing.insert_one({"name": "a", "size": 1})
            with pytest.raises(transaction.TransactionManagementError, match="end the atomic"):
                moving.do(o.AddField("Thing", "code", char(default="c")))
            transaction.set_rollback(True)
        assert moving.documents("Thing") == []


class TestText:
    def test_commands_for_mongosh_and_nothing_is_done(self, moving):
        said = moving.text(
            create("Thing", ("name", char(unique=True))),
            o.AddField("Thing", "size", models.IntegerField(default=3)),
            o.RenameField("Thing", "size", "weight"),
            o.AddConstraint(
                "Thing", models.CheckConstraint(condition=Q(weight__gte=0), name="positive")
            ),
            o.AlterField("Thing", "name", char(max_length=40)),
            o.RemoveField("Thing", "weight"),
            o.DeleteModel("Thing"),
        )
        assert said[0].startswith('db.runCommand({"create": "moving_thing", "validator": {')
        assert said[1].startswith('db.runCommand({"createIndexes": "moving_thing", "indexes": [{')
        assert (
            'db.getCollection("moving_thing").updateMany({"size": {"$exists": false}}, '
            '[{"$set": {"size": {"$literal": Long("3")}}}]);'
            in said
            or 'db.getCollection("moving_thing").updateMany({"size": {"$exists": false}}, '
            '[{"$set": {"size": {"$literal": 3}}}]);'
            in said
        )
        assert any('{"$rename": {"size": "weight"}}' in one for one in said)
        assert any('"$comment": "positive"' in one for one in said)
        assert said[-1] == 'db.runCommand({"drop": "moving_thing"});'
        assert "moving_thing" not in connection.database.list_collection_names()
