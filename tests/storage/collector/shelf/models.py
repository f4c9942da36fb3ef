"""A project whose documents and files are in MongoDB."""

from __future__ import annotations

from django.db import models
from django_mongodb_backend.fields import (
    ArrayField,
    EmbeddedModelArrayField,
    EmbeddedModelField,
    PolymorphicEmbeddedModelField,
)
from django_mongodb_backend.models import EmbeddedModel

from djongo_services.storage import GridFSStorage

STORAGE = GridFSStorage(bucket="fs")


class Image(EmbeddedModel):
    file = models.ImageField(storage=STORAGE, db_column="File")


class Page(EmbeddedModel):
    text = models.TextField(blank=True)
    image = EmbeddedModelField(Image, null=True, blank=True)
    scans = ArrayField(models.FileField(storage=STORAGE), null=True, blank=True)


class Clip(EmbeddedModel):
    video = models.FileField(storage=STORAGE)


class Folder(models.Model):
    plain = models.FileField(storage=STORAGE, blank=True)
    cover = EmbeddedModelField(Image, null=True, blank=True)
    pages = EmbeddedModelArrayField(Page, null=True, blank=True)
    extra = PolymorphicEmbeddedModelField([Clip, Image], null=True, blank=True)

    class Meta:
        db_table = "folders"

    def __str__(self) -> str:
        return str(self.pk)


class Chapter(EmbeddedModel):
    scan = models.FileField(storage=STORAGE)
    parts = EmbeddedModelArrayField("shelf.Chapter", null=True, blank=True)


class Novel(models.Model):
    """A model whose chapters may have chapters, without limit."""

    chapters = EmbeddedModelArrayField(Chapter)

    class Meta:
        db_table = "novels"

    def __str__(self) -> str:
        return str(self.pk)
