"""The path of an expression's column in the documents, and what cannot be expressed."""

from __future__ import annotations

from typing import Any

from django.db.models import Field
from django.db.models.expressions import Col
from django.db.models.fields.json import KeyTransform

from djongo_services.exceptions import DjongoServicesError
from djongo_services.schema.mapping import document_path


class NotExpressible(DjongoServicesError):
    """MongoDB cannot express this; the message is a clause with the reason, without a full stop."""


NUMBER, STRING, DATE, BOOL, ANY = "number", "string", "date", "bool", "any"
"""The kinds of an expression's values, as far as its guards need them."""

_INTEGERS = (
    "AutoField",
    "BigAutoField",
    "SmallAutoField",
    "IntegerField",
    "BigIntegerField",
    "SmallIntegerField",
    "PositiveIntegerField",
    "PositiveBigIntegerField",
    "PositiveSmallIntegerField",
)
_TEXTS = (
    "CharField",
    "TextField",
    "SlugField",
    "EmailField",
    "URLField",
    "FileField",
    "ImageField",
    "FilePathField",
    "IPAddressField",
    "GenericIPAddressField",
    "UUIDField",
)
_KINDS = {
    **dict.fromkeys((*_INTEGERS, "FloatField", "DecimalField", "DurationField"), NUMBER),
    **dict.fromkeys(_TEXTS, STRING),
    **dict.fromkeys(("DateField", "DateTimeField", "TimeField"), DATE),
    "BooleanField": BOOL,
}
INTEGERS = frozenset(_INTEGERS)
_SCALARS = frozenset({"ObjectIdField", "ObjectIdAutoField", "BinaryField"}) | set(_KINDS)


def internal_type(field: Any) -> str:
    """The internal type; for a relation, that of the key that it contains."""
    while getattr(field, "remote_field", None) is not None and field.is_relation:
        field = field.target_field
    return str(field.get_internal_type()) if isinstance(field, Field) else ""


def kind(field: Any) -> str:
    return _KINDS.get(internal_type(field), ANY)


def is_scalar(field: Any) -> bool:
    """Whether a query on the column compares the value itself, and not the elements of an array."""
    return internal_type(field) in _SCALARS


def field_of(expression: Any) -> Any:
    """The field whose values the expression has; None if Django cannot determine it."""
    inner = getattr(expression, "_field", None)
    if isinstance(inner, Field):
        return inner
    return getattr(expression, "_output_field_or_none", None)


def path(expression: Any, *, backend: bool) -> str | None:
    """The dotted path of a column or of a key in a document; None for anything else.

    Keys come from ``data__key`` lookups: those of a JSONField carry ``key_name``, those of the
    backend's embedded models the embedded ``_field``.
    """
    if isinstance(expression, Col):
        return _checked(document_path(expression.target, backend=backend))
    if not hasattr(expression, "lhs"):
        return None
    inner = getattr(expression, "_field", None)
    if isinstance(expression, KeyTransform):
        name = str(expression.key_name)
    elif isinstance(inner, Field):
        name = str(inner.column)
    else:
        return None
    above = path(expression.lhs, backend=backend)
    if "." in name:
        raise NotExpressible(f"the name {name!r} cannot be used in a query")
    return None if above is None else f"{above}.{_checked(name)}"


def _checked(name: str) -> str:
    if name.startswith("$") or not name:
        raise NotExpressible(f"the name {name!r} cannot be used in a query")
    return name
