"""Rows in SQL whose files are in the bucket ``fs``."""

from __future__ import annotations

from typing import Any

from django.db import models

from djongo_services.storage import GridFSStorage

PLAIN = GridFSStorage()
FOLLOWING = GridFSStorage(follow="papers")
REPLACING = GridFSStorage(location="badges", allow_overwrite=True)
SHARING = GridFSStorage(location="shared", deduplicate=True)


class Paper(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.CharField(max_length=20, unique=True)
    file = models.FileField(storage=PLAIN, blank=True)
    of = models.ForeignKey("self", models.CASCADE, null=True)

    def __str__(self) -> str:
        return self.title


class Badge(models.Model):
    """A model whose file keeps its name when it is replaced."""

    id = models.BigAutoField(primary_key=True)
    title = models.CharField(max_length=20)
    file = models.FileField(storage=REPLACING)

    def __str__(self) -> str:
        return self.title


class Copy(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.CharField(max_length=20)
    file = models.FileField(storage=SHARING)

    def __str__(self) -> str:
        return self.title


class Router:
    """All of them are on the alias ``papers``, unless they come from another."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        if model._meta.app_label != "papers":
            return None
        instance = hints.get("instance")
        return (instance and instance._state.db) or "papers"

    db_for_write = db_for_read
