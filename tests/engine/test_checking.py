"""``full_clean()`` and the server's validator agree on what a check constraint lets through."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Lower
from django.test.utils import isolate_apps

pytestmark = pytest.mark.django_db(transaction=True)

CONDITIONS: dict[str, Any] = {
    "greater": Q(stock__gt=3),
    "not greater": ~Q(stock__gt=3),
    "of two columns": Q(stock__lte=F("limit")),
    "not of two columns": ~Q(stock__lte=F("limit")),
    "and": Q(stock__gt=3, limit__lt=9),
    "or": Q(stock__gt=3) | Q(limit__lt=9),
    "not or": ~(Q(stock__gt=3) | Q(limit__lt=9)),
    "xor": Q(stock__gt=3) ^ Q(limit__lt=9),
    "in": Q(stock__in=[1, 5]),
    "not in": ~Q(stock__in=[1, 5]),
    "range": Q(stock__range=(2, 6)),
    "null": Q(stock__isnull=True) | Q(limit__isnull=False),
    "arithmetic": Q(stock__lt=F("limit") - 2),
    "text": Q(code__startswith="a"),
    "not text": ~Q(code__iexact="AB"),
    "function": Q(code=Lower("code")),
    "of a constant": Q(code__gt=Value("a")),
    "date": Q(day__gte=dt.date(2024, 5, 1)),
    "price": Q(price__lt=Decimal("2.50")),
    "flag": Q(flag=True),
    "case": Q(stock__gt=Case(When(flag=True, then=Value(4)), default=Value(0))),
}
VALUES: list[dict[str, Any]] = [
    {},
    {"stock": 5, "limit": 7},
    {"stock": 1, "limit": 20},
    {"stock": None, "limit": 3},
    {"stock": 9, "limit": None},
    {"code": "ab", "flag": True, "stock": 4},
    {"code": "Zb", "flag": False, "stock": 1},
    {"day": dt.date(2024, 5, 1), "price": Decimal("2.49")},
    {"day": dt.date(2024, 4, 30), "price": Decimal("2.50")},
]


@pytest.fixture(params=list(CONDITIONS))
def model(request: pytest.FixtureRequest) -> Iterator[Any]:
    condition = CONDITIONS[request.param]
    with isolate_apps("tests.engine.shop"):

        class Checked(models.Model):
            stock: Any = models.IntegerField(null=True)
            limit: Any = models.IntegerField(null=True)
            code: Any = models.CharField(max_length=9, null=True)
            day: Any = models.DateField(null=True)
            price: Any = models.DecimalField(max_digits=5, decimal_places=2, null=True)
            flag: Any = models.BooleanField(null=True)

            class Meta:
                app_label = "shop"
                constraints = [models.CheckConstraint(condition=condition, name="checked")]

        with connection.schema_editor() as editor:
            editor.create_model(Checked)
        yield Checked
        with connection.schema_editor() as editor:
            editor.delete_model(Checked)


def test_full_clean_says_what_the_server_does(model: Any, request: pytest.FixtureRequest) -> None:
    cleaned = [passes(model(**values)) for values in VALUES]
    with transaction.atomic():
        assert cleaned == [passes(model(**values)) for values in VALUES]
    assert cleaned == [is_stored(model(**values)) for values in VALUES]
    # What is unknown is satisfied; Django writes XOR as a count of what is true, which is known.
    assert cleaned[0] == (request.node.callspec.params["model"] != "xor")


def passes(instance: Any) -> bool:
    try:
        instance.validate_constraints()
    except ValidationError:
        return False
    return True


def is_stored(instance: Any) -> bool:
    try:
        instance.save()
    except IntegrityError:
        return False
    return True
