"""The model as the newest migration has it."""

from __future__ import annotations

from django.db import models


class Item(models.Model):
    number = models.IntegerField(unique=True)
    amount = models.CharField(max_length=20)
    note = models.CharField(max_length=20, default="new")

    class Meta:
        indexes = [models.Index(fields=["note", "number"], name="item_by_note")]
