from django.db import models

from djongo_services.storage import GridFSStorage


class Article(models.Model):
    name = models.CharField(max_length=50, unique=True)
    stock = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class Note(models.Model):
    """A model without references to it."""

    text = models.TextField()

    def __str__(self) -> str:
        return self.text


class Label(models.Model):
    """A model with a key that two documents can take from each other."""

    shelf = models.CharField(max_length=20)
    place = models.IntegerField()
    articles = models.ManyToManyField(Article)

    class Meta:
        unique_together = [("shelf", "place")]

    def __str__(self) -> str:
        return f"{self.shelf} {self.place}"


class Picture(models.Model):
    file = models.FileField(storage=GridFSStorage(bucket="pictures"))

    def __str__(self) -> str:
        return str(self.file.name)
