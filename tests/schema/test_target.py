"""The schema that models require, compared with the one that the backend's migrate has created."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from inspect import signature
from typing import Any, cast

import pytest
from bson import CodecOptions, Decimal128
from django.core.exceptions import ImproperlyConfigured
from django.db import connections as databases
from django.db import models
from django.db.models import Q, UniqueConstraint
from django.db.models.functions import Lower
from django.test.utils import isolate_apps
from django_mongodb_backend.fields import EmbeddedModelField
from django_mongodb_backend.indexes import SearchIndex
from django_mongodb_backend.models import EmbeddedModel
from django_mongodb_backend.schema import DatabaseSchemaEditor
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from djongo_services.connections import connections
from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import apply
from djongo_services.schema.diff import ValidationPolicy, diff
from djongo_services.schema.diff.normal import normal_spec
from djongo_services.schema.diff.validators import same_query
from djongo_services.schema.options import collection_options
from djongo_services.schema.plan import Plan
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.syncing import make_plan
from djongo_services.schema.target import (
    SpecConflict,
    UnknownModel,
    collection_spec,
    select_specs,
    specs_for,
)
from djongo_services.schema.target.declared import Declared
from tests.schema.apps.target.models import (
    Keeper,
    KeeperProxy,
    KeeperTwin,
    Senior,
    Site,
    Specimen,
    Word,
)
from tests.schema.recorded_by_6_1 import INDEXES

MOMENT = dt.datetime(2024, 2, 29, 12, 30, 0, 123456, tzinfo=dt.timezone(dt.timedelta(hours=2)))
OFF = ValidationPolicy(level="off")


@pytest.fixture
def specs() -> dict[str, CollectionSpec]:
    return {spec.name: spec for spec in specs_for(connections["default"])}


def plan(*specs: CollectionSpec, **options: Any) -> Plan:
    return diff(read_catalog(connections["default"].database), specs, **options)


def lines(found: Plan) -> list[str]:
    return [f"{change.collection}: {change.sign} {change.words}" for change in found.changes]


@pytest.mark.django_db
class TestAfterMigrate:
    """The test database was made by the backend's migrate."""

    def test_only_what_the_backend_passes_over_differs(self, specs):
        # Other tests drop and make the collections of other apps.
        own = [spec for name, spec in specs.items() if name.startswith("target_")]
        found = plan(*own, validation=OFF)
        nulls_equal = "target_keeper: + index keeper_nulls_equal {town: 1, age: 1} unique"
        passed_over = not hasattr(UniqueConstraint, "get_pymongo_index_model")  # Up to 5.2.
        assert lines(found) == [
            *[nulls_equal][: int(passed_over)],
            "target_word: ! its default collation is another; MongoDB cannot change that on an "
            "existing collection: copy the documents into a new one",
        ]
        assert found.notes == ()

    def test_what_it_passes_over_is_made_up_for_while_there_are_no_documents(self, specs):
        found = make_plan(connections["default"].database, [specs["target_word"]])
        assert lines(found)[0] == (
            "target_word: ~ recreated, because it has no documents: its default collation is "
            "another"
        )


def test_indexes_of_the_backends_next_release_are_the_same(database, specs):
    """An upgrade of Django and of the backend shows no drift, neither way."""
    for name, documents in INDEXES.items():
        database.command("createIndexes", name, indexes=documents)
    wanted = [spec for name, spec in specs.items() if name in INDEXES]
    found = diff(read_catalog(database), tuple(wanted), validation=OFF)
    # From 6.1 on, indexes of embedded models are to be declared in the model that has them.
    of_embedded = "column_prefix" in signature(DatabaseSchemaEditor._add_field_index).parameters
    assert [line for line in lines(found) if "target_word: !" not in line] == [
        "target_site: + index target_site_address.street_e4eddd49 {address.street: 1}",
        "target_site: + index address_city {address.town: 1}",
    ][: 2 * of_embedded]
    assert found.notes == ()


class TestOwnDerivation:
    """Where the backend is not queried, its conventions are followed."""

    def test_unmanaged_models_of_the_backend(self, specs):
        for model in (Keeper, Senior, Site, Keeper.friends.through):
            declared = {index.name: index for index in Declared(model, backend=True).indexes()}
            wanted = [i for i in specs[model._meta.db_table].indexes if "." not in i.keys[0][0]]
            for index in wanted:
                own = declared.get(index.name) or next(
                    one for one in declared.values() if one.keys == index.keys
                )
                assert normal_spec(own) == normal_spec(index)
                assert (own.named, own.declared_by) == (index.named, index.declared_by)


@pytest.fixture
def plain_specs() -> tuple[CollectionSpec, ...]:
    """As in a project whose ORM is on SQL."""
    return tuple(collection_spec([model]) for model in (Keeper, Senior, Word, Specimen))


class TestPlainProjects:
    def test_applying_leaves_nothing_to_do(self, matrix_database, plain_specs):
        for again in (False, True):
            catalog = read_catalog(matrix_database)
            found = diff(
                catalog, plain_specs, violators=dict.fromkeys((s.name for s in plain_specs), 0)
            )
            assert bool(found.operations) is not again, lines(found)
            for operation in found.operations:
                matrix_database.command(operation.command())

    def test_every_index_class_on_every_server(self, matrix_database):
        spec = replace(collection_spec([Site]), validator=None)
        for again in (False, True):
            found = diff(read_catalog(matrix_database), (spec,))
            assert found.in_sync is again, lines(found)
            for operation in found.operations:
                matrix_database.command(operation.command())

    def test_dates_in_conditions_compare_as_the_server_returns_them(self, database):
        with isolate_apps("tests.schema.apps.target"):

            class Visit(models.Model):
                at = models.DateTimeField(null=True)

                class Meta:
                    app_label = "target"
                    indexes = [models.Index(fields=["at"], name="new", condition=Q(at__gt=MOMENT))]
                    constraints = [models.CheckConstraint(condition=Q(at__gt=MOMENT), name="c")]

        spec = collection_spec([Visit])
        for aware in (True, False):
            mine = database.with_options(CodecOptions(tz_aware=aware))
            found = diff(read_catalog(mine), (spec,), violators={spec.name: 0})
            assert found.in_sync is not aware, lines(found)
            for operation in found.operations:
                mine.command(operation.command())

    def test_a_unique_field_accepts_several_nulls(self, matrix_database):
        (index,) = [i for i in collection_spec([Keeper]).indexes if i.keys == (("number", 1),)]
        keepers = matrix_database.keepers
        keepers.create_indexes(
            [IndexModel(cast("Any", index.keys), name=index.name, **index.options)]
        )
        keepers.insert_many([{"number": None}, {"number": None}, {}, {"number": 7}])
        for equal in (7, 7.0, Decimal128("7")):
            with pytest.raises(DuplicateKeyError):
                keepers.insert_one({"number": equal})
        used = keepers.find({"number": 7}).explain()["queryPlanner"]["winningPlan"]
        assert index.name in str(used), used

    def test_the_primary_key_is_id(self):
        spec = collection_spec([Keeper])
        assert spec.validator is not None
        assert "_id" in spec.validator["$and"][0]["$jsonSchema"]["properties"]
        assert all("_id" not in dict(index.keys) for index in spec.indexes)


class TestSharedCollections:
    def test_proxies_and_twins_complement_their_model(self):
        spec = collection_spec([KeeperTwin, KeeperProxy, Keeper])
        assert spec.models == ("target.Keeper", "target.KeeperTwin", "target.KeeperProxy")
        alone = collection_spec([Keeper])
        assert spec.validator is not None
        assert alone.validator is not None
        assert same_query(spec.validator, alone.validator)
        assert [index.name for index in spec.indexes] == [
            *(index.name for index in alone.indexes),
            "twin_code",
        ]

    def test_the_specs_of_a_connection_name_all_models(self, specs):
        assert specs["target_keeper"].models == ("target.Keeper", "target.KeeperProxy")

    @isolate_apps("tests.schema.apps.target")
    def test_contradictions_are_refused_with_both_names(self):
        class Stranger(models.Model):
            code = models.IntegerField()

            class Meta:
                app_label = "target"
                managed = False
                db_table = "target_keeper"

        with pytest.raises(SpecConflict) as caught:
            collection_spec([Stranger, Keeper])
        assert str(caught.value) == (
            "target.Keeper and target.Stranger share the collection target_keeper and differ in "
            "field code; make them agree or give one another db_table."
        )

    @isolate_apps("tests.schema.apps.target")
    def test_options_that_differ(self):
        @collection_options(collation={"locale": "en"})
        class Stranger(models.Model):
            class Meta:
                app_label = "target"
                managed = False
                db_table = "target_word"

        with pytest.raises(SpecConflict, match="differ in options collation"):
            collection_spec([Stranger, Word])


@isolate_apps("tests.schema.apps.target")
def test_one_index_under_two_names_is_made_once(matrix_database):
    class Doubled(models.Model):
        id = models.IntegerField(primary_key=True)
        code = models.IntegerField()

        class Meta:
            app_label = "target"
            indexes = [
                models.Index(fields=["code"], name="first"),
                models.Index(fields=["code"], name="second"),
            ]

    spec = collection_spec([Doubled])
    (problem,) = spec.problems
    assert (problem.subject, problem.reason) == (
        "target.Doubled: index second",
        "It is not created: first is the same index; leave one of them out.",
    )
    apply(matrix_database, diff(read_catalog(matrix_database), (spec,)))
    assert set(matrix_database[spec.name].index_information()) == {"_id_", "first"}


class TestModels:
    def test_embedded_models_and_other_peoples_collections_are_none(self, specs):
        every = [label for spec in specs.values() for label in spec.models]
        assert "target.Address" not in every
        assert "target.KeeperTwin" not in every
        assert "target.Keeper_friends" in every

    def test_routers_decide(self, settings):
        settings.DATABASE_ROUTERS = [*settings.DATABASE_ROUTERS, "tests.schema.test_target.NoSites"]
        names = [spec.name for spec in specs_for(connections["default"])]
        assert "target_keeper" in names
        assert "target_site" not in names

    def test_models_that_the_settings_name(self, settings):
        named = {"SCHEMA": {"MODELS": ["target.KeeperTwin"]}}
        settings.DJONGO_SERVICES = named
        specs = {spec.name: spec for spec in specs_for(connections["default"])}
        assert "target.KeeperTwin" in specs["target_keeper"].models

    def test_a_connection_of_its_own_has_what_it_is_given(self, settings):
        own = {"HOST": "mongodb://127.0.0.1:1/", "NAME": "own"}
        settings.DJONGO_SERVICES = {
            "CONNECTIONS": {"default": {"DATABASE": "default"}, "own": own},
            "SCHEMA": {"MODELS": {"own": ["auth", "target.Keeper"]}},
        }
        names = {spec.name for spec in specs_for(connections["own"])}
        assert names == {
            *("auth_user", "auth_group", "auth_permission", "auth_user_groups"),
            *("auth_user_user_permissions", "auth_group_permissions"),
            *("target_keeper", "target_keeper_friends"),
        }

    @pytest.mark.parametrize(
        ("label", "said"),
        [
            ("tarket", "There is no app 'tarket'; did you mean target?"),
            ("target.Kepper", "The app 'target' has no model 'Kepper'; did you mean Keeper"),
        ],
    )
    def test_wrong_names_in_the_settings(self, settings, label, said):
        settings.DJONGO_SERVICES = {"SCHEMA": {"MODELS": [label]}}
        connection = connections["default"]
        with pytest.raises(ImproperlyConfigured) as caught:
            specs_for(connection)
        assert said in str(caught.value)


class TestSelection:
    def test_by_app_and_model(self, specs):
        every = tuple(specs.values())
        chosen = select_specs(every, ["target.keeperproxy", "backend_app"])
        assert [spec.name for spec in chosen] == ["backend_app_author", "target_keeper"]
        assert select_specs(every, []) == every

    @pytest.mark.parametrize(
        ("label", "said"),
        [
            ("targit", "There is no app 'targit'; did you mean target?"),
            ("target.Sit", "The app 'target' has no model 'Sit'; did you mean Site?"),
            ("target.Address", "No documents of target.Address are kept behind this connection"),
            ("djongo_services", "No documents of the app 'djongo_services' are kept"),
        ],
    )
    def test_what_is_not_there(self, specs, label, said):
        every = tuple(specs.values())
        with pytest.raises(UnknownModel) as caught:
            select_specs(every, [label])
        assert str(caught.value).startswith(said)


class TestProblems:
    def test_what_mongodb_cannot_be_told(self, specs):
        said = {problem.subject: problem.reason for problem in specs["target_word"].problems}
        assert said == {
            "target.Word: constraint word_is_palindrome": "The server cannot check it: Reverse "
            "cannot be expressed in a validator.",
            "target.Word: constraint word_lower": "It is not created: MongoDB indexes fields, no "
            "expressions; a UniqueIndex with collation ignores case.",
        }

    @isolate_apps("tests.schema.apps.target")
    @pytest.mark.parametrize("backend", ["default", None])
    def test_each_kind_is_said_once(self, backend):
        class Odd(models.Model):
            name = models.CharField(max_length=9)
            other = models.CharField(max_length=9)

            class Meta:
                app_label = "target"
                indexes = [
                    models.Index(Lower("name"), name="expression"),
                    models.Index(
                        fields=["name"], name="no", condition=models.Q(name__contains="a")
                    ),
                    SearchIndex(fields=["name"], name="search"),
                ]
                constraints = [
                    models.UniqueConstraint(
                        fields=["name"], name="later", deferrable=models.Deferrable.DEFERRED
                    ),
                    models.UniqueConstraint(fields=["name"], include=["other"], name="covering"),
                ]

        wrapper = None if backend is None else databases[backend]
        spec = collection_spec([Odd], backend=wrapper)
        assert spec.indexes == ()
        assert sorted(problem.subject.split()[-1] for problem in spec.problems) == [
            "covering",
            "expression",
            "later",
            "no",
        ]

    @isolate_apps("tests.schema.apps.target")
    def test_checks_of_embedded_models_are_declared_where_they_are_held(self, database):
        class Part(EmbeddedModel):
            size = models.IntegerField(db_column="s", null=True)

            class Meta:
                app_label = "target"
                constraints = [models.CheckConstraint(condition=Q(size__gt=0), name="part_size")]

        class Whole(models.Model):
            part = EmbeddedModelField(Part, null=True)

            class Meta:
                app_label = "target"
                constraints = [models.CheckConstraint(condition=Q(part__size__gt=0), name="size")]

        spec = collection_spec([Whole], backend=databases["default"])
        (problem,) = spec.problems
        assert problem.subject == "target.Part: constraint part_size"
        assert "declare it in target.Whole" in problem.reason
        accepted = [{"part": None}, {"part": {"s": None}}, {"part": {"s": 1}}]
        refused = {"_id": 0, "part": {"s": 0}}
        database.whole.insert_many([*accepted, refused])
        assert database.whole.find_one({"$nor": [spec.validator]}) == refused
        assert database.whole.count_documents(spec.validator) == 3

    @isolate_apps("tests.schema.apps.target")
    def test_more_indexes_than_mongodb_allows(self):
        class Many(models.Model):
            class Meta:
                app_label = "target"

        for number in range(65):
            models.IntegerField(db_index=True).contribute_to_class(Many, f"n{number}")
        (problem,) = collection_spec([Many]).problems
        assert problem.subject == "target.Many: 65 indexes"
        assert "63" in problem.reason


class NoSites:
    def allow_migrate(self, db: str, app_label: str, model_name: str = "", **hints: Any) -> Any:
        return False if model_name == "site" else None
