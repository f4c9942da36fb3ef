"""Ten classes of thirty tests; six kinds of tests alternate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.test import TestCase

from benchmarks.engine_shop.models import Author, Book, Loan, Publisher, Tag

CLASSES, TESTS = 10, 30


class _Data:
    authors: list[Author]
    books: list[Book]

    @classmethod
    def setUpTestData(cls) -> None:
        cls.authors = [Author.objects.create(name=f"a{number}") for number in range(5)]
        publisher = Publisher.objects.create(name="p")
        cls.books = Book.objects.bulk_create(
            Book(title=f"b{number}", author=cls.authors[number % 5], publisher=publisher)
            for number in range(15)
        )


def create(case: Any) -> None:
    Loan.objects.create(book=case.books[0], who="x")
    case.assertEqual(Loan.objects.count(), 1)


def read(case: Any) -> None:
    case.assertEqual(Book.objects.count(), 15)


def update(case: Any) -> None:
    Book.objects.filter(pk=case.books[1].pk).update(title="new")
    case.assertEqual(Book.objects.get(title="new").pk, case.books[1].pk)


def get_or_create(case: Any) -> None:
    case.assertFalse(Author.objects.get_or_create(name="a1")[1])
    case.assertTrue(Author.objects.get_or_create(name="z")[1])


def failing_block(case: Any) -> None:
    with case.assertRaises(ZeroDivisionError), transaction.atomic():
        Loan.objects.create(book=case.books[0], who="y")
        _ = 1 / 0
    kept = 0 if connection.features.supports_transactions else 1
    case.assertEqual(Loan.objects.count(), kept)


def many_to_many(case: Any) -> None:
    tag = Tag.objects.create(label="t")
    case.books[0].tags.add(tag)
    case.assertEqual(case.books[0].tags.count(), 1)


KINDS: list[Callable[[Any], None]] = [
    create,
    read,
    update,
    get_or_create,
    failing_block,
    many_to_many,
]

for number in range(CLASSES):
    body = {
        f"test_{test:02}_{KINDS[test % len(KINDS)].__name__}": KINDS[test % len(KINDS)]
        for test in range(TESTS)
    }
    globals()[f"Suite{number}"] = type(
        f"Suite{number}", (_Data, TestCase), {**body, "__module__": __name__}
    )
