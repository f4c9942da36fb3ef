"""Conditions chosen by a user: a field, an operator, a value and its type. Values stay values.

Every value is the operand of an operator named here, so that no input becomes an operator.
"""

from __future__ import annotations

import csv
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from bson import Decimal128, Int64, ObjectId
from bson.binary import Binary, UuidRepresentation
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from djongo_services.bson_types import ALIASES
from djongo_services.formatting import printable, shortened
from djongo_services.introspection.masking import is_secret_path
from djongo_services.introspection.path import Path, parse_path, query_path

MOST: Final = 8
"""The maximum number of conditions."""
MOST_VALUES: Final = 1_000
LONGEST: Final = 5_000
"""The maximum number of characters in a path or a value."""
DEEPEST: Final = 100
"""The maximum number of levels in documents."""

OPERATORS: Final = (
    "eq",
    "ne",
    "lt",
    "lte",
    "gt",
    "gte",
    "in",
    "exists",
    "missing",
    "type",
    "begins",
)
TYPES: Final = (
    "string",
    "number",
    "date",
    "objectId",
    "bool",
    "null",
    "decimal",
    "uuid",
)
_WITHOUT_VALUE: Final = ("exists", "missing")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_SPECIAL_NUMBERS: Final = ("nan", "infinity", "-infinity")
_SHOWN: Final = 60


class ConditionRefused(Exception):
    """The error for the user who chose the condition, as a sentence in their language."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """The user's input; :meth:`query` parses it."""

    path: str
    operator: str = "eq"
    type: str = "string"
    value: str = ""

    def query(self, collection: str, *, may_see_secrets: bool) -> dict[str, Any]:
        """The query for the condition. Raises ConditionRefused."""
        name = field_name(self.path)
        if not may_see_secrets and is_hidden(collection, self.path):
            raise ConditionRefused(
                _(
                    "The field %(field)s is hidden from you, so you cannot filter by it; choose "
                    "another field."
                )
                % {"field": shown(self.path)}
            )
        if self.operator not in OPERATORS:
            raise ConditionRefused(_("Choose one of the operators of the list."))
        if len(self.value) > LONGEST:
            raise ConditionRefused(
                _("The value is too long; use at most %(count)s characters.") % {"count": LONGEST}
            )
        return {name: self._operand()}

    def _operand(self) -> dict[str, Any]:
        match self.operator:
            case "exists" | "missing":
                return {"$exists": self.operator == "exists"}
            case "type":
                return {"$type": _type_name(self.value)}
            case "begins":
                return {"$regex": f"^{_escaped(self.value)}"}
            case "in":
                return {"$in": [one for text in _values(self.value) for one in self._all(text)]}
            case "eq" | "ne" if self.type == "uuid":
                return {"$in" if self.operator == "eq" else "$nin": self._all(self.value)}
            case _:
                return {f"${self.operator}": self._typed(self.value)}

    def _all(self, text: str) -> list[Any]:
        """The value in every form in which drivers may have stored it."""
        if self.type != "uuid":
            return [self._typed(text)]
        found = _uuid(text)
        return [Binary.from_uuid(found, form) for form in _UUID_FORMS]

    def _typed(self, text: str) -> Any:
        reader = _READERS.get(self.type)
        if reader is None:
            raise ConditionRefused(_("Choose one of the types of the list."))
        return reader(text)


def field_name(text: str) -> str:
    """The dotted name for a query; raises ConditionRefused if no query reaches the field."""
    path = _path(text)
    name = query_path(path)
    if name is None or "\0" in name:
        raise ConditionRefused(
            _(
                "MongoDB's filters cannot reach the field %(field)s: its name is empty, has a dot "
                "or begins with a dollar. Choose another field."
            )
            % {"field": shown(text)}
        )
    return name


def field_names(text: str) -> tuple[str, ...]:
    """The fields to show, from a comma-separated list; raises ConditionRefused."""
    if len(text) > LONGEST:
        raise ConditionRefused(_("The list of fields is too long; name fewer fields."))
    names = [field_name(each.strip()) for each in text.split(",") if each.strip()]
    # A field includes everything below it; the server refuses both together.
    chosen = set(names)
    return tuple(
        name for name in dict.fromkeys(names) if not any(one in chosen for one in _parents(name))
    )


def is_hidden(collection: str, text: str) -> bool:
    """Whether values at the path are secrets by its name; False for an invalid path."""
    try:
        path = parse_path(text)
    except ValueError:
        return False
    # A number may be a position in an array, which does not make it another field.
    names = tuple(step for step in path if isinstance(step, str) and not step.isdigit())
    return bool(names) and is_secret_path(collection, names)


def shown(text: str) -> str:
    return shortened(printable(text), _SHOWN)


def _path(text: str) -> Path:
    try:
        if len(text) > LONGEST:
            raise ValueError
        path = parse_path(text)
        if len(path) > DEEPEST:
            raise ValueError
    except ValueError:
        raise ConditionRefused(
            _("'%(field)s' is not the path of a field; write it as in address.city.")
            % {"field": shown(text)}
        ) from None
    return path


def _parents(name: str) -> list[str]:
    steps = name.split(".")
    return [".".join(steps[:length]) for length in range(1, len(steps))]


def _values(text: str) -> list[str]:
    """Values separated by commas; quotes keep commas together: ``a, "b, c"``."""
    try:
        values = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error:
        raise ConditionRefused(
            _('Separate the values with commas, and quote those that have one: a, "b, c".')
        ) from None
    if len(values) > MOST_VALUES:
        raise ConditionRefused(_("There are too many values; use fewer."))
    return values


def _type_name(text: str) -> str:
    name = text.strip()
    if name not in (*ALIASES, "number"):
        raise ConditionRefused(
            _("There is no BSON type '%(name)s'; the types are %(all)s.")
            % {"name": shown(name), "all": ", ".join((*ALIASES, "number"))}
        )
    return name


def _escaped(text: str) -> str:
    """The text escaped for a regular expression that finds exactly this text."""
    if not text:
        raise ConditionRefused(_("Enter the text that the values begin with."))
    if "\0" in text:
        raise ConditionRefused(
            _("The beginning of a text cannot be found by a NUL character; leave it out.")
        )
    return re.sub(r"([^A-Za-z0-9_\s\x80-\U0010ffff])", r"\\\1", text)


def _number(text: str) -> Any:
    found = text.strip()
    if found.lower() in _SPECIAL_NUMBERS:
        return float(found)
    if _NUMBER.fullmatch(found) is None:
        raise _refused(_("'%(value)s' is not a number; write it as 12 or -1.5."), text)
    if found.lstrip("+-").isdigit():
        whole = int(found) if len(found) < 30 else 2**63
        if not -(2**63) <= whole < 2**63:
            raise _refused(
                _("%(value)s is larger than MongoDB's integers; choose the type Decimal128."), text
            )
        return Int64(whole)
    return float(found)


def _date(text: str) -> datetime:
    """A date in UTC, unless it contains another offset."""
    found = text.strip()
    try:
        moment = parse_datetime(found)
        if moment is None and (day := parse_date(found)) is not None:
            moment = datetime.combine(day, time())
        if moment is None:
            raise ValueError
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refused(
            _("'%(value)s' is not a date; write it as 2026-11-30 or 2026-11-30 12:00, in UTC."),
            text,
        ) from None


def _object_id(text: str) -> ObjectId:
    if re.fullmatch(r"[0-9a-fA-F]{24}", text.strip()) is None:
        raise _refused(_("'%(value)s' is not an ObjectId; it has 24 digits from 0 to f."), text)
    return ObjectId(text.strip())


def _boolean(text: str) -> bool:
    found = text.strip().lower()
    if found not in ("true", "false"):
        raise _refused(_("'%(value)s' is not a boolean; write true or false."), text)
    return found == "true"


def _decimal(text: str) -> Decimal128:
    found = text.strip()
    try:
        if found.lower() not in _SPECIAL_NUMBERS and _NUMBER.fullmatch(found) is None:
            raise ValueError
        return Decimal128(Decimal(found)) if len(found) <= 50 else Decimal128(found)
    except (ValueError, ArithmeticError, InvalidOperation):
        raise _refused(
            _("'%(value)s' is not a Decimal128; write at most 34 digits, as 12.50."), text
        ) from None


def _uuid(text: str) -> uuid.UUID:
    found = text.strip()
    if re.fullmatch(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}", found) is None:
        raise _refused(
            _("'%(value)s' is not a UUID; write it as 12345678-1234-5678-1234-567812345678."),
            text,
        )
    return uuid.UUID(found)


def _standard_uuid(text: str) -> Binary:
    return Binary.from_uuid(_uuid(text), UuidRepresentation.STANDARD)


def _refused(sentence: str, text: str) -> ConditionRefused:
    return ConditionRefused(sentence % {"value": shown(text)})


_UUID_FORMS: Final = (
    UuidRepresentation.STANDARD,
    UuidRepresentation.PYTHON_LEGACY,
    UuidRepresentation.JAVA_LEGACY,
    UuidRepresentation.CSHARP_LEGACY,
)
_READERS: Mapping[str, Callable[[str], Any]] = {
    "string": str,
    "number": _number,
    "date": _date,
    "objectId": _object_id,
    "bool": _boolean,
    "null": lambda text: None,
    "decimal": _decimal,
    "uuid": _standard_uuid,
}
