"""Pictures as any project has them."""

from __future__ import annotations

from django.db import models


class Picture(models.Model):
    image = models.ImageField(upload_to="pictures")

    def __str__(self) -> str:
        return str(self.pk)
