"""Models whose wishes the tests compare with what a database holds."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.db.models.functions import Lower, Reverse
from django_mongodb_backend.fields import ArrayField, EmbeddedModelField
from django_mongodb_backend.models import EmbeddedModel

from djongo_services.indexes import (
    GeoIndex,
    HashedIndex,
    MongoIndex,
    SparseIndex,
    TextIndex,
    TTLIndex,
    UniqueIndex,
    WildcardIndex,
)
from djongo_services.schema.options import collection_options


class Specimen(models.Model):
    """One nullable column of each kind, for conditions over all of them."""

    id = models.IntegerField(primary_key=True, db_column="_id")
    number = models.IntegerField(null=True)
    other = models.IntegerField(null=True)
    ratio = models.FloatField(null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    flag = models.BooleanField(null=True)
    name = models.CharField(max_length=20, null=True)
    nick = models.CharField(max_length=20, null=True)
    day = models.DateField(null=True)
    moment = models.DateTimeField(null=True)
    clock = models.TimeField(null=True)
    span = models.DurationField(null=True)
    data = models.JSONField(null=True)
    friend = models.ForeignKey("self", models.CASCADE, null=True, db_index=False)


class Keeper(models.Model):
    """Declarations that Django itself supports."""

    code = models.CharField(max_length=20, unique=True)
    number = models.IntegerField(unique=True, null=True)
    small = models.SmallIntegerField(unique=True)
    price = models.DecimalField(max_digits=6, decimal_places=2, unique=True)
    ratio = models.FloatField(unique=True)
    born = models.DateField(unique=True)
    seen = models.DateTimeField(unique=True)
    key = models.UUIDField(unique=True)
    blob = models.BinaryField(unique=True)
    nick = models.CharField(max_length=20, db_index=True, db_column="nickname")
    slug = models.SlugField()
    email = models.EmailField()
    town = models.CharField(max_length=20)
    age = models.IntegerField(null=True)
    active = models.BooleanField(default=True)
    chief = models.ForeignKey("self", models.CASCADE, null=True, related_name="staff")
    twin = models.OneToOneField("self", models.CASCADE, null=True, related_name="other")
    friends = models.ManyToManyField("self")

    class Meta:
        unique_together = [("town", "nick")]
        indexes = [
            models.Index(fields=["town", "-age"], name="keeper_town_age"),
            models.Index(fields=["active"]),
            models.Index(fields=["age"], name="keeper_adults", condition=models.Q(age__gte=18)),
            models.Index(
                fields=["email", "active"],
                name="keeper_email_two",
                condition=models.Q(age__lt=5, active=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["email", "town"], name="keeper_email_town"),
            models.UniqueConstraint(
                fields=["email"], name="keeper_active_email", condition=models.Q(active=True)
            ),
            models.UniqueConstraint(
                fields=["town", "age"], name="keeper_nulls_equal", nulls_distinct=False
            ),
            models.CheckConstraint(condition=models.Q(age__gte=0), name="keeper_age"),
        ]


class Senior(Keeper):
    """A child of a multi-table inheritance, with a separate collection."""

    years = models.IntegerField(db_index=True)


class KeeperProxy(Keeper):
    class Meta:
        proxy = True


class KeeperTwin(models.Model):
    """The same collection, declared by a second model."""

    code = models.CharField(max_length=20)

    class Meta:
        managed = False
        db_table = "target_keeper"
        indexes = [models.Index(fields=["code", "town"], name="twin_code")]

    town = models.CharField(max_length=20)


class Address(EmbeddedModel):
    street = models.CharField(max_length=50, db_index=True)
    city = models.CharField(max_length=50, db_column="town")
    number = models.IntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["city"], name="address_city")]


class Site(models.Model):
    """Every index class of the package."""

    title = models.CharField(max_length=100)
    body = models.TextField()
    secret = models.CharField(max_length=100, null=True)
    tags = ArrayField(models.CharField(max_length=10), default=list)
    address = EmbeddedModelField(Address, null=True)
    place = models.JSONField(null=True)
    spot = models.JSONField(null=True)
    data = models.JSONField(default=dict)
    opened = models.DateTimeField(null=True)
    closed = models.DateTimeField(null=True)
    visits = models.IntegerField(default=0)

    class Meta:
        indexes = [
            TTLIndex(fields=["opened"], expire_after=dt.timedelta(days=2)),
            TTLIndex(
                fields=["closed"],
                expire_after=60,
                name="a_name_that_is_much_longer_than_thirty_characters_for_the_ttl_of_closed",
                condition=models.Q(visits__gt=5),
                hidden=True,
            ),
            TextIndex(
                fields=["title", "body", "address.city"],
                weights={"title": 5, "address.city": 2},
                default_language="german",
                language_override="tongue",
            ),
            GeoIndex(fields=["place", "-visits"]),
            GeoIndex(fields=["spot"], kind="2d", bits=20, min=-90, max=90),
            HashedIndex(fields=["secret"]),
            HashedIndex(fields=["title", "visits"]),
            WildcardIndex(fields=["data"]),
            WildcardIndex(projection={"data": True, "address.city": True}, name="site_some"),
            SparseIndex(fields=["visits", "title"]),
            SparseIndex(fields=["body"], unique=True, hidden=True),
            UniqueIndex(fields=["title"], collation={"locale": "en", "strength": 2}),
            UniqueIndex(
                fields=["secret", "visits"],
                name="site_secret",
                condition=models.Q(visits__lt=9),
                nulls_distinct=False,
            ),
            UniqueIndex(fields=["opened", "secret"]),
            MongoIndex(fields=["-data.year", "title"], collation={"locale": "da"}),
            MongoIndex(
                fields=["visits"],
                name="site_range",
                condition=models.Q(visits__range=(1, 5), title__isnull=False),
            ),
        ]


@collection_options(
    collation={"locale": "de"}, validation_level="moderate", validation_action="warn", closed=True
)
class Word(models.Model):
    text = models.CharField(max_length=20, unique=True)
    size = models.IntegerField(default=0)

    class Meta:
        indexes = [TextIndex(fields=["text"])]
        constraints = [
            models.CheckConstraint(condition=models.Q(size__lt=models.F("size") + 1), name="sane"),
            models.CheckConstraint(
                condition=models.Q(text=Reverse("text")), name="word_is_palindrome"
            ),
            models.UniqueConstraint(Lower("text"), name="word_lower"),
        ]
