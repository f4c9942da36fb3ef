"""A project that refers to files in every way but the plain one."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.fields.files import FieldFile

from djongo_services.storage import GridFSStorage
from tests.storage.collector.unsure.wrappers import Delegating, Folding, Hashing

PUBLIC = GridFSStorage(bucket="fs", location="public")
PRIVATE = GridFSStorage(bucket="fs", location="tenants/private")
"""A storage in no field and no setting: only rows choose it."""


class ByRow(FieldFile):
    """As in django-filer, the row says which storage contains its file."""

    def __init__(self, instance: Any, field: Any, name: str | None) -> None:
        super().__init__(instance, field, name)
        if not instance.is_public:
            self.storage = PRIVATE


class ByRowField(models.FileField):
    attr_class = ByRow


class Scan(models.Model):
    id = models.BigAutoField(primary_key=True)
    is_public = models.BooleanField(default=True)
    file = ByRowField(storage=PUBLIC)

    def __str__(self) -> str:
        return str(self.pk)


class Strange(models.Model):
    id = models.BigAutoField(primary_key=True)
    folded = models.FileField(storage=Folding(GridFSStorage(bucket="fs", location="folded")))
    hashed = models.FileField(storage=Hashing(bucket="fs", location="hashed"))
    delegated = models.FileField(
        storage=Delegating(GridFSStorage(bucket="fs", location="delegated"))  # type: ignore[arg-type]  # that is the point
    )

    def __str__(self) -> str:
        return str(self.pk)


class Note(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.CharField(max_length=200, default="")
    body = models.TextField(default="")
    data = models.JSONField(default=dict)
    files_id = models.CharField(max_length=24, default="")
    scan = models.FileField(storage=GridFSStorage(bucket="fs", location="notes"), blank=True)

    def __str__(self) -> str:
        return self.title
