"""A rule of a validator as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bson import Decimal128
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.formatting import count, document_text, printable, shortened, value_text
from djongo_services.schema.validator_rules import ValidatorRule

_LONGEST = 300
_MOST = 20
_Numbered = Callable[[int], str]
_NUMBERED: Mapping[str, _Numbered] = {
    "minLength": lambda number: ngettext(
        "has at least %(value)s character", "has at least %(value)s characters", number
    ),
    "maxLength": lambda number: ngettext(
        "has at most %(value)s character", "has at most %(value)s characters", number
    ),
    "minItems": lambda number: ngettext(
        "has at least %(value)s item", "has at least %(value)s items", number
    ),
    "maxItems": lambda number: ngettext(
        "has at most %(value)s item", "has at most %(value)s items", number
    ),
    "minProperties": lambda number: ngettext(
        "has at least %(value)s field", "has at least %(value)s fields", number
    ),
    "maxProperties": lambda number: ngettext(
        "has at most %(value)s field", "has at most %(value)s fields", number
    ),
}
"""Keywords whose value is a number of something."""


def rule_words(rule: ValidatorRule) -> str:
    """``must be string or null``; the keyword with its value as JSON if there is no text for it."""
    words = _WORDS.get(rule.keyword)
    text = words(rule) if words is not None and _is_readable(rule) else None
    if text is None:
        text = _as_json(rule)
    return shortened(text, _LONGEST)


def is_condition(rule: ValidatorRule) -> bool:
    """Whether it is a condition of a query, beside the schemas."""
    return not rule.keyword


def _is_readable(rule: ValidatorRule) -> bool:
    match rule.keyword, rule.value:
        case "bsonType" | "type", str() | list():
            return True
        case "enum", list():
            return True
        case "required" | "uniqueItems" | "additionalProperties", bool():
            return True
        case "pattern", str():
            return True
        case "minimum" | "maximum" | "multipleOf", _:
            return not isinstance(rule.value, dict | list | bool)
        case name, int() | float() if name in _NUMBERED and not isinstance(rule.value, bool):
            return True
    return False


def _as_json(rule: ValidatorRule) -> str:
    if is_condition(rule):
        return document_text(rule.value)
    return document_text({rule.keyword: rule.value, **dict(rule.together)})


def _types(rule: ValidatorRule) -> str:
    names = rule.value if isinstance(rule.value, list) else [rule.value]
    shown = [printable(str(name)) for name in names]
    if len(shown) == 1:
        return _("is of the type %(type)s") % {"type": shown[0]}
    return _("is of one of the types %(types)s") % {"types": ", ".join(shown)}


def _enum(rule: ValidatorRule) -> str:
    shown = [value_text(one) for one in rule.value[:_MOST]]
    if len(rule.value) > _MOST:
        shown.append("…")
    return _("is one of %(values)s") % {"values": ", ".join(shown)}


def _minimum(rule: ValidatorRule) -> str:
    is_exclusive = dict(rule.together).get("exclusiveMinimum") is True
    text = _("is greater than %(value)s") if is_exclusive else _("is at least %(value)s")
    return text % {"value": _bound(rule.value)}


def _maximum(rule: ValidatorRule) -> str:
    is_exclusive = dict(rule.together).get("exclusiveMaximum") is True
    text = _("is less than %(value)s") if is_exclusive else _("is at most %(value)s")
    return text % {"value": _bound(rule.value)}


def _bound(value: Any) -> str:
    """A number without an exponent, as long as that is readable."""
    if isinstance(value, Decimal128) and abs(value.to_decimal().adjusted()) < 20:
        return f"{value.to_decimal():,f}"
    return value_text(value)


def _numbered(rule: ValidatorRule) -> str:
    number = int(rule.value)
    return _NUMBERED[rule.keyword](number) % {"value": count(number)}


def _pattern(rule: ValidatorRule) -> str:
    return _("matches the pattern %(value)s") % {"value": printable(rule.value)}


def _multiple(rule: ValidatorRule) -> str:
    return _("is a multiple of %(value)s") % {"value": value_text(rule.value)}


def _unique(rule: ValidatorRule) -> str | None:
    return _("has no item twice") if rule.value else None


_WORDS: Mapping[str, Callable[[ValidatorRule], str | None]] = {
    "bsonType": _types,
    "type": _types,
    "enum": _enum,
    "minimum": _minimum,
    "maximum": _maximum,
    "uniqueItems": _unique,
    "required": lambda rule: _("is present"),
    "additionalProperties": lambda rule: _("has no other fields"),
    "pattern": _pattern,
    "multipleOf": _multiple,
    **dict.fromkeys(_NUMBERED, _numbered),
}
