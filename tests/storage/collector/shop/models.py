"""A project whose rows are on SQL and whose files are in buckets."""

from __future__ import annotations

from typing import Any

from django.db import models

from djongo_services.storage import GridFSStorage
from djongo_services.storage.djongo import DjongoGridFSStorage


def media() -> GridFSStorage:
    return GridFSStorage(bucket="fs", location="media")


class Pictured(models.Model):
    picture = models.FileField(storage=media, blank=True)

    class Meta:
        abstract = True


class Product(Pictured):
    id = models.BigAutoField(primary_key=True)
    sheet = models.FileField(storage=media, blank=True, db_column="Data Sheet")

    class Meta:
        db_table = "shop_products"

    def __str__(self) -> str:
        return str(self.pk)


class Book(Product):
    """A child of a multi-table inheritance."""

    cover = models.FileField(storage=GridFSStorage(bucket="fs", location="covers"), blank=True)


class Bargain(Product):
    class Meta:
        proxy = True


class Living(models.Manager[Any]):
    def get_queryset(self) -> Any:
        return super().get_queryset().filter(deleted=False)


class Document(models.Model):
    """A model whose managers hide rows that count as deleted."""

    id = models.BigAutoField(primary_key=True)
    deleted = models.BooleanField(default=False)
    scan = models.FileField(storage=GridFSStorage(bucket="fs", location="scans"))

    objects = Living()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return str(self.pk)


class PastDocument(models.Model):
    """A history as django-simple-history keeps it: text, and no FileField."""

    instance_type = Document

    id = models.BigAutoField(primary_key=True)
    scan = models.TextField()

    def __str__(self) -> str:
        return str(self.pk)


class Other(models.Model):
    """Files in another bucket, and on disk."""

    id = models.BigAutoField(primary_key=True)
    attachment = models.FileField(storage=GridFSStorage(bucket="attachments"))
    local = models.FileField()

    def __str__(self) -> str:
        return str(self.pk)


class Letter(models.Model):
    """Files in djongo's layout, where every folder is a bucket."""

    id = models.BigAutoField(primary_key=True)
    scan = models.FileField(storage=DjongoGridFSStorage("letters", base_url="/letters/"))

    def __str__(self) -> str:
        return str(self.pk)
