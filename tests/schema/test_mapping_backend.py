"""The documents that django-mongodb-backend writes for valid instances pass the model's schema."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from bson import ObjectId
from django.db import models
from django.db.models import F
from hypothesis import HealthCheck, given, settings

from djongo_services.schema.mapping import model_schema
from tests.mongodb_orm import connection
from tests.schema import mapping_values as values
from tests.schema.apps.mapping import models as app

pytestmark = pytest.mark.django_db

property_test = settings(
    report_multiple_bugs=False,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def enforced() -> Iterator[Callable[..., None]]:
    """Give models' collections their closed schemas, strict and error, until the test ends."""
    changed: list[type[models.Model]] = []

    def enforce(*chosen: type[models.Model]) -> None:
        for model in chosen:
            table = model._meta.db_table
            if model in changed:
                continue
            changed.append(model)
            found = model_schema(model, backend=True, closed=True, rules="model")
            connection.database.drop_collection(table)
            connection.database.create_collection(table, validator={"$jsonSchema": found.schema})

    yield enforce
    for model in changed:
        connection.database.drop_collection(model._meta.db_table)
    # As they were: other tests in this process look for the files in them.
    with connection.schema_editor() as editor:
        for model in changed:
            if not model._meta.auto_created:
                editor.create_model(model)


def cleaned(instance: models.Model) -> models.Model:
    """Fails for an invalid one: the values are meant to be valid."""
    instance.full_clean(validate_unique=False)
    return instance


@property_test
@given(instance=values.instances(app.Everything, values.EVERYTHING))
def test_every_field(enforced: Callable[..., None], instance: models.Model) -> None:
    enforced(app.Everything)
    cleaned(instance).save()
    assert connection.database["mapping_everything"].count_documents({"_id": instance.pk}) == 1


@property_test
@given(instance=values.instances(app.Ruled, values.RULED))
def test_every_rule(enforced: Callable[..., None], instance: models.Model) -> None:
    enforced(app.Ruled)
    cleaned(instance).save()


@property_test
@given(instance=values.instances(app.Nested, values.NESTED))
def test_embedded_documents_and_arrays(
    enforced: Callable[..., None], instance: models.Model
) -> None:
    enforced(app.Nested)
    cleaned(instance).save()


ARITHMETIC = [
    {"float": F("integer") * 1.5, "integer": F("integer") / 2, "big": F("float") + 1},
    {"integer": F("decimal") * 2, "decimal": F("float") * 2, "duration": F("duration") / 3},
    {"positive": F("positive") + F("small"), "small": F("decimal"), "decimal": F("integer") / 3},
    {"date": F("date") + dt.timedelta(days=1), "datetime": F("datetime") - dt.timedelta(hours=1)},
    {"positive_small": F("positive_small") * Decimal("1.25"), "char": F("slug")},
    {"char_null": None, "boolean_null": None, "weighed": F("weighed") + 1, "json_null": None},
]


@pytest.mark.parametrize("changes", ARITHMETIC, ids=lambda changes: "+".join(changes))
def test_arithmetic_on_the_server(
    enforced: Callable[..., None], everything: app.Everything, changes: dict[str, Any]
) -> None:
    enforced(app.Everything)
    everything.save()
    assert app.Everything.objects.update(**changes) == 1


def test_arithmetic_beyond_64_bits(
    enforced: Callable[..., None], everything: app.Everything
) -> None:
    enforced(app.Everything)
    everything.integer = everything.big = 2**63 - 1
    everything.save()
    app.Everything.objects.update(integer=F("integer") * 2, big=F("big") + F("big"))
    stored = connection.database["mapping_everything"].find_one()
    assert isinstance(stored["integer"], float)


def test_choices_hold_whatever_type_a_number_has(enforced: Callable[..., None]) -> None:
    enforced(app.Ruled)
    ruled = app.Ruled(
        short="abc", code="AB1", grade="g", number=1, price=Decimal("1.5"), day=dt.date(2024, 2, 29)
    )
    cleaned(ruled).save()
    app.Ruled.objects.update(number=F("bounded_float") + F("number"), price=F("number") + 1)
    stored = connection.database["mapping_ruled"].find_one()
    assert (stored["number"], stored["price"]) == (2.0, 2)


def test_keys_and_relations(enforced: Callable[..., None]) -> None:
    shown = (app.Shop, app.Named, app.Place, app.Restaurant, app.Related)
    enforced(*shown, app.Related.places.through)
    shop, named = app.Shop(key=values.uuid.uuid4()), app.Named(name="unique")
    shop.save(force_insert=True)
    named.save(force_insert=True)
    restaurant = app.Restaurant(title="Ratio", seats=5)
    restaurant.save()
    place = app.Proxy.objects.create(title="Anywhere")
    related = app.Related.objects.create(
        shop=shop, named=named, restaurant=restaurant, limited_id=place.pk, object_id="5"
    )
    related.places.add(app.Place.objects.get(pk=restaurant.pk), place)
    stored = connection.database["mapping_related"].find_one()
    assert stored["shop_id"] == shop.key.hex
    assert stored["restaurant_id"] == restaurant.pk
    assert connection.database["mapping_restaurant"].find_one()["place_ptr_id"] == restaurant.pk


def test_encrypted_fields_are_left_alone() -> None:
    found = model_schema(app.Locked, backend=True, closed=True, rules="model")
    assert found.schema["properties"]["secret"] == {}
    assert found.schema["properties"]["__safeContent__"] == {}
    assert found.problems == ()


@pytest.fixture
def everything() -> app.Everything:
    return app.Everything(
        boolean=True,
        binary=b"x",
        char="c",
        date=dt.date(2024, 2, 29),
        datetime=dt.datetime(2024, 2, 29, tzinfo=dt.UTC),
        decimal=Decimal("12.34"),
        duration=dt.timedelta(seconds=1),
        float=1.5,
        ip="::1",
        big=1,
        integer=7,
        positive=1,
        positive_big=1,
        positive_small=1,
        small=1,
        json={"a": 1},
        slug="slug",
        time=dt.time(1, 2),
        uuid=values.uuid.UUID(int=5),
        object_id=ObjectId(),
        weighed=1,
    )
