"""A museum's field notes: who wrote them, where, what was measured, recorded and lent."""

from __future__ import annotations

import datetime as dt

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django_mongodb_backend.fields import (
    ArrayField,
    EmbeddedModelArrayField,
    EmbeddedModelField,
)
from django_mongodb_backend.managers import MongoManager
from django_mongodb_backend.models import EmbeddedModel

from djongo_services.indexes import GeoIndex, TextIndex, TTLIndex, UniqueIndex
from djongo_services.schema.options import collection_options

SEARCHES_ARE_KEPT = dt.timedelta(days=90)


class Person(models.Model):
    class Role(models.TextChoices):
        COLLECTOR = "collector"
        CURATOR = "curator"
        VOLUNTEER = "volunteer"
        VISITOR = "visitor"

    name = models.CharField(max_length=120)
    slug = models.SlugField(unique=True)
    email = models.EmailField(unique=True)
    role = models.CharField(max_length=20, choices=Role.choices)
    joined_on = models.DateField()
    is_active = models.BooleanField(default=True)
    languages = ArrayField(models.CharField(max_length=8), default=list, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "people"
        indexes = [
            models.Index(fields=["name"], name="person_name"),
            UniqueIndex(
                fields=["email"],
                name="person_email_any_case",
                collation={"locale": "en", "strength": 2},
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Place(models.Model):
    name = models.CharField(max_length=120)
    slug = models.SlugField(unique=True)
    country = models.CharField(max_length=2, validators=[RegexValidator(r"^[A-Z]{2}\Z")])
    location = models.JSONField(help_text="A GeoJSON point: longitude first.")
    elevation = models.IntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(-430), MaxValueValidator(8_849)],
        help_text="Metres above the sea.",
    )

    class Meta:
        ordering = ["name"]
        indexes = [
            models.Index(fields=["country", "name"], name="place_country_name"),
            GeoIndex(fields=["location"], name="place_location"),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.country}"


class Weather(EmbeddedModel):
    class Sky(models.TextChoices):
        CLEAR = "clear"
        CLOUDS = "clouds"
        RAIN = "rain"
        SNOW = "snow"
        FOG = "fog"

    sky = models.CharField(max_length=10, choices=Sky.choices)
    temperature = models.FloatField(help_text="Degrees Celsius.")
    wind = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(12)], help_text="Beaufort."
    )

    def __str__(self) -> str:
        return f"{self.get_sky_display()}, {self.temperature:g} °C"


class Measurement(EmbeddedModel):
    kind = models.CharField(max_length=40)
    value = models.DecimalField(max_digits=12, decimal_places=3)
    unit = models.CharField(max_length=12)
    taken_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.value.normalize():f} {self.unit}"


class Note(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft"
        CHECKED = "checked"
        PUBLISHED = "published"

    title = models.CharField(max_length=160)
    body = models.TextField()
    author = models.ForeignKey(Person, models.PROTECT, related_name="notes")
    place = models.ForeignKey(Place, models.SET_NULL, null=True, blank=True, related_name="notes")
    recorded_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    weather = EmbeddedModelField(Weather, null=True, blank=True)
    measurements = EmbeddedModelArrayField(Measurement, default=list, blank=True)
    visits_per_day = models.JSONField(
        default=dict, blank=True, help_text="Readers by ISO date: the keys are data."
    )

    objects = MongoManager()

    class Meta:
        ordering = ["-recorded_at", "-pk"]
        indexes = [
            models.Index(fields=["status", "-recorded_at"], name="note_status_recorded"),
            models.Index(fields=["tags"], name="note_tags"),
            TextIndex(fields=["title", "body"], weights={"title": 5}, name="note_text"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("archive:note", args=[self.pk])


class Medium(models.Model):
    note = models.ForeignKey(Note, models.CASCADE, related_name="media")
    filename = models.CharField(max_length=160)
    file = models.FileField(upload_to="plates", max_length=200, blank=True)
    content_type = models.CharField(max_length=80)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    checksum = models.CharField(
        max_length=64,
        validators=[RegexValidator(r"^[0-9a-f]{64}\Z")],
        help_text="SHA-256, hexadecimal.",
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["filename"]
        verbose_name_plural = "media"
        constraints = [
            models.UniqueConstraint(fields=["note", "filename"], name="medium_note_filename"),
        ]

    def __str__(self) -> str:
        return self.filename


@collection_options(closed=True)
class Loan(models.Model):
    code = models.CharField(max_length=16, unique=True)
    medium = models.ForeignKey(Medium, models.PROTECT, related_name="loans")
    borrower = models.ForeignKey(Person, models.PROTECT, related_name="loans")
    lent_on = models.DateField()
    due_on = models.DateField()
    returned_on = models.DateField(null=True, blank=True)
    deposit = models.DecimalField(max_digits=8, decimal_places=2)

    class Meta:
        ordering = ["-lent_on", "code"]
        indexes = [
            models.Index(
                fields=["due_on"],
                name="loan_deposit_due",
                condition=Q(deposit__gt=0),
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(due_on__gte=F("lent_on")), name="loan_due_later"),
            models.CheckConstraint(
                condition=Q(returned_on__isnull=True) | Q(returned_on__gte=F("lent_on")),
                name="loan_returned_later",
            ),
            models.CheckConstraint(condition=Q(deposit__gte=0), name="loan_deposit_positive"),
        ]

    def __str__(self) -> str:
        return self.code


@collection_options(validation_action="warn")
class Search(models.Model):
    """A search by a visitor; MongoDB itself deletes it after ninety days.

    An odd entry in a log is better than no entry, so the server only warns of it in its own log.
    """

    words = models.CharField(max_length=200)
    results = models.PositiveIntegerField()
    took = models.DurationField()
    searched_at = models.DateTimeField()

    class Meta:
        ordering = ["-searched_at"]
        verbose_name_plural = "searches"
        indexes = [
            TTLIndex(
                fields=["searched_at"],
                name="search_expires",
                expire_after=SEARCHES_ARE_KEPT,
            ),
        ]

    def __str__(self) -> str:
        return self.words
