"""One model for each package, and one with Django's own fields and every rule that forms
support."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django.core import validators
from django.db import models
from django_countries.fields import CountryField
from djmoney.models.fields import MoneyField
from model_utils import Choices
from model_utils.fields import MonitorField, SplitField, StatusField, UrlsafeTokenField
from model_utils.fields import UUIDField as OwnUUIDField
from model_utils.models import SoftDeletableModel, TimeFramedModel, TimeStampedModel
from multiselectfield import MultiSelectField
from phonenumber_field.modelfields import PhoneNumberField
from polymorphic.models import PolymorphicModel
from simple_history.models import HistoricalRecords
from taggit.managers import TaggableManager
from taggit.models import CommonGenericTaggedItemBase, TaggedItemBase
from treebeard.mp_tree import MP_Node
from treebeard.ns_tree import NS_Node

SIZES = [("s", "small"), ("m", "medium"), ("l", "large")]


class Plain(models.Model):
    """Django's own fields; what forms refuse of them is what no SQL database does."""

    char = models.CharField(max_length=8, validators=[validators.MinLengthValidator(3)])
    choice = models.CharField(max_length=8, choices=SIZES)
    number = models.IntegerField(choices=[(1, "one")], default=1)
    text = models.TextField(max_length=5)
    slug = models.SlugField(max_length=8)
    email = models.EmailField()
    url = models.URLField()
    code = models.CharField(max_length=8, validators=[validators.RegexValidator(r"^[A-Z]+$")])
    rating = models.IntegerField(validators=[validators.MaxValueValidator(5)], default=0)
    positive = models.PositiveIntegerField(default=0)
    positive_small = models.PositiveSmallIntegerField(default=0)
    positive_big = models.PositiveBigIntegerField(default=0)
    small = models.SmallIntegerField(default=0)
    big = models.BigIntegerField(default=0)
    price = models.DecimalField(
        max_digits=6, decimal_places=2, default=0, validators=[validators.MinValueValidator(1)]
    )
    ratio = models.FloatField(default=0, validators=[validators.MinValueValidator(0)])
    flag = models.BooleanField(default=False)
    maybe = models.BooleanField(null=True)
    json = models.JSONField(default=dict)
    json_null = models.JSONField(null=True)
    binary = models.BinaryField(max_length=3, default=b"")
    ip = models.GenericIPAddressField(null=True)
    uuid = models.UUIDField(null=True)
    day = models.DateField(auto_now_add=True)
    moment = models.DateTimeField(auto_now=True)
    time = models.TimeField(null=True)
    span = models.DurationField(null=True, validators=[validators.MinValueValidator(Decimal(1))])
    file = models.FileField(upload_to="packages", max_length=40)
    image_name = models.FilePathField(path="/", max_length=20)
    unique = models.CharField(max_length=8, null=True, unique=True)
    friends = models.ManyToManyField("self")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(big__lt=100), name="plain_big"),
        ]

    def __str__(self) -> str:
        return self.char


class Address(models.Model):
    country = CountryField()
    maybe = CountryField(null=True, blank=True)
    countries = CountryField(multiple=True)
    more = CountryField(multiple=True, blank=True)

    def __str__(self) -> str:
        return str(self.country)


class Price(models.Model):  # type: ignore[django-manager-missing]  # djmoney makes it
    price = MoneyField(max_digits=8, decimal_places=2, default_currency="EUR")
    budget = MoneyField(
        max_digits=8, decimal_places=2, null=True, blank=True, default_currency=None
    )

    def __str__(self) -> str:
        return str(self.price)


class Phone(models.Model):
    phone = PhoneNumberField()
    mobile = PhoneNumberField(null=True, blank=True, region="CH")

    def __str__(self) -> str:
        return str(self.phone)


class Shirt(models.Model):
    sizes = MultiSelectField(choices=SIZES, max_choices=2, max_length=8)
    spare = MultiSelectField(choices=SIZES, max_length=8, null=True, blank=True)

    def __str__(self) -> str:
        return str(self.sizes)


class Article(TimeStampedModel, TimeFramedModel, SoftDeletableModel):
    STATUS = Choices("draft", ("out", "published"))
    key = OwnUUIDField()
    status = StatusField()
    status_changed = MonitorField(monitor="status")
    body = SplitField()
    token = UrlsafeTokenField(max_length=16)

    def __str__(self) -> str:
        return self.status


class Tagged(CommonGenericTaggedItemBase, TaggedItemBase):
    object_id = models.CharField(max_length=24, db_index=True)


class Post(models.Model):
    title = models.CharField(max_length=20)
    tags = TaggableManager(through=Tagged, blank=True)

    def __str__(self) -> str:
        return self.title


class Document(models.Model):
    # The history's copy of an ObjectIdAutoField would be an integer.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=20)
    kind = models.CharField(max_length=1, choices=[("a", "A")])
    file = models.FileField(upload_to="packages", blank=True)
    country = CountryField(multiple=True, blank=True)
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.title


class Animal(PolymorphicModel):
    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name


class Dog(Animal):
    breed = models.CharField(max_length=20, choices=[("husky", "Husky")])


class Category(MP_Node):
    name = models.CharField(max_length=20)
    node_order_by: list[Any] = ["name"]

    def __str__(self) -> str:
        return self.name


class Section(NS_Node):
    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name
