"""Every field that a project on MongoDB can have, with validators, relations and inheritance."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core import validators
from django.db import models
from django_mongodb_backend.fields import (
    ArrayField,
    EmbeddedModelArrayField,
    EmbeddedModelField,
    ObjectIdField,
    PolymorphicEmbeddedModelArrayField,
    PolymorphicEmbeddedModelField,
)
from django_mongodb_backend.models import EmbeddedModel

from djongo_services.modelfields import BSONField, Decimal128Field


def is_lucky(value: int) -> None:
    """A validator that only Python can run."""


class Slogan(models.CharField):
    """A custom field that is what its base class is."""


class Point(models.Field):
    """A custom field with a new type: ``[x, y]``."""

    def db_type(self, connection: Any) -> str:
        return "array"


class Weighed(models.Field):
    """A custom field that says it is another."""

    def get_internal_type(self) -> str:
        return "FloatField"


class Everything(models.Model):
    boolean = models.BooleanField()
    boolean_null = models.BooleanField(null=True, blank=True)
    binary = models.BinaryField(blank=True)
    char = models.CharField(max_length=8)
    char_blank = models.CharField(max_length=8, blank=True)
    char_null = models.CharField(max_length=8, null=True, blank=True)
    char_column = models.CharField(max_length=8, blank=True, db_column="Char Column")
    commas = models.CharField(
        max_length=30, validators=[validators.validate_comma_separated_integer_list], blank=True
    )
    date = models.DateField()
    datetime = models.DateTimeField()
    decimal = models.DecimalField(max_digits=6, decimal_places=2)
    decimal_wide = Decimal128Field(null=True, blank=True)
    duration = models.DurationField()
    email = models.EmailField(blank=True)
    file = models.FileField(blank=True, max_length=40)
    file_path = models.FilePathField(path="/", max_length=40, blank=True)
    float = models.FloatField()
    ip = models.GenericIPAddressField()
    ipv4 = models.GenericIPAddressField(protocol="ipv4", null=True, blank=True)
    ipv6 = models.GenericIPAddressField(protocol="ipv6", null=True, blank=True)
    image_name = models.CharField(max_length=40, default="")
    big = models.BigIntegerField()
    integer = models.IntegerField()
    positive = models.PositiveIntegerField()
    positive_big = models.PositiveBigIntegerField()
    positive_small = models.PositiveSmallIntegerField()
    small = models.SmallIntegerField()
    json = models.JSONField()
    json_null = models.JSONField(null=True, blank=True)
    slug = models.SlugField()
    slug_unicode = models.SlugField(allow_unicode=True, blank=True)
    text = models.TextField(blank=True)
    time = models.TimeField()
    url = models.URLField(blank=True)
    uuid = models.UUIDField()
    object_id = ObjectIdField(null=True, blank=True)
    bson = BSONField(null=True, blank=True)
    weighed = Weighed(null=True, blank=True)
    point = Point(null=True, blank=True)
    slogan = Slogan(max_length=5, blank=True)


class Ruled(models.Model):
    """One rule a field."""

    class Grade(models.TextChoices):
        GOOD = "g", "good"
        BAD = "b", "bad"

    bounded = models.IntegerField(
        validators=[validators.MinValueValidator(-5), validators.MaxValueValidator(5)], default=0
    )
    bounded_float = models.FloatField(
        validators=[validators.MinValueValidator(0.5), validators.MaxValueValidator(1.5)], default=1
    )
    bounded_decimal = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=1,
        validators=[validators.MinValueValidator(Decimal("0.1"))],
    )
    bounded_duration = models.DurationField(
        default=datetime.timedelta(seconds=2),
        validators=[
            validators.MinValueValidator(datetime.timedelta(seconds=1)),
            validators.MaxValueValidator(datetime.timedelta(seconds=3)),
        ],
    )
    stepped = models.IntegerField(validators=[validators.StepValueValidator(5)], default=0)
    stepped_offset = models.IntegerField(
        validators=[validators.StepValueValidator(5, offset=10)], default=0
    )
    short = models.CharField(max_length=9, validators=[validators.MinLengthValidator(3)])
    short_blank = models.CharField(
        max_length=9, validators=[validators.MinLengthValidator(3)], blank=True
    )
    code = models.CharField(max_length=9, validators=[validators.RegexValidator(r"^[A-Z]{2}\d+$")])
    not_code = models.TextField(
        validators=[validators.RegexValidator(r"\d", inverse_match=True)], blank=True
    )
    words = models.TextField(validators=[validators.RegexValidator(r"^(\w\s?)*$")], blank=True)
    no_null = models.TextField(
        validators=[validators.ProhibitNullCharactersValidator()], blank=True
    )
    domain = models.CharField(
        max_length=300, validators=[validators.DomainNameValidator()], blank=True
    )
    picture = models.FileField(
        validators=[validators.FileExtensionValidator(["png", "jpg"])], blank=True
    )
    ascii_domain = models.CharField(
        max_length=300,
        validators=[validators.DomainNameValidator(accept_idna=False)],
        blank=True,
    )
    grade = models.CharField(max_length=1, choices=Grade.choices)
    grade_blank = models.CharField(max_length=1, choices=Grade.choices, blank=True)
    grade_null = models.CharField(max_length=1, choices=Grade.choices, null=True, blank=True)
    number = models.IntegerField(choices=[(1, "one"), ("several", [(2, "two"), (3, "three")])])
    price = models.DecimalField(
        max_digits=4, decimal_places=1, choices=[(Decimal("1.5"), "less"), (Decimal("2.0"), "more")]
    )
    day = models.DateField(choices=[(datetime.date(2024, 2, 29), "leap day")])


class Inexpressible(models.Model):
    lucky = models.IntegerField(validators=[is_lucky])
    late = models.DateField(validators=[validators.MinValueValidator(datetime.date(2020, 1, 1))])
    current = models.IntegerField(validators=[validators.MaxValueValidator(lambda: 2024)])
    fractions = models.FloatField(validators=[validators.StepValueValidator(0.1)])
    shifted = models.IntegerField(validators=[validators.StepValueValidator(5, offset=1)])
    blob = models.BinaryField(max_length=5)
    twice = models.CharField(max_length=9, validators=[validators.RegexValidator(r"(.)\1")])
    dotted = models.IntegerField(db_column="a.b")


class Address(EmbeddedModel):
    street = models.CharField(max_length=10)
    number = models.PositiveSmallIntegerField(null=True, blank=True)


class Person(EmbeddedModel):
    name = models.CharField(max_length=10)
    address = EmbeddedModelField(Address, null=True, blank=True)
    former = EmbeddedModelArrayField(Address, default=list, blank=True)


class Cat(EmbeddedModel):
    lives = models.IntegerField(validators=[validators.MaxValueValidator(9)])


class Dog(EmbeddedModel):
    breed = models.CharField(max_length=5)


class Comment(EmbeddedModel):
    text = models.CharField(max_length=10)
    answers = EmbeddedModelArrayField("mapping.Comment", default=list, blank=True)


class Nested(models.Model):
    person = EmbeddedModelField(Person)
    maybe = EmbeddedModelField(Person, null=True, blank=True)
    people = EmbeddedModelArrayField(Person, null=True, blank=True)
    pet = PolymorphicEmbeddedModelField([Cat, Dog])
    pets = PolymorphicEmbeddedModelArrayField([Cat, Dog], null=True, blank=True)
    tags = ArrayField(models.CharField(max_length=5), default=list)
    pair = ArrayField(models.IntegerField(), size=2, null=True, blank=True)
    few = ArrayField(models.FloatField(null=True, blank=True), max_size=3, blank=True, default=list)
    matrix = ArrayField(ArrayField(models.IntegerField()), null=True, blank=True)
    some = ArrayField(models.DateField())
    thread = EmbeddedModelField(Comment, null=True, blank=True)


class Shop(models.Model):
    key = models.UUIDField(primary_key=True, db_column="_id")


class Named(models.Model):
    name = models.CharField(max_length=6, primary_key=True)


class Base(models.Model):
    title = models.CharField(max_length=10)

    class Meta:
        abstract = True


class Place(Base):
    seats = models.IntegerField(default=0)


class Restaurant(Place):
    stars = models.IntegerField(null=True, blank=True)


class Proxy(Place):
    class Meta:
        proxy = True


class Related(models.Model):
    shop = models.ForeignKey(Shop, models.CASCADE)
    named = models.OneToOneField(Named, models.CASCADE, null=True, blank=True)
    restaurant = models.ForeignKey(
        Restaurant, models.CASCADE, null=True, blank=True, related_name="+"
    )
    limited = models.ForeignKey(
        Place,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        limit_choices_to={"seats__gt": 1},
    )
    places = models.ManyToManyField(Place)
    content_type = models.ForeignKey(ContentType, models.CASCADE, null=True, blank=True)
    object_id = models.CharField(max_length=24, blank=True)
    anything = GenericForeignKey()


class Locked(models.Model):
    secret = models.CharField(max_length=3)
    secret.encrypted = True  # type: ignore[attr-defined]  # as such fields do

    class Meta:
        managed = (
            False  # The backend 6.x makes its collection with keys, which need another server.
        )
