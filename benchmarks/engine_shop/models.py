from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50, unique=True)
    born = models.IntegerField(null=True)

    def __str__(self) -> str:
        return self.name


class Publisher(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    label = models.SlugField(unique=True)

    def __str__(self) -> str:
        return self.label


class Book(models.Model):
    title = models.CharField(max_length=100, db_index=True)
    author = models.ForeignKey(Author, models.CASCADE)
    publisher = models.ForeignKey(Publisher, models.PROTECT, null=True)
    tags = models.ManyToManyField(Tag)
    price = models.DecimalField(max_digits=6, decimal_places=2, default=1)

    def __str__(self) -> str:
        return self.title


class Loan(models.Model):
    book = models.ForeignKey(Book, models.CASCADE)
    who = models.CharField(max_length=30)
    when = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.who
