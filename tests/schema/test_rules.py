"""``SCHEMA["RULES"]`` and ``@collection_options(rules=...)``: whose validator enforces what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test.utils import isolate_apps

from djongo_services.checks import check_settings
from djongo_services.connections import connections
from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import apply
from djongo_services.schema.diff import diff
from djongo_services.schema.options import collection_options, rules_of
from djongo_services.schema.rendering import load, render_json, render_text
from djongo_services.schema.target import SpecConflict, collection_spec, specs_for
from tests.schema.apps.target.models import Keeper, Word


@pytest.fixture
def rules(settings: Any) -> Callable[[Any], None]:
    def configure(value: Any) -> None:
        settings.DJONGO_SERVICES = {"SCHEMA": {"RULES": value}}

    return configure


def grades(**options: Any) -> type[models.Model]:
    """A model of the app ``target`` with a rule that only ``full_clean()`` enforces."""

    @collection_options(**options)
    class Grade(models.Model):
        letter = models.CharField(max_length=1, choices=[("a", "A"), ("b", "B")])

        class Meta:
            app_label = "target"

    return Grade


def of(model: type[models.Model]) -> str:
    validator = collection_spec([model]).validator
    if validator is None:
        return "off"
    letter = validator["$jsonSchema"]["properties"]["letter"]
    return "model" if "enum" in letter else "database"


@isolate_apps("tests.schema.apps.target")
@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({}, "database"),
        ("database", "database"),
        ("model", "model"),
        ("off", "off"),
        ({"*": "model"}, "model"),
        ({"*": "off", "target": "model"}, "model"),
        ({"target": "off", "target.Grade": "model"}, "model"),
        ({"target": "off", "target.grade": "model"}, "model"),
        ({"auth": "model"}, "database"),
        ({"target.Keeper": "off"}, "database"),
    ],
)
def test_the_nearest_key_of_the_setting_counts(rules, setting, found):
    rules(setting)
    assert of(grades()) == found


@isolate_apps("tests.schema.apps.target")
@pytest.mark.parametrize("own", ["database", "model", "off"])
def test_the_model_overrides_the_setting(rules, own):
    rules({"*": "off", "target.Grade": "model"})
    assert of(grades(rules=own)) == own


@isolate_apps("tests.schema.apps.target")
def test_rules_and_closed_are_independent():
    spec = collection_spec([grades(rules="model", closed=True)])
    assert spec.validator["$jsonSchema"]["additionalProperties"] is False
    assert spec.rules == "model"


def test_a_many_to_many_table_follows_its_model(rules):
    through = Keeper.friends.through
    rules({"target.Keeper": "off"})
    assert (rules_of(Keeper), rules_of(through), rules_of(Word)) == ("off", "off", "database")
    rules({"target.Keeper": "off", through._meta.label: "model"})
    assert rules_of(through) == "model"


@isolate_apps("tests.schema.apps.target")
def test_models_of_one_collection_must_agree(rules):
    model = grades(rules="model")

    class Twin(models.Model):
        class Meta:
            app_label = "target"
            db_table = model._meta.db_table
            managed = False

    with pytest.raises(SpecConflict, match=r"target.Grade and target.Twin .* differ in rules"):
        collection_spec([model, Twin])


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("targt", "There is no app 'targt'; did you mean target?"),
        ("target.Specimn", "The app 'target' has no model 'Specimn'; did you mean Specimen?"),
    ],
)
def test_a_label_that_names_nothing(rules, label, said):
    rules({label: "model"})
    expected = f'DJONGO_SERVICES["SCHEMA"]["RULES"]: {said}'
    with pytest.raises(ImproperlyConfigured) as caught:
        specs_for(connections["default"])
    assert str(caught.value) == expected
    (message,) = check_settings()
    assert (message.id, message.msg) == ("djongo_services.E002", expected)


class TestPlan:
    @pytest.fixture(autouse=True)
    def no_registry(self) -> Iterator[None]:
        with isolate_apps("tests.schema.apps.target"):
            yield

    def plan(self, database, **options: Any):
        specs = (collection_spec([grades(**options)]),)
        return diff(read_catalog(database), specs, violators={"target_grade": 0})

    def test_rules_that_are_not_the_default_are_shown(self, database):
        assert "target_grade  (rules: model)\n" in render_text(self.plan(database, rules="model"))

    def test_the_default_is_not(self, database):
        assert "target_grade\n" in render_text(self.plan(database))

    def test_without_a_validator(self, database):
        plan = self.plan(database, rules="off")
        assert "target_grade  (rules: off)\n" in render_text(plan)
        (create,) = plan.operations
        assert "validator" not in create.options

    def test_a_validator_of_ours_is_removed(self, database):
        spec = collection_spec([grades(rules="database")])
        apply(database, diff(read_catalog(database), (spec,), violators={"target_grade": 0}))
        off = replace(spec, validator=None, checks={}, rules="off")
        plan = diff(read_catalog(database), (off,))
        assert "  - validator: removed, because the models have no rules" in render_text(plan)

    def test_a_validator_of_another_origin_stays(self, database):
        database.create_collection("target_grade", validator={"letter": "a"})
        assert self.plan(database, rules="off").in_sync

    @pytest.mark.parametrize("own", ["database", "model", "off"])
    def test_json_has_them_all_and_is_read_back(self, database, own):
        text = render_json(self.plan(database, rules=own))
        assert json.loads(text)["rules"] == [{"collection": "target_grade", "rules": own}]
        assert load(text).rules == {"target_grade": own}
