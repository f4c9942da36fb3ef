"""Third-party fields: which of Django's methods they replace, and what these write.

A custom field may convert its values in any way, and only its own code knows how. So its methods
convert sample values, and the results are examined as BSON. An exception means that the sample is
not one of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bson import encode
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.choices import BaseChoiceIterator, flatten_choices

from djongo_services.bson_types import ALIASES, NUMBERS
from djongo_services.schema.mapping.table import AnyField, required_backend_connection

CONVERSIONS = ("to_python", "get_prep_value", "get_db_prep_value", "get_db_prep_save")
CHECKS = ("validate", "run_validators", "clean")
_KNOWN = ("django.", "django_mongodb_backend.", "djongo_services.")
"""Packages whose fields the table of this package describes."""
_PROBES: tuple[Any, ...] = ("a", "1", 1, 1.5, True, b"a", [], {})
"""Values of different types: a field that leaves all of them unchanged may contain anything."""
_SEPARATORS = (",", ";", "|", " ", "")


def replaces(field: AnyField, methods: tuple[str, ...]) -> bool:
    """Whether a class other than Django's defines one of the methods for this field."""
    return any(_is_foreign(type(field), name) for name in methods)


def sampled_types(field: AnyField, *, backend: bool) -> frozenset[str]:
    """The BSON types that the field writes for its default, its choices and other samples.

    Null is not included. More than one kind of value means that the field converts nothing.
    """
    return _written([*_own_values(field), *_PROBES, *_converted(field)], field, backend=backend)


def one_kind(types: frozenset[str]) -> bool:
    """Whether they are one type, or all numbers."""
    return len(types) == 1 or (bool(types) and types <= NUMBERS)


def converted_types(field: AnyField, *, backend: bool) -> frozenset[str]:
    """The same for a field whose base class is known: only for values that it accepts as its
    own."""
    return _written([*_own_values(field), *_converted(field)], field, backend=backend)


def changing(choices: Any) -> bool:
    """Whether the choices are computed each time they are read."""
    return isinstance(choices, BaseChoiceIterator)


def choice_values(field: AnyField) -> list[Any]:
    # Not flatchoices: fields with several choices set it to None for the admin.
    choices: Any = field.choices
    return [value for value, _ in flatten_choices(choices)]


def stores_choices(field: AnyField) -> bool:
    """Whether each valid value is one of the choices, and not a combination of several, or another
    value."""
    if replaces(field, ("clean", "run_validators")):
        return False
    found = choice_values(field)
    if any(_attempt(field.to_python, one) != one for one in found):
        return False
    if not replaces(field, ("validate",)):
        return True
    texts = [str(value) for value in found]
    several = [separator.join([*texts, *texts]) for separator in _SEPARATORS]
    others: list[Any] = ["no choice\0", [*found, *found], *several]
    return not any(_passes(field, value) for value in others if value not in found)


def _own_values(field: AnyField) -> Iterator[Any]:
    if field.choices is not None and not changing(field.choices):
        yield from _attempt(choice_values, field) or ()
    default = field.default
    # A function may do anything, such as write to the database; a class creates a value.
    if default is not models.NOT_PROVIDED and (isinstance(default, type) or not callable(default)):
        yield _attempt(field.get_default)


def _converted(field: AnyField) -> Iterator[Any]:
    for probe in _PROBES:
        yield _attempt(field.to_python, probe)


def _written(values: list[Any], field: AnyField, *, backend: bool) -> frozenset[str]:
    """The BSON types that the field saves for these values, if it can save them."""
    save: Callable[[Any], Any] = field.get_prep_value
    if backend:
        connection = required_backend_connection()
        save = lambda value: field.get_db_prep_save(value, connection)  # noqa: E731
    found = {_bson_type(_attempt(save, value)) for value in values}
    return frozenset(found - {"null"})


def _bson_type(value: Any) -> str:
    document = _attempt(encode, {"": value}) or bytes(5)
    # The length of the document in four bytes, then the type of its only element.
    number = document[4]
    return ALIASES[number - 1] if 0 < number < len(ALIASES) else "null"


def _passes(field: AnyField, value: Any) -> bool:
    """Whether the field's own ``validate`` accepts the value, or cannot decide."""
    try:
        field.validate(value, None)
    except ValidationError:
        return False
    except Exception:  # noqa: BLE001  (code of others)
        return True
    return True


def _attempt(call: Callable[..., Any], *values: Any) -> Any:
    """The result of the call; None for any exception, because this is third-party code."""
    try:
        return call(*values)
    except Exception:  # noqa: BLE001  (code of others)
        return None


def _is_foreign(cls: type, name: str) -> bool:
    definer = next((one for one in cls.__mro__ if name in vars(one)), None)
    return definer is not None and not f"{definer.__module__}.".startswith(_KNOWN)
