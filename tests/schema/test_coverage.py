"""Documents that escape a unique index of the backend, because their numbers have another type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bson import Decimal128, Int64
from django.db import connection, models
from django.test.utils import isolate_apps
from pymongo import monitoring
from pymongo.errors import DuplicateKeyError

from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Collection
from djongo_services.schema.applying import apply
from djongo_services.schema.declared import declared_indexes
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.syncing import make_plan
from djongo_services.schema.target import collection_spec
from tests.introspection.modelling_oracle import abilities


@pytest.fixture
def spec() -> CollectionSpec:
    with isolate_apps("tests.schema.apps.target"):

        class Locker(models.Model):
            number = models.IntegerField(unique=True, null=True)
            code = models.CharField(max_length=9, unique=True, null=True)
            row = models.SmallIntegerField(null=True)
            place = models.CharField(max_length=9, null=True)
            data = models.JSONField(unique=True, null=True)

            class Meta:
                app_label = "target"
                constraints = [
                    models.UniqueConstraint(fields=["row", "place"], name="locker_place"),
                    models.UniqueConstraint(
                        fields=["row"], name="locker_row", condition=models.Q(place="attic")
                    ),
                ]

        return collection_spec([Locker], backend=connection)


def lines(database: Any, spec: CollectionSpec) -> list[str]:
    plan = make_plan(database, [spec])
    return [change.words for change in plan.changes if change.sign == "!"]


def test_documents_that_escape_are_counted_and_told(database, spec):
    apply(database, make_plan(database, [spec]))
    lockers = database.target_locker
    lockers.insert_many([{"number": Int64(7)}, {"number": None}, {}, {"number": 7}, {"number": 7}])
    with pytest.raises(DuplicateKeyError):
        lockers.insert_one({"number": Int64(7)})
    (number, *_) = [index for index in spec.indexes if index.keys[0][0] == "number"]
    assert lines(database, spec) == [
        f"unique index {number.name} covers number of type long only: 2 documents have another "
        f"type there, so duplicates among them are not refused; convert them"
    ]
    assert not make_plan(database, [spec]).in_sync
    lockers.delete_many({"number": {"$type": "int"}})
    assert make_plan(database, [spec]).in_sync


def test_an_index_of_several_fields_and_one_with_a_condition(database, spec):
    database.target_locker.insert_many(
        [
            {"row": 1, "place": "hall"},
            {"row": Int64(1), "place": "hall"},
            {"row": 2.0, "place": "attic"},
            {"row": Decimal128("3"), "place": None},
        ]
    )
    found = {line.split()[2]: line for line in lines(database, spec)}
    assert found.keys() == {"locker_place", "locker_row"}
    assert (
        "covers row of type int and place of type string only: 2 documents"
        in (found["locker_place"])
    )
    assert "covers row of type int only: 1 document has another type" in found["locker_row"]


def test_any_type_that_the_validator_lets_through(database, spec):
    database.target_locker.insert_many([{"data": {"a": 1}}, {"data": "a"}, {"data": "a"}])
    (line,) = lines(database, spec)
    assert "covers data of type object only: 2 documents" in line


@pytest.mark.parametrize("value", ["5", True, 5])
def test_without_a_validator_numbers_are_counted(database, spec, value):
    database.target_locker.insert_one({"number": value})
    assert len(lines(database, replace(spec, validator=None))) == (value == 5)


def test_one_query_for_each_collection(mongodb_server, spec):
    class Commands(monitoring.CommandListener):
        names: list[str] = []

        def started(self, event: Any) -> None:
            self.names.append(event.command_name)

        def succeeded(self, event: Any) -> None: ...

        def failed(self, event: Any) -> None: ...

    listener = Commands()
    with mongodb_server.client(event_listeners=[listener]) as client:
        database = client["coverage"]
        try:
            database.target_locker.insert_many([{"number": n} for n in range(100)])
            listener.names.clear()
            assert len(lines(database, spec)) == 1
            # Violators of the validator, and this.
            assert listener.names.count("aggregate") == 2
        finally:
            client.drop_database("coverage")


@pytest.mark.parametrize("null", [False, True])
def test_a_unique_index_without_a_filter_covers_what_is_never_null(
    database: Any, null: bool
) -> None:
    with isolate_apps("tests.schema.apps.target"):

        class Hook(models.Model):
            number = models.IntegerField(unique=True, null=null)

            class Meta:
                app_label = "target"

        spec = collection_spec([Hook], backend=connection)
    hooks = database.target_hook
    hooks.create_index("number", unique=True, name="by_hand")
    hooks.insert_many([{"number": 7}, {"number": Int64(8)}])

    changes = [change.words for change in make_plan(database, [spec]).changes]

    # Where several documents may have none, the models want one that lets them.
    assert any(words.startswith("index ") for words in changes) is null
    declared = declared_indexes(_found(database), spec, abilities())
    assert ("by_hand" in declared) is not null
    apply(database, make_plan(database, [spec]))
    assert len(hooks.index_information()) == (3 if null else 2)


def _found(database: Any) -> Collection:
    return read_catalog(database)["target_hook"]
