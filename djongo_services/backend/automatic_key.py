"""The primary key that Django adds automatically to a model on the engine."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from django_mongodb_backend.fields import ObjectIdAutoField

_BYTES = 12
"""The length of an ObjectId."""


class AutomaticKey(ObjectIdAutoField):  # type: ignore[misc]  # the backend has no types
    """An ObjectId that can be written as an integer: 1 is ``000000000000000000000001``.

    So fixtures with integer keys, ``SITE_ID = 1`` and ``get(pk=1)`` work; so does an integer as
    text, which is only an ObjectId if it has 24 digits. Migrations and other code that reads the
    field's path see the backend's own field.
    """

    def to_python(self, value: Any) -> Any:
        number = _number(value)
        if number is None:
            return super().to_python(value)
        return ObjectId(number.to_bytes(_BYTES, "big"))

    def deconstruct(self) -> Any:
        name, _, arguments, options = super().deconstruct()
        return name, "django_mongodb_backend.fields.ObjectIdAutoField", arguments, options


def _number(value: Any) -> int | None:
    if isinstance(value, str) and len(value) < 2 * _BYTES and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 8 * _BYTES:
        return value
    return None
