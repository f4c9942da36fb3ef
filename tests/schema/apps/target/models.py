"""Models whose wishes the tests compare with what a database holds."""

from __future__ import annotations

from django.db import models


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
