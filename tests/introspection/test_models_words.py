"""Singular and plural of the names of collections."""

from __future__ import annotations

import pytest

from djongo_services.introspection.modelling.naming import plural, singular


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("orders", "order"),
        ("order_items", "order_item"),
        ("orderItems", "orderItem"),
        ("OrderItems", "OrderItem"),
        ("companies", "company"),
        ("addresses", "address"),
        ("boxes", "box"),
        ("branches", "branch"),
        ("people", "person"),
        ("People", "Person"),
        ("statuses", "status"),
        ("shop.categories", "shop.category"),
        ("movies", "movie"),
        ("houses", "house"),
        ("archives", "archive"),
        *((same, same) for same in ("news", "status", "bus", "gps", "analysis", "notes2", "as")),
        *((same, same) for same in ("address", "virus", "LOGS", "données", "")),
    ],
)
def test_one_of_a_collection(name: str, one: str) -> None:
    assert singular(name) == one


@pytest.mark.parametrize(
    ("words", "several"),
    [
        ("order item", "order items"),
        ("company", "companies"),
        ("day", "days"),
        ("address", "addresses"),
        ("box", "boxes"),
        ("person", "people"),
        ("news", "news"),
        ("status", "statuses"),
        ("collection2020", "collection2020"),
    ],
)
def test_several_of_a_class(words: str, several: str) -> None:
    assert plural(words) == several
