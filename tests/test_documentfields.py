"""Arrays and embedded documents: what passes full_clean(), and what forms give back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from bson import ObjectId
from django.core.exceptions import ValidationError
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.forms.models import modelform_factory
from django.http import QueryDict
from django.test.utils import isolate_apps
from django_mongodb_backend.fields import ObjectIdAutoField
from django_mongodb_backend.models import EmbeddedModel

from djongo_services.documentfields import ArrayField, EmbeddedModelArrayField, EmbeddedModelField
from djongo_services.modelfields import BSONField
from tests.introspection.served_project.pages import filled_in


@pytest.fixture
def person() -> Any:
    with isolate_apps("tests.backend_app"):

        class Geo(EmbeddedModel):
            lat = models.FloatField()

            class Meta:
                app_label = "backend_app"

        class Home(EmbeddedModel):
            id = ObjectIdAutoField(primary_key=True)
            city = models.CharField(max_length=20)
            exact = models.BooleanField(default=False)
            geo = EmbeddedModelField(Geo, null=True, blank=True)

            class Meta:
                app_label = "backend_app"

        class Person(models.Model):
            home = EmbeddedModelField(Home, null=True, blank=True)
            homes = EmbeddedModelArrayField(Home, null=True, blank=True)
            tags = ArrayField(models.CharField(max_length=20, blank=True), blank=True)
            days = ArrayField(models.DateField(), null=True, blank=True)
            values = ArrayField(BSONField(null=True, blank=True), null=True, blank=True)

            class Meta:
                app_label = "backend_app"

        made: Any = Person
        made.home_class, made.geo_class = Home, Geo
        yield made


def cleaned(model: Any, instance: Any) -> None:
    instance.full_clean(validate_unique=False, validate_constraints=False)


def sent(model: Any, instance: Any, **changes: str | None) -> Any:
    """The form as a browser sends it, with these fields filled in otherwise."""
    form_class = modelform_factory(model, fields="__all__")
    values = filled_in(str(form_class(instance=instance).as_p()))
    for name, value in changes.items():
        values.pop(name.replace("__", "-"), None)
        if value is not None:
            values[name.replace("__", "-")] = [value]
    data = QueryDict(mutable=True)
    for name, each in values.items():
        data.setlist(name, each)
    return form_class(data, instance=instance)


def test_a_document_that_is_missing_is_valid(person: Any) -> None:
    cleaned(person, person(home=None, homes=None))
    cleaned(person, person(home=person.home_class(city="x", geo=None)))
    cleaned(person, person(homes=[person.home_class(city="x", geo=None)]))


def test_a_document_that_was_not_given_is_none(person: Any) -> None:
    assert (person().home, person.home_class().geo) == (None, None)
    assert EmbeddedModelField(person.home_class).get_default() is None


def test_what_is_wrong_inside_is_refused(person: Any) -> None:
    for wrong in (person.home_class(city=""), person.home_class(city="x", geo=person.geo_class())):
        with pytest.raises(ValidationError):
            cleaned(person, person(home=wrong))
    with pytest.raises(ValidationError, match="Expected instance of type"):
        cleaned(person, person(home="x"))


def test_null_is_refused_without_the_option(person: Any) -> None:
    field = EmbeddedModelField(person.home_class)
    with pytest.raises(ValidationError, match="cannot be null"):
        field.clean(None, None)
    for array in (ArrayField(models.TextField()), EmbeddedModelArrayField(person.home_class)):
        array.set_attributes_from_name("x")
        with pytest.raises(ValidationError, match="cannot be null"):
            array.clean(None, None)


def test_an_unchanged_form_changes_nothing(person: Any) -> None:
    home = person.home_class(id=ObjectId(), city=" x ", exact=True, geo=person.geo_class(lat=1.5))
    for given in (
        {"home": home, "homes": [home, person.home_class(id=ObjectId(), city="y")]},
        {"home": None, "homes": None, "days": None, "values": None},
        {"home": None, "homes": [], "days": [dt.date(2020, 1, 1)], "values": [{"a": [1]}, None]},
    ):
        instance = person(tags=["a, b", "", " c "], **given)
        form = sent(person, instance)
        assert form.is_valid(), form.errors
        assert not form.has_changed()
        for name, value in given.items():
            assert getattr(form.instance, name) is value or getattr(form.instance, name) == value
        assert form.instance.tags == ["a, b", "", " c "]
        if given["home"] is not None:
            assert form.instance.home.id == home.id


def test_a_change_inside_leaves_the_rest(person: Any) -> None:
    home = person.home_class(id=ObjectId(), city="x", exact=True, geo=person.geo_class(lat=1.5))
    other = person.home_class(id=ObjectId(), city=" y ")
    changes = {"home__city": "z", "homes__0__city": "w", "tags": '["a, b", "new"]'}
    form = sent(person, person(home=home, homes=[home, other], tags=["a, b"]), **changes)

    assert form.is_valid(), form.errors
    found = form.save(commit=False)
    assert (found.home.city, found.home.id, found.home.geo.lat) == ("z", home.id, 1.5)
    assert [each.city for each in found.homes] == ["w", " y "]
    assert [each.id for each in found.homes] == [home.id, other.id]
    assert found.tags == ["a, b", "new"]


def test_documents_are_added_removed_and_emptied(person: Any) -> None:
    home = person.home_class(id=ObjectId(), city="x")
    form = sent(person, person(home=home, homes=[home]), homes__0__DELETE="on", home__city="")
    assert form.is_valid(), form.errors
    assert (form.instance.home, form.instance.homes) == (None, [])

    form = sent(person, person(home=None, homes=None), home__city="a", homes__0__city="b")
    assert form.is_valid(), form.errors
    assert form.instance.home.city == "a"
    assert [each.city for each in form.instance.homes] == ["b"]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"tags": "a, b"}, "tags", 'Enter a list in JSON, such as ["a", "b"].'),
        ({"tags": '{"a": 1}'}, "tags", 'Enter a list in JSON, such as ["a", "b"].'),
        ({"days": '["2020-01-01", "never"]'}, "days", "Item 2: Enter a valid date."),
        ({"values": '[{"$oid": "x"}]'}, "values", 'Enter a list in JSON, such as ["a", "b"].'),
        ({"home__city": "x" * 21}, "home", "City: Ensure this value has at most 20 characters"),
        (
            {"homes__0__city": "x", "homes__0__geo__lat": "x"},
            "homes",
            "Geo: Lat: Enter a number.",
        ),
    ],
)
def test_what_is_no_value_is_told(
    person: Any, changes: dict[str, str], field: str, message: str
) -> None:
    form = sent(person, person(home=None), **changes)

    assert not form.is_valid()
    assert form.errors[field][0].startswith(message)
    assert str(form)  # The page with the errors and what was typed.
    if field in changes:
        assert changes[field].split('"')[0] in str(form)


def test_values_of_any_kind_are_extended_json(person: Any) -> None:
    key = ObjectId()
    form = sent(person, person(), values=f'[{{"$oid": "{key}"}}, {{"a": [1, null]}}, "x, y"]')

    assert form.is_valid(), form.errors
    assert form.instance.values == [key, {"a": [1, None]}, "x, y"]


@pytest.mark.parametrize("name", ["home", "homes", "tags"])
def test_migrations_import_the_fields_from_here(person: Any, name: str) -> None:
    field = person._meta.get_field(name)
    _, path, args, kwargs = field.deconstruct()

    assert path == f"djongo_services.documentfields.{type(field).__name__}"
    again = type(field)(*args, **kwargs).deconstruct()[1:]
    assert repr(again) == repr((path, args, kwargs))
    if name == "tags":
        _, imports = MigrationWriter.serialize(field)
        assert "import djongo_services.documentfields" in imports
