"""Accounts, transfers between them, and papers with files."""

from __future__ import annotations

from django.db import models


class Account(models.Model):
    number = models.IntegerField(unique=True)
    balance = models.IntegerField()


class Transfer(models.Model):
    """The name is unique, and nothing enforces it: what is done twice can be seen."""

    name = models.CharField(max_length=60)
    giver = models.IntegerField()
    taker = models.IntegerField()
    amount = models.PositiveIntegerField()
    part = models.CharField(max_length=10)

    class Meta:
        indexes = [models.Index(fields=["name", "part"], name="transfer_by_name")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(giver=models.F("taker")), name="transfer_between_two"
            )
        ]


class Paper(models.Model):
    title = models.CharField(max_length=60)
    file = models.FileField(upload_to="papers", max_length=200)

    class Meta:
        indexes = [models.Index(fields=["title"], name="paper_by_title")]
