"""Models of a project on SQL: only Django's own fields."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.db.models import F, Value
from django.db.models.functions import Now


class Letters(models.CharField):
    """A custom field that converts its values: a list of letters, stored as one string."""

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else "".join(value)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return None if value is None else list(value)


class Kept(models.Model):
    number = models.BigAutoField(primary_key=True)
    big = models.BigIntegerField()
    binary = models.BinaryField()
    boolean = models.BooleanField(null=True)
    char = models.CharField(max_length=8, db_column="The Char", default="x")
    date = models.DateField(null=True)
    datetime = models.DateTimeField()
    decimal = models.DecimalField(max_digits=30, decimal_places=5)
    duration = models.DurationField()
    email = models.EmailField(blank=True)
    # Not in a bucket: it has no table here that a collector could ask.
    file = models.FileField(blank=True, storage=FileSystemStorage())
    float = models.FloatField()
    ip = models.GenericIPAddressField(null=True, blank=True)
    image = models.FilePathField(path="/", blank=True)
    integer = models.IntegerField()
    json = models.JSONField(null=True, blank=True)
    letters = Letters(max_length=9)
    positive = models.PositiveIntegerField()
    small = models.SmallIntegerField()
    slug = models.SlugField(allow_unicode=True, blank=True)
    text = models.TextField(blank=True)
    time = models.TimeField()
    url = models.URLField(blank=True)
    uuid = models.UUIDField()
    days = ArrayField(models.DateField(null=True), blank=True, default=list)
    doubled = models.GeneratedField(
        expression=F("integer") * 2, output_field=models.BigIntegerField(), db_persist=True
    )

    class Meta:
        app_label = "mapping"
        managed = False


class Defaulted(models.Model):
    literal = models.IntegerField(db_default=5)
    wrapped = models.CharField(max_length=5, db_default=Value("x"))
    computed = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "mapping"
        managed = False


class Keyed(models.Model):
    key = models.UUIDField(primary_key=True)

    class Meta:
        app_label = "mapping"
        managed = False


class Pair(models.Model):
    pk = models.CompositePrimaryKey("shop", "day")
    shop = models.ForeignKey(Keyed, models.CASCADE)
    day = models.DateField()
    seats = models.IntegerField(default=1)

    class Meta:
        app_label = "mapping"
        managed = False


class Parent(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.CharField(max_length=9)

    class Meta:
        app_label = "mapping"
        managed = False


class Child(Parent):
    keyed = models.ForeignKey(Keyed, models.CASCADE, null=True)

    class Meta:
        app_label = "mapping"
        managed = False
