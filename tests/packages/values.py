"""Values of Django's own fields, written in each way that Django has.

``ACCEPTED`` are operations that no SQL database refuses, ``REFUSED`` those that at least PostgreSQL
does; :mod:`tests.packages.operations` adds what people do with the packages.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Concat, Lower

from tests.packages.shop import models as shop

Run = Callable[[], Any]
ACCEPTED: dict[str, Run] = {}
REFUSED: dict[str, Run] = {}

PASSES: dict[str, list[Any]] = {
    "char": ["", "a"],
    "choice": ["", "xl"],
    "number": [5, -(2**31), 2**31 - 1],
    "text": ["", "longer than five characters"],
    "slug": ["", "a b", "ä"],
    "email": ["", "x" * 254],
    "url": ["", "x" * 200],
    "code": ["", "abc"],
    "rating": [6, -6],
    "positive": [0, 2**31 - 1],
    "positive_small": [0, 2**15 - 1],
    "positive_big": [0, 2**63 - 1],
    "small": [-(2**15), 2**15 - 1],
    "big": [-(2**63), 99],
    "price": [0, -1, Decimal("9999.99"), Decimal("1.234"), "1.50"],
    "ratio": [-1.0, 0, 1],
    "flag": [True, 1, 0],
    "maybe": [None, True],
    "json": [{}, [], "", "x", 0, 1.5, False, {"": None}, [None]],
    "json_null": [None, {}, []],
    "binary": [b"", b"longer"],
    "ip": [None, "::1", "10.0.0.1", ""],
    "uuid": [None, uuid.UUID(int=5), "00000000000000000000000000000005"],
    "time": [None, dt.time(1, 2, 3, 4)],
    "span": [None, dt.timedelta(0), dt.timedelta(days=-5)],
    "file": ["", "x" * 40],
    "image_name": ["", "x" * 20],
    "unique": [None, ""],
}
"""Values that fields of :class:`~tests.packages.shop.models.Plain` accept."""
FAILS: dict[str, list[Any]] = {
    "char": [None, "nine char"],
    "choice": [None, "nine char"],
    "number": [None],
    "text": [None],
    "slug": [None, "nine-char"],
    "email": [None, "x" * 255],
    "url": [None, "x" * 201],
    "code": [None, "NINECHARS"],
    "rating": [None],
    "positive": [None, -1],
    "positive_small": [None, -1, 2**31],
    "positive_big": [None, -1],
    "small": [None, 2**31, -(2**31) - 1],
    "big": [None, 100],
    "price": [None, Decimal("10000"), Decimal("-10000"), 10**9],
    "ratio": [None],
    "flag": [None],
    "json": [None],
    "binary": [None],
    "ip": ["x" * 40],
    "file": ["x" * 41],
    "image_name": [None, "x" * 21],
}


def plain(**values: Any) -> shop.Plain:
    """An instance that no form would take."""
    return shop.Plain(**{"char": "", "choice": "", "file": "", "image_name": "", **values})


def accepted(run: Run) -> Run:
    ACCEPTED[run.__name__] = run
    return run


def _create(field: str, value: Any) -> None:
    plain(**{field: value}).save()


def _update(field: str, value: Any) -> None:
    one = plain()
    one.save()
    shop.Plain.objects.filter(pk=one.pk).update(**{field: value})


def _save_fields(field: str, value: Any) -> None:
    one = plain()
    one.save()
    setattr(one, field, value)
    one.save(update_fields=[field])


def _bulk_create(field: str, value: Any) -> None:
    shop.Plain.objects.bulk_create([plain(), plain(**{field: value})])


def _bulk_update(field: str, value: Any) -> None:
    shop.Plain.objects.bulk_create([plain()])
    one = shop.Plain.objects.first()
    setattr(one, field, value)
    shop.Plain.objects.bulk_update([one], [field])


WAYS = (_create, _update, _save_fields, _bulk_create, _bulk_update)


def _each(values: dict[str, list[Any]], into: dict[str, Run]) -> None:
    for way in WAYS:
        for field, several in values.items():
            for value in several:
                shown = f"{len(value)} characters" if value and isinstance(value, str) else value
                name = f"{way.__name__[1:]} {field}: {shown!r}"
                into[name] = lambda way=way, field=field, value=value: _cleanly(way, field, value)


def _cleanly(way: Callable[[str, Any], None], field: str, value: Any) -> None:
    _empty()
    way(field, value)


def _empty() -> None:
    """Without reading them: SQLite keeps prices that Django cannot read."""
    everything = shop.Plain.objects.all()
    everything._raw_delete(everything.db)


_each(PASSES, ACCEPTED)
_each(FAILS, REFUSED)


EXPRESSIONS: list[dict[str, Any]] = [
    {"rating": F("rating") + 1, "big": F("big") * 2, "small": F("small") - 1},
    {"price": F("price") * 3, "ratio": F("ratio") / 2},
    {"positive": F("positive") + F("positive_small")},
    {"char": Lower("choice"), "text": Concat("text", Value("x"))},
    {"moment": F("moment") + dt.timedelta(days=1)},
    {"code": F("slug"), "maybe": None, "json_null": None},
]
for changes in EXPRESSIONS:

    def _arithmetic(changes: dict[str, Any] = changes) -> None:
        _empty()
        plain(rating=1, price=2, ratio=3).save()
        assert shop.Plain.objects.update(**changes) == 1

    ACCEPTED[f"expressions for {', '.join(changes)}"] = _arithmetic

for name, low in {"positive": -5, "price": 10**5, "char": Value("nine char")}.items():

    def _too_far(name: str = name, low: Any = low) -> None:
        _empty()
        plain(price=1).save()
        shop.Plain.objects.update(**{name: F(name) + low if isinstance(low, int) else low})

    REFUSED[f"an expression that goes too far for {name}"] = _too_far
