"""ObjectIds that can be written as integers."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from django.core.exceptions import ValidationError
from django_mongodb_backend.fields import ObjectIdAutoField

from djongo_services.backend.automatic_key import AutomaticKey

KEY = AutomaticKey(primary_key=True)
ONE = ObjectId("000000000000000000000001")
LARGEST = ObjectId("f" * 24)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        (1, ONE),
        ("1", ONE),
        ("0001", ONE),
        (0, ObjectId("0" * 24)),
        (2**96 - 1, LARGEST),
        ("1" * 24, ObjectId("1" * 24)),
        (str(LARGEST), LARGEST),
        (LARGEST, LARGEST),
        (None, None),
    ],
)
def test_what_stands_for_a_key(written: Any, key: ObjectId | None) -> None:
    assert KEY.to_python(written) == key
    assert KEY.get_prep_value(written) == key


@pytest.mark.parametrize("written", [True, -1, 2**96, 1.0, "", "one", "-1", "²", "1 "])
def test_what_does_not(written: Any) -> None:
    with pytest.raises(ValidationError):
        KEY.to_python(written)


def test_migrations_see_the_field_of_the_backend() -> None:
    _, path, arguments, options = KEY.deconstruct()
    assert path == "django_mongodb_backend.fields.ObjectIdAutoField"
    assert ObjectIdAutoField(*arguments, **options).db_column == KEY.db_column == "_id"
    assert type(KEY.clone()) is AutomaticKey
