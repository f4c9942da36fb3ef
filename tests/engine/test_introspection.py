"""Django's introspection on the engine: of the engine's own tables, and of any collections."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId
from django.core.management import call_command
from django.core.management.commands import inspectdb
from django.db import DatabaseError, models, transaction
from django.db.backends.base.introspection import TableInfo
from django.test.utils import isolate_apps
from django_mongodb_backend.fields import ArrayField, ObjectIdAutoField
from pymongo.database import Database

from tests.engine.titled import create_tables

Mongo = Database[dict[str, Any]]


@pytest.fixture
def shop(engine: Any) -> Any:
    """Tables of this engine's."""
    with isolate_apps("tests.engine.shop"):

        class Maker(models.Model):
            id = ObjectIdAutoField(primary_key=True)
            name = models.CharField(max_length=40, unique=True)
            code = models.SlugField(max_length=7, primary_key=False, unique=True)

            class Meta:
                app_label = "shop"
                db_table = "maker"

        class Thing(models.Model):
            id = ObjectIdAutoField(primary_key=True)
            maker = models.ForeignKey(Maker, models.CASCADE)
            by_code = models.ForeignKey(
                Maker, models.CASCADE, to_field="code", null=True, related_name="+"
            )
            price = models.DecimalField(max_digits=7, decimal_places=2)
            day = models.DateField(null=True)
            at = models.TimeField()
            count = models.PositiveSmallIntegerField(default=1)
            key = models.UUIDField()
            tags = ArrayField(models.CharField(max_length=5))
            text = models.TextField(db_default="x")
            above = models.ForeignKey("self", models.CASCADE, null=True)

            class Meta:
                app_label = "shop"
                db_table = "thing"
                constraints = (
                    models.CheckConstraint(condition=models.Q(price__gt=0), name="price_above_0"),
                    models.UniqueConstraint(fields=["maker", "day"], name="once_a_day"),
                )

        class Note(models.Model):
            thing = models.OneToOneField(Thing, models.CASCADE, primary_key=True)

            class Meta:
                app_label = "shop"
                db_table = "note"

        create_tables(engine, [Maker, Thing, Note])
    return engine


def described(connection: Any, table: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        return {
            info.name: info
            for info in connection.introspection.get_table_description(cursor, table)
        }


def field_types(connection: Any, table: str) -> dict[str, str]:
    return {
        name: connection.introspection.get_field_type(info.type_code, info)
        for name, info in described(connection, table).items()
    }


def test_tables_and_views(engine: Any, database: Mongo) -> None:
    database.create_collection("plain")
    database.create_collection("series", timeseries={"timeField": "at"})
    database.create_collection("seen", viewOn="plain", pipeline=[])
    introspection = engine.introspection
    assert introspection.get_table_list(None) == [
        TableInfo("plain", "t"),
        TableInfo("seen", "v"),
        TableInfo("series", "t"),
    ]
    assert introspection.table_names() == ["plain", "series"]
    assert introspection.table_names(include_views=True) == ["plain", "seen", "series"]


def test_columns_are_as_declared(shop: Any) -> None:
    assert field_types(shop, "thing") == {
        "_id": "django_mongodb_backend.fields.ObjectIdAutoField",
        "maker_id": "django_mongodb_backend.fields.ObjectIdField",
        "by_code_id": "CharField",
        "price": "DecimalField",
        "day": "DateField",
        "at": "TimeField",
        "count": "PositiveSmallIntegerField",
        "key": "UUIDField",
        "tags": "djongo_services.modelfields.BSONField",
        "text": "TextField",
        "above_id": "django_mongodb_backend.fields.ObjectIdField",
    }
    found = described(shop, "thing")
    assert [name for name, info in found.items() if info.null_ok] == [
        "by_code_id",
        "day",
        "above_id",
    ]
    assert (found["price"].precision, found["price"].scale) == (7, 2)
    assert described(shop, "maker")["name"].display_size == 40


def test_relations_and_keys_are_as_declared(shop: Any) -> None:
    introspection = shop.introspection
    relations = introspection.get_relations(None, "thing")
    assert {column: found[:2] for column, found in relations.items()} == {
        "maker_id": ("_id", "maker"),
        "by_code_id": ("code", "maker"),
        "above_id": ("_id", "thing"),
    }
    assert introspection.get_primary_key_columns(None, "thing") == ["_id"]
    assert introspection.get_primary_key_column(None, "note") == "thing_id"
    assert list(described(shop, "note")) == ["thing_id"]
    assert introspection.get_sequences(None, "thing") == []


def test_foreign_keys_are_among_the_constraints(shop: Any) -> None:
    found = shop.introspection.get_constraints(None, "thing")
    assert {name: one["foreign_key"] for name, one in found.items() if one["foreign_key"]} == {
        "thing_maker_id_fk": ("maker", "_id"),
        "thing_by_code_id_fk": ("maker", "code"),
        "thing_above_id_fk": ("thing", "_id"),
    }
    assert found["thing_by_code_id_fk"]["columns"] == ["by_code_id"]


def test_checks_have_their_names(shop: Any) -> None:
    found = shop.introspection.get_constraints(None, "thing")
    checks = {name: one["columns"] for name, one in found.items() if one["check"]}
    assert checks["price_above_0"] == ["price"]
    assert {*checks} == {"price_above_0", "thing_price_check", "thing_count_check", "validator"}
    assert checks["thing_price_check"] == ["price"]
    assert found["once_a_day"]["unique"]
    assert found["once_a_day"]["columns"] == ["maker_id", "day"]


def test_documents_tell_of_foreign_collections(engine: Any, database: Mongo) -> None:
    database["things"].insert_many(
        [
            {
                "_id": ObjectId(),
                "name": "a",
                "count": 1,
                "big": Int64(2),
                "share": 0.5,
                "price": Decimal128("1.20"),
                "owner": ObjectId(),
                "parts": [{"a": 1}],
                "mixed": 1,
                "gone": None,
            },
            {"_id": ObjectId(), "name": None, "mixed": "x"},
        ]
    )
    assert field_types(engine, "things") == {
        "_id": "django_mongodb_backend.fields.ObjectIdAutoField",
        "name": "TextField",
        "count": "SmallIntegerField",
        "big": "BigIntegerField",
        "share": "FloatField",
        "price": "djongo_services.modelfields.Decimal128Field",
        "owner": "django_mongodb_backend.fields.ObjectIdField",
        "parts": "djongo_services.modelfields.BSONField",
        "mixed": "djongo_services.modelfields.BSONField",
        "gone": "djongo_services.modelfields.BSONField",
    }
    assert engine.introspection.get_relations(None, "things") == {}


def test_titles_of_others_are_no_declaration(engine: Any, database: Mongo) -> None:
    """A validator that some other program wrote; what it says of types counts."""
    properties = {
        "name": {"bsonType": "string", "maxLength": 9, "title": "The name"},
        "age": {"bsonType": "int", "title": "CharField"},
    }
    database.create_collection("people", validator={"$jsonSchema": {"properties": properties}})
    database["people"].insert_one({"name": "x", "age": 1, "more": True})
    assert field_types(engine, "people") == {
        "_id": "django_mongodb_backend.fields.ObjectIdAutoField",
        "name": "CharField",
        "age": "SmallIntegerField",
        "more": "BooleanField",
    }


def test_a_field_of_an_unknown_kind_is_told_by_its_type(engine: Any, database: Mongo) -> None:
    properties = {
        "_id": {"bsonType": "objectId", "title": "ObjectIdAutoField"},
        "text": {"bsonType": "string", "title": "MoneyField"},
        "number": {"bsonType": ["int", "null"], "title": "Field"},
        "any": {"title": "PolymorphicEmbeddedModelField(shop.A, shop.B)"},
    }
    database.create_collection("things", validator={"$jsonSchema": {"properties": properties}})
    assert field_types(engine, "things") == {
        "_id": "django_mongodb_backend.fields.ObjectIdAutoField",
        "text": "TextField",
        "number": "SmallIntegerField",
        "any": "djongo_services.modelfields.BSONField",
    }


def test_views_have_columns_and_no_key(engine: Any, database: Mongo) -> None:
    database["plain"].insert_one({"a": 1, "b": "x"})
    database.create_collection("seen", viewOn="plain", pipeline=[{"$project": {"_id": 0, "a": 1}}])
    assert field_types(engine, "seen") == {"a": "SmallIntegerField"}
    assert engine.introspection.get_primary_key_columns(None, "seen") == []
    assert engine.introspection.get_constraints(None, "seen") == {}


def test_a_column_that_only_an_index_names(engine: Any, database: Mongo) -> None:
    database["empty"].create_index([("first", 1), ("second.inner", 1)])
    assert list(described(engine, "empty")) == ["_id", "first"]


def test_a_collection_that_does_not_exist(engine: Any) -> None:
    for method in ("get_table_description", "get_relations", "get_constraints"):
        with pytest.raises(DatabaseError, match="There is no collection 'nothing' in the database"):
            getattr(engine.introspection, method)(None, "nothing")


@pytest.mark.parametrize(
    ("name", "keys", "options", "columns", "orders", "kind"),
    [
        ("text", [("a", "text"), ("b", "text")], {}, ["a", "b"], ["TEXT", "TEXT"], "text"),
        ("hashed", [("a", "hashed")], {}, ["a"], ["HASHED"], "hashed"),
        ("flat", [("a", "2d")], {}, ["a"], ["2D"], "2d"),
        ("globe", [("a", "2dsphere"), ("b", 1)], {}, ["a", "b"], ["GEO", "ASC"], "2dsphere"),
        ("wild", [("a.$**", 1)], {}, [], [], "wildcard"),
        ("ttl", [("a", 1)], {"expireAfterSeconds": 60}, ["a"], ["ASC"], "idx"),
        (
            "partial",
            [("a", -1)],
            {"partialFilterExpression": {"b": {"$gt": 1}}},
            ["a"],
            ["DESC"],
            "idx",
        ),
        ("sparse", [("a", 1)], {"sparse": True}, ["a"], ["ASC"], "idx"),
        ("french", [("a", 1)], {"collation": {"locale": "fr"}}, ["a"], ["ASC"], "idx"),
        ("hidden", [("a", 1)], {"hidden": True}, ["a"], ["ASC"], "idx"),
    ],
)
def test_every_kind_of_index(
    engine: Any,
    database: Mongo,
    name: str,
    keys: list[tuple[str, Any]],
    options: dict[str, Any],
    columns: list[str],
    orders: list[str],
    kind: str,
) -> None:
    database["things"].create_index(keys, name=name, **options)
    found = engine.introspection.get_constraints(None, "things")
    assert list(found) == ["_id_", name]
    assert found[name]["columns"] == columns
    assert found[name]["orders"] == orders
    assert found[name]["type"] == kind
    assert found[name]["options"].keys() >= options.keys()


def test_within_a_transaction(shop: Any, database: Mongo) -> None:
    """The server refuses listings there; the transaction continues as if there had been none."""
    database["foreign"].insert_one({"a": 1})
    before = (described(shop, "thing"), described(shop, "foreign"))
    with transaction.atomic(using="engine"):
        shop.database["maker"].insert_one({"name": "a", "code": "b"})
        introspection = shop.introspection
        assert introspection.table_names() == ["foreign", "maker", "note", "thing"]
        assert (described(shop, "thing"), described(shop, "foreign")) == before
        assert introspection.get_relations(None, "thing")
        assert "once_a_day" in introspection.get_constraints(None, "thing")
        with transaction.atomic(using="engine"):
            assert introspection.get_primary_key_columns(None, "note") == ["thing_id"]
        assert database["maker"].count_documents({}) == 0
    assert database["maker"].count_documents({}) == 1


def test_an_error_in_a_transaction_leaves_it_usable(engine: Any, database: Mongo) -> None:
    database.create_collection("things")
    with transaction.atomic(using="engine"):
        engine.database["things"].insert_one({"a": 1})
        with pytest.raises(DatabaseError):
            engine.introspection.get_constraints(None, "nothing")
        engine.database["things"].insert_one({"a": 2})
    assert database["things"].count_documents({}) == 2


def test_django_own_command_works(shop: Any) -> None:
    """The command is not written for MongoDB."""
    out = StringIO()
    call_command(inspectdb.Command(), "maker", "thing", "nothing", database="engine", stdout=out)
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert "maker = models.ForeignKey(Maker, models.DO_NOTHING)" in lines
    assert "price = models.DecimalField(max_digits=7, decimal_places=2)" in lines
    assert "day = models.DateField(blank=True, null=True)" in lines
    assert "name = models.CharField(unique=True, max_length=40)" in lines
    assert "unique_together = (('maker', 'day'),)" in lines
    assert "# Unable to inspect table 'nothing'" in lines
