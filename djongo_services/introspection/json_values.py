"""Values of a JSON document from another source, checked when they are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from bson.json_util import object_hook

from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import EXTENDED_JSON
from djongo_services.introspection.path import Path, parse_path
from djongo_services.translation import gettext as _

DEEPEST: Final = 200
"""Levels of a path or of a document: BSON has at most 180."""
_LARGEST: Final = 2**63

Where: TypeAlias = "tuple[Where, str | int] | None"


class ReportUnreadable(DjongoServicesError):
    """The file is not a report of inspectmongo."""


class JsonValue:
    """A value of the document, and its position."""

    __slots__ = ("value", "where")

    def __init__(self, value: Any, where: Where) -> None:
        self.value = value
        self.where = where

    def refuse(self, expected: str) -> ReportUnreadable:
        text = _(
            "It is not a report of inspectmongo: %(place)s must be %(expected)s; create it again."
        )
        return ReportUnreadable(text % {"place": _place(self.where), "expected": expected})

    def __getitem__(self, key: str) -> JsonValue:
        return JsonValue(self.object().get(key), (self.where, key))

    def __bool__(self) -> bool:
        """Whether it exists and is not null."""
        return self.value is not None

    def object(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self.refuse(_("an object"))
        return self.value

    def items(self) -> Iterator[JsonValue]:
        """The items of a list; nothing if the key does not exist."""
        if not isinstance(self.value, list | None):
            raise self.refuse(_("a list"))
        for number, value in enumerate(self.value or ()):
            yield JsonValue(value, (self.where, number))

    def members(self) -> Iterator[tuple[str, JsonValue]]:
        """The members of an object; nothing if the key does not exist."""
        for key, value in (self.object() if self else {}).items():
            yield key, JsonValue(value, (self.where, key))

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.refuse(_("a text"))
        return self.value

    def text_or_none(self) -> str | None:
        return self.text() if self else None

    def count(self) -> int:
        value = self.value
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LARGEST:
            raise self.refuse(_("a number of something"))
        return value

    def count_or_none(self) -> int | None:
        return self.count() if self else None

    def number(self) -> float:
        value = self.value
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.refuse(_("a number"))
        if not 0 <= value < _LARGEST:  # nor NaN
            raise self.refuse(_("a number from 0 on"))
        return float(value)

    def flag(self) -> bool:
        if not isinstance(self.value, bool | None):
            raise self.refuse(_("true or false"))
        return bool(self.value)

    def one_of(self, *choices: str) -> Any:
        if self.value not in choices:
            raise self.refuse(_("one of %(values)s") % {"values": ", ".join(choices)})
        return self.value

    def document(self) -> dict[str, Any]:
        """The document as it is in the file."""
        found = self.object()
        if _levels(found) > DEEPEST:
            raise self.refuse(_("nested in at most %(count)s levels") % {"count": DEEPEST})
        return found

    def path(self) -> Path:
        try:
            path = parse_path(self.text())
        except ValueError:
            raise self.refuse(_("the path of a field")) from None
        if len(path) > DEEPEST:
            raise self.refuse(_("a path of at most %(count)s levels") % {"count": DEEPEST})
        return path

    def moment(self) -> datetime:
        try:
            found = datetime.fromisoformat(self.text())
        except ValueError:
            raise self.refuse(_("a date and time")) from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def uuid(self) -> UUID:
        try:
            return UUID(self.text())
        except ValueError:
            raise self.refuse(_("a UUID")) from None

    def decoded(self) -> Any:
        """A value of the database, such as a date; the value in the file if it is not one."""
        if isinstance(self.value, dict):
            try:
                return object_hook(self.value, EXTENDED_JSON)
            except (TypeError, ValueError, ArithmeticError):
                return self.value
        return self.value


def _place(where: Where) -> str:
    text = ""
    while where is not None:
        where, key = where
        step = f"[{key}]" if isinstance(key, int) else key
        text = step + ("." if text and not text.startswith("[") else "") + text
    return text


def _levels(document: Any) -> int:
    level = [document]
    levels = 0
    while level and levels <= DEEPEST:
        levels += 1
        inner = [value.values() if isinstance(value, dict) else value for value in level]
        level = [one for values in inner for one in values if isinstance(one, dict | list)]
    return levels
