"""Rows with a history: by django-simple-history, and by django-reversion."""

from __future__ import annotations

import reversion
from django.db import models
from simple_history.models import HistoricalRecords

from djongo_services.storage import GridFSStorage


class Treaty(models.Model):
    scan = models.FileField(storage=GridFSStorage(bucket="fs", location="treaties"))
    history = HistoricalRecords()

    def __str__(self) -> str:
        return str(self.pk)


@reversion.register()
class Law(models.Model):
    text = models.FileField(storage=GridFSStorage(bucket="fs", location="laws"))

    def __str__(self) -> str:
        return str(self.pk)
