from django.db import models
from django.db.models import F, Q


class Shelf(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class Tome(models.Model):
    title = models.CharField(max_length=100)
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True, blank=True)
    pages = models.IntegerField(default=1)
    read = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(read__lte=F("pages")),
                name="read_to_the_end",
                violation_error_message="Nobody reads more pages than there are.",
            )
        ]

    def __str__(self) -> str:
        return self.title
