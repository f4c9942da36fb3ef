"""Validation of settings' values; each function raises ImproperlyConfigured for an invalid one.

``where`` is the full name of the dict that contains the value, for the error message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeAlias, get_args

from django.core.exceptions import ImproperlyConfigured

RuleSet: TypeAlias = Literal["database", "model", "off"]
"""What a validator enforces: the rules of a SQL database, the model's validation too, or
nothing."""
REST = "*"
"""The key in ``RULES`` for all apps and models without a key of their own."""
LONGEST_DURATION = timedelta(days=36_525)
"""A hundred years, so that earlier and later dates can be represented."""


def mapping(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ImproperlyConfigured(f"{where} must be a dict, not {type(value).__name__}.")
    return value


def section(where: str, value: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    """A dict without unknown keys."""
    found = mapping(where, value)
    refuse_unknown(where, found, known)
    return found


def refuse_unknown(where: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := [key for key in given if key not in known]:
        raise ImproperlyConfigured(
            f"{where} has the unknown key {unknown[0]!r}; known keys are {', '.join(known)}."
        )


def choice(where: str, entry: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> None:
    """A value among these choices; the first one is the default."""
    if (value := entry.get(key, choices[0])) not in choices:
        raise ImproperlyConfigured(
            f'{where}["{key}"] must be one of {", ".join(map(repr, choices))}, not {value!r}.'
        )


def flag(where: str, entry: Mapping[str, Any], key: str, *, default: bool = False) -> bool:
    value = entry.get(key, default)
    if not isinstance(value, bool):
        raise ImproperlyConfigured(f'{where}["{key}"] must be True or False.')
    return value


def mutes(where: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    value = entry.get("MUTE", ())
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ImproperlyConfigured(f'{where}["MUTE"] must be a list of codes and patterns.')
    if bad := [text for text in value if not isinstance(text, str)]:
        raise ImproperlyConfigured(
            f'{where}["MUTE"] contains {bad[0]!r}; write codes and patterns such as "*_str".'
        )
    return tuple(value)


def models(where: str, entry: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Labels by connection; a plain list is for the connection "default"."""
    value = entry.get("MODELS", ())
    by_alias = value if isinstance(value, Mapping) else {"default": value}
    for labels in by_alias.values():
        if isinstance(labels, str) or not isinstance(labels, Sequence):
            raise ImproperlyConfigured(
                f'{where}["MODELS"] must be a list of "app" and "app.Model" labels, or a dict of '
                f"such lists by connection."
            )
        if bad := [label for label in labels if not isinstance(label, str)]:
            raise ImproperlyConfigured(
                f'{where}["MODELS"] contains {bad[0]!r}; write labels such as "app.Model".'
            )
    return {alias: tuple(labels) for alias, labels in by_alias.items() if labels}


def rules(where: str, entry: Mapping[str, Any]) -> dict[str, RuleSet]:
    """Rules by label; a single set of rules applies to everything."""
    value = entry.get("RULES", {})
    by_label = value if isinstance(value, Mapping) else {REST: value}
    known = get_args(RuleSet)
    for label, rules in by_label.items():
        key = f'{where}["RULES"]' if by_label is not value else f'{where}["RULES"][{label!r}]'
        if not isinstance(label, str):
            raise ImproperlyConfigured(
                f'{where}["RULES"] has the key {label!r}; write "app", "app.Model" or "{REST}".'
            )
        if rules not in known:
            names = ", ".join(map(repr, known))
            raise ImproperlyConfigured(f"{key} must be one of {names}, not {rules!r}.")
    return dict(by_label)


def paths(where: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ImproperlyConfigured(f'{where}["REFERENCES"] must be a list of dotted paths.')
    if bad := [path for path in value if not isinstance(path, str) or "." not in path]:
        raise ImproperlyConfigured(
            f'{where}["REFERENCES"] contains {bad[0]!r}; write dotted paths such as '
            f'"app.module.function".'
        )
    return tuple(value)


def patterns(where: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ImproperlyConfigured(f'{where} must be a list of patterns such as "thumbnails/*".')
    if bad := [each for each in value if not isinstance(each, str) or not each]:
        raise ImproperlyConfigured(
            f'{where} contains {bad[0]!r}; write patterns such as "thumbnails/*".'
        )
    return tuple(value)


def duration(where: str, entry: Mapping[str, Any]) -> timedelta:
    value = entry.get("GRACE")
    match value:
        case None:
            return timedelta(hours=48)
        case timedelta() if timedelta(0) <= value <= LONGEST_DURATION:
            return value
        case bool():
            pass
        case int() | float() if 0 <= value <= LONGEST_DURATION.total_seconds():
            return timedelta(seconds=value)
    raise ImproperlyConfigured(
        f'{where}["GRACE"] must be a timedelta or seconds, from 0 to '
        f"{LONGEST_DURATION.days:,} days, not {value!r}."
    )


def text(where: str, entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key) or ""
    if not isinstance(value, str):
        raise ImproperlyConfigured(f'{where}["{key}"] must be a string.')
    return value


def port(where: str, value: Any) -> int | None:
    if value in (None, ""):
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ImproperlyConfigured(f'{where}["PORT"] must be a number, not {value!r}.') from None


def days(where: str, entry: Mapping[str, Any], key: str, *, default: int) -> int:
    value = entry.get(key, default)
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not 0 <= value <= LONGEST_DURATION.days
    ):
        raise ImproperlyConfigured(
            f'{where}["{key}"] must be a whole number of days from 0 to '
            f"{LONGEST_DURATION.days:,}, not {value!r}."
        )
    return value


def positive(where: str, entry: Mapping[str, Any], key: str) -> None:
    value = entry.get(key, 1)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ImproperlyConfigured(f'{where}["{key}"] must be a number above 0, not {value!r}.')
