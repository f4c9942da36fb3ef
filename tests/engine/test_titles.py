"""Titles of columns: what is written is what is read."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import models
from django.test.utils import isolate_apps
from django_mongodb_backend.fields import (
    ArrayField,
    EmbeddedModelArrayField,
    EmbeddedModelField,
    ObjectIdAutoField,
    PolymorphicEmbeddedModelArrayField,
    PolymorphicEmbeddedModelField,
)
from django_mongodb_backend.models import EmbeddedModel

from djongo_services.backend.titles import ReferredColumn, Title, parse, title_of
from djongo_services.modelfields import BSONField


@isolate_apps("tests.engine.shop")
def test_titles_of_fields() -> None:
    class OwnArrayField(ArrayField):
        pass

    class Address(EmbeddedModel):
        street = models.CharField(max_length=9)

        class Meta:
            app_label = "shop"

    class Country(models.Model):
        code = models.CharField(max_length=2, primary_key=True)
        key = models.SlugField(unique=True)

        class Meta:
            app_label = "shop"
            db_table = "geo.country"

    class Place(models.Model):
        id = ObjectIdAutoField(primary_key=True)
        text = models.TextField()
        mail = models.EmailField()
        price = models.DecimalField(max_digits=10, decimal_places=2)
        day = models.DateField()
        country = models.ForeignKey(Country, models.CASCADE)
        by_key = models.OneToOneField(Country, models.CASCADE, to_field="key", related_name="+")
        above = models.ForeignKey("self", models.CASCADE)
        tags = ArrayField(ArrayField(models.DecimalField(max_digits=5, decimal_places=1)))
        sizes = OwnArrayField(models.IntegerField())
        address = EmbeddedModelField(Address)
        addresses = EmbeddedModelArrayField(Address)
        either = PolymorphicEmbeddedModelField([Address])
        several = PolymorphicEmbeddedModelArrayField([Address])
        anything = BSONField()
        twice: Any = models.GeneratedField(
            expression=models.F("price") * 2,
            output_field=models.DecimalField(max_digits=11, decimal_places=2),
            db_persist=True,
        )

        class Meta:
            app_label = "shop"

    class Shop(Place):
        class Meta:
            app_label = "shop"

    titles = {
        field.name: title_of(field)
        for model in (Country, Place, Shop)
        for field in model._meta.local_fields
    }
    assert titles == {
        "code": "CharField(primary_key)",
        "key": "SlugField",
        "id": "ObjectIdAutoField",
        "text": "TextField",
        "mail": "CharField",
        "price": "DecimalField(10, 2)",
        "day": "DateField",
        "country": "ForeignKey(geo.country.code)",
        "by_key": "OneToOneField(geo.country.key)",
        "above": "ForeignKey(shop_place._id)",
        "tags": "ArrayField(ArrayField(DecimalField(5, 1)))",
        "sizes": "ArrayField(IntegerField)",
        "address": "EmbeddedModelField(shop.Address)",
        "addresses": "EmbeddedModelArrayField(shop.Address)",
        "either": "PolymorphicEmbeddedModelField(shop.Address)",
        "several": "PolymorphicEmbeddedModelArrayField(shop.Address)",
        "anything": "BSONField",
        "twice": "DecimalField(11, 2)",
        "place_ptr": "OneToOneField(shop_place._id, primary_key)",
    }
    for text in titles.values():
        parsed = parse(text)
        assert parsed is not None
        assert str(parsed) == text


def test_parsed_titles_have_parts() -> None:
    assert parse("ForeignKey(geo.country.code, primary_key)") == Title(
        kind="ForeignKey",
        primary_key=True,
        target=ReferredColumn(collection="geo.country", column="code"),
    )
    assert parse("ArrayField(DecimalField(5, 1))") == Title(
        kind="ArrayField", item=Title(kind="DecimalField", digits=(5, 1))
    )
    assert parse("PolymorphicEmbeddedModelField(shop.A, shop.B)") == Title(
        kind="PolymorphicEmbeddedModelField", models=("shop.A", "shop.B")
    )


def test_a_type_of_another_form_is_some_field() -> None:
    class Money(models.Field):
        pass

    assert title_of(Money()) == "Field"
    assert parse("Field") == Title(kind="Field")


def test_a_relation_of_an_unloaded_model_has_no_target() -> None:
    field = models.ForeignKey("nowhere.Nothing", models.CASCADE)
    assert title_of(field) == "ForeignKey"
    assert parse("ForeignKey") == Title(kind="ForeignKey")


@pytest.mark.parametrize(
    "text",
    [
        None,
        3,
        "",
        "The name of a person",
        "Name",
        "Name (first, last)",
        "ForeignKey()",
        "ForeignKey(auth_user)",
        "ForeignKey(.x)",
        "CharField(10)",
        "ArrayField(a b)",
        "DecimalField(10)",
    ],
)
def test_titles_of_others(text: object) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("model", [User, Permission])
def test_titles_of_django_apps_are_read(model: Any) -> None:
    for field in model._meta.local_fields:
        parsed = parse(title_of(field))
        assert parsed is not None
        assert parsed.kind == field.get_internal_type()
