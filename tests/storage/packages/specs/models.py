"""Pictures with thumbnails and processing by django-imagekit."""

from __future__ import annotations

from django.db import models
from imagekit.models import ImageSpecField, ProcessedImageField
from imagekit.processors import ResizeToFill


class Portrait(models.Model):
    image = ProcessedImageField(
        upload_to="portraits", processors=[ResizeToFill(64, 64)], format="PNG"
    )
    small = ImageSpecField(source="image", processors=[ResizeToFill(16, 16)], format="JPEG")

    def __str__(self) -> str:
        return str(self.pk)
