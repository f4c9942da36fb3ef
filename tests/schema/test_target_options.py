"""``@collection_options``: what it refuses, what collections become, and the SCHEMA settings."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test.utils import isolate_apps

from djongo_services.conf import settings as services
from djongo_services.introspection import read_catalog
from djongo_services.schema.diff import diff
from djongo_services.schema.options import (
    CollectionOptions,
    CollectionOptionsError,
    TimeSeries,
    collection_options,
    create_arguments,
    options_of,
)
from djongo_services.schema.target import collection_spec
from tests.schema.apps.target.models import Keeper, Word


@pytest.fixture(autouse=True)
def no_registry():
    with isolate_apps("tests.schema.apps.target"):
        yield


def make(**options: Any) -> type[models.Model]:
    @collection_options(**options)
    class Reading(models.Model):
        taken_at = models.DateTimeField(db_column="at")
        sensor = models.CharField(max_length=9)
        value = models.FloatField()

        class Meta:
            app_label = "target"

    return Reading


KINDS: dict[str, dict[str, Any]] = {
    "capped": {"capped": True, "size": 5000, "max": 10},
    "clustered": {"clustered": True, "expire_after": dt.timedelta(days=1)},
    "time series": {
        "time_series": TimeSeries(
            time_field="taken_at", meta_field="sensor", granularity="minutes"
        ),
        "expire_after": 3600,
    },
    "collation": {"collation": {"locale": "fr_CA"}},
    "closed": {"closed": True, "validation_level": "moderate", "validation_action": "warn"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_collection_is_made_and_then_in_sync(database, kind):
    spec = collection_spec([make(**KINDS[kind])])
    for again in (False, True):
        plan = diff(read_catalog(database), (spec,), violators={spec.name: 0})
        assert plan.in_sync is again, plan.changes
        for operation in plan.operations:
            database.command(operation.command())
    (found,) = read_catalog(database).collections
    assert found.type == ("timeseries" if kind == "time series" else "collection")
    assert (found.capped, found.clustered) == (kind == "capped", kind == "clustered")


def test_create_arguments_speak_of_columns():
    assert create_arguments(make(**KINDS["time series"])) == {
        "timeseries": {"timeField": "at", "metaField": "sensor", "granularity": "minutes"},
        "expireAfterSeconds": 3600,
    }


def test_a_closed_collection_refuses_other_names():
    open_spec = collection_spec([make()])
    with isolate_apps("tests.schema.apps.target"):
        closed = collection_spec([make(closed=True)])
    assert "additionalProperties" not in open_spec.validator["$jsonSchema"]
    assert closed.validator["$jsonSchema"]["additionalProperties"] is False
    assert (closed.level, closed.action) == (None, None)
    spec = collection_spec([Word])
    assert (spec.level, spec.action) == ("moderate", "warn")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"capped": True}, "capped needs size"),
        ({"size": 5}, "size limits a capped collection only"),
        ({"capped": True, "size": 0}, "size must be a whole number above 0, not 0"),
        ({"capped": True, "size": 5, "max": 1.5}, "max must be a whole number above 0, not 1.5"),
        ({"capped": True, "size": 5, "clustered": True}, "cannot be both capped and clustered"),
        ({"time_series": 5}, "must be a TimeSeries or the name"),
        ({"view": True, "capped": True, "size": 5}, "cannot be both view and capped"),
        ({"view": True, "collation": {"locale": "de"}}, "a view has the collation that it was"),
        ({"view": True, "closed": True}, "a view cannot have a validator"),
        (
            {"time_series": TimeSeries(time_field="taken_at", granularity="days")},
            "granularity must be one of seconds, minutes, hours, not 'days'",
        ),
        ({"expire_after": 5}, "needs time_series or clustered; use a TTLIndex"),
        ({"clustered": True, "expire_after": -1}, "expire_after must be seconds above 0"),
        ({"validation_level": "hard"}, "must be one of off, moderate, strict, not 'hard'"),
        ({"validation_action": "log"}, "must be one of error, warn, not 'log'"),
        ({"rules": "forms"}, "rules must be one of database, model, off, not 'forms'"),
        ({"time_series": "taken_at", "rules": "model"}, "cannot have a validator"),
        ({"collation": {}}, 'collation needs a "locale"'),
        ({"time_series": "taken_at", "closed": True}, "cannot have a validator"),
    ],
)
def test_contradictions_name_the_model(options, said):
    with pytest.raises(CollectionOptionsError) as caught:
        make(**options)
    assert str(caught.value).startswith("collection_options of target.Reading: ")
    assert said in str(caught.value)


def test_a_field_that_is_not_there():
    model = make(time_series="when")
    with pytest.raises(CollectionOptionsError, match="the model has no field 'when'"):
        collection_spec([model])


def test_it_decorates_models_only():
    with pytest.raises(CollectionOptionsError, match="decorates models"):
        collection_options(closed=True)(cast("Any", dict))


def test_children_inherit_from_abstract_bases_only():
    @collection_options(closed=True)
    class Base(models.Model):
        class Meta:
            app_label = "target"
            abstract = True

    @collection_options(clustered=True)
    class Child(Base):
        class Meta:
            app_label = "target"

    class Grandchild(Child):
        """A model with a separate collection beside that of its parent."""

        class Meta:
            app_label = "target"

    assert options_of(Child) == CollectionOptions(clustered=True)
    assert options_of(Grandchild) == CollectionOptions(closed=True)
    assert options_of(Keeper) == CollectionOptions()


class TestSettings:
    def test_defaults(self, settings):
        settings.DJONGO_SERVICES = {}
        assert services.schema.models == {}
        assert services.schema.sync_on_migrate is False

    def test_a_list_is_for_the_default_connection(self, settings):
        settings.DJONGO_SERVICES = {"SCHEMA": {"MODELS": ["auth"], "SYNC_ON_MIGRATE": True}}
        assert services.schema.models == {"default": ("auth",)}
        assert services.schema.sync_on_migrate is True

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ([], 'DJONGO_SERVICES["SCHEMA"] must be a dict, not list.'),
            ({"MODEL": []}, "unknown key 'MODEL'; known keys are MODELS, RULES, SYNC_ON_MIGRATE"),
            ({"MODELS": "auth"}, '["MODELS"] must be a list of'),
            ({"MODELS": {"default": "auth"}}, '["MODELS"] must be a list of'),
            ({"MODELS": [5]}, '["MODELS"] contains 5; write labels'),
            ({"MODELS": {"nowhere": ["auth"]}}, "the connection 'nowhere', which does not exist"),
            ({"RULES": "strict"}, "[\"RULES\"] must be one of 'database', 'model', 'off', not"),
            ({"RULES": ["model"]}, "not ['model']"),
            ({"RULES": {"auth": True}}, "[\"RULES\"]['auth'] must be one of"),
            ({"RULES": {5: "off"}}, '["RULES"] has the key 5; write "app", "app.Model" or "*".'),
            ({"SYNC_ON_MIGRATE": "yes"}, '["SYNC_ON_MIGRATE"] must be True or False.'),
        ],
    )
    def test_wrong_values_are_named(self, settings, value, said):
        settings.DJONGO_SERVICES = {"SCHEMA": value}
        with pytest.raises(ImproperlyConfigured) as caught:
            _ = services.schema
        assert said in str(caught.value)


def test_a_view_wants_nothing_but_to_be_one() -> None:
    spec = collection_spec([make(view=True)])
    assert spec.view
    assert (spec.validator, spec.indexes, spec.options, spec.rules) == (None, (), {}, None)
