from django.db import models

from djongo_services.storage import GridFSStorage

PICTURES = GridFSStorage(bucket="media", using="archive", location="pictures")


class Picture(models.Model):
    title = models.CharField(max_length=100)
    image = models.FileField(storage=PICTURES, blank=True, max_length=500)
    beside = models.FileField(blank=True)

    def __str__(self) -> str:
        return self.title
