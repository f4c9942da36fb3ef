"""Plain Django models whose collections ``syncmongoschema`` makes in the tests."""

from datetime import timedelta

from django.db import models

from djongo_services.indexes import TTLIndex


class Author(models.Model):
    id = models.BigIntegerField(primary_key=True)
    name = models.CharField(max_length=50, unique=True)

    class Meta:
        db_table = "authors"

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    id = models.BigIntegerField(primary_key=True)
    title = models.CharField(max_length=100)
    author = models.ForeignKey(Author, models.CASCADE)
    pages = models.IntegerField(default=0)

    class Meta:
        db_table = "books"
        indexes = [models.Index(fields=["title", "-pages"], name="title_pages")]
        constraints = [
            models.CheckConstraint(condition=models.Q(pages__gte=0), name="pages_not_negative")
        ]

    def __str__(self) -> str:
        return self.title


class Visit(models.Model):
    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()

    class Meta:
        db_table = "visits"
        indexes = [TTLIndex(fields=["at"], name="visit_ttl", expire_after=timedelta(hours=1))]

    def __str__(self) -> str:
        return str(self.at)
