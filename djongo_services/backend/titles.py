"""The declaration of a column: the ``title`` of its property in the validator's schema.

A BSON type does not tell a DateField from a DateTimeField, or a foreign key from an ObjectId. The
server keeps a title and ignores it, and shows it when it refuses a document. The schema editor
writes titles, introspection reads them::

    CharField
    DecimalField(10, 2)             max_digits, decimal_places
    ForeignKey(auth_user._id)       the collection and the column that it refers to
    ArrayField(DecimalField(5, 1))  the title of an item
    EmbeddedModelField(shop.Address)
    CharField(primary_key)          a primary key that is not in _id
    OneToOneField(shop_place._id, primary_key)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.db import models

_PRIMARY_KEY = "primary_key"
_TITLE = re.compile(r"(\w*(?:Field|ForeignKey))(?:\((.+)\))?", re.DOTALL)
_DIGITS = re.compile(r"(\d+), (\d+)")
_RELATIONS = frozenset({"ForeignKey", "OneToOneField"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferredColumn:
    """What a foreign key refers to."""

    collection: str
    column: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Title:
    kind: str
    """Django's internal type, ``Field.get_internal_type()``; ``Field`` for one that does not end in
    "Field", as those of Django do."""
    primary_key: bool = False
    """Whether it is a primary key outside of ``_id``."""
    digits: tuple[int, int] | None = None
    """``max_digits`` and ``decimal_places`` of a DecimalField."""
    target: ReferredColumn | None = None
    """What a ForeignKey or OneToOneField refers to."""
    item: Title | None = None
    """The type of an ArrayField's items."""
    models: tuple[str, ...] = ()
    """Labels of the models of an embedded field."""

    def __str__(self) -> str:
        arguments: list[str] = []
        if self.digits is not None:
            arguments += map(str, self.digits)
        elif self.target is not None:
            arguments.append(f"{self.target.collection}.{self.target.column}")
        elif self.item is not None:
            arguments.append(str(self.item))
        arguments += self.models
        if self.primary_key:
            arguments.append(_PRIMARY_KEY)
        return f"{self.kind}({', '.join(arguments)})" if arguments else self.kind


def title_of(field: models.Field[Any, Any]) -> str:
    """The title for the column of ``field``, a field of a model or of its historical state.

    The title of a relation whose model is not loaded has no target.
    """
    return str(_title_of(field))


def parse(title: object) -> Title | None:
    """The inverse of :func:`title_of`; None for a title of another form.

    Other programs write titles, too, often one word for each property. None of these ends in
    "Field", as the types of Django's fields do.
    """
    match = _TITLE.fullmatch(title) if isinstance(title, str) else None
    if match is None:
        return None
    kind, arguments = match[1], match[2]
    if arguments is None:
        return Title(kind=kind)
    rest, primary_key = _without_primary_key(arguments)
    if not rest:
        return Title(kind=kind, primary_key=primary_key)
    if kind in _RELATIONS:
        # Names of collections can have dots, columns cannot.
        collection, dot, column = rest.rpartition(".")
        if not (collection and dot and column):
            return None
        target = ReferredColumn(collection=collection, column=column)
        return Title(kind=kind, primary_key=primary_key, target=target)
    if digits := _DIGITS.fullmatch(rest):
        numbers = (int(digits[1]), int(digits[2]))
        return Title(kind=kind, primary_key=primary_key, digits=numbers)
    if kind == "ArrayField":
        item = parse(rest)
        return item and Title(kind=kind, primary_key=primary_key, item=item)
    if kind.startswith(("Embedded", "PolymorphicEmbedded")):
        return Title(kind=kind, primary_key=primary_key, models=tuple(rest.split(", ")))
    return None


def _without_primary_key(arguments: str) -> tuple[str, bool]:
    if arguments == _PRIMARY_KEY:
        return "", True
    rest = arguments.removesuffix(f", {_PRIMARY_KEY}")
    return rest, rest != arguments


def _title_of(field: Any) -> Title:
    return Title(
        kind=_kind(field),
        primary_key=bool(field.primary_key and field.column and field.column != "_id"),
        digits=_digits(field),
        target=_target(field),
        item=_item(field),
        models=_embedded_models(field),
    )


def _kind(field: Any) -> str:
    base = getattr(field, "base_field", None)
    if base is None:
        kind = str(field.get_internal_type())
        return kind if _TITLE.fullmatch(kind) else "Field"
    # Arrays return the name of their class, which may be a project's subclass.
    if hasattr(base, "embedded_model"):
        return "EmbeddedModelArrayField"
    if hasattr(base, "embedded_models"):
        return "PolymorphicEmbeddedModelArrayField"
    return "ArrayField"


def _digits(field: Any) -> tuple[int, int] | None:
    if field.get_internal_type() != "DecimalField":
        return None
    source = getattr(field, "output_field", field)  # A GeneratedField has one.
    if source.max_digits is None or source.decimal_places is None:
        return None
    return source.max_digits, source.decimal_places


def _target(field: Any) -> ReferredColumn | None:
    if not isinstance(field, models.ForeignKey) or isinstance(field.remote_field.model, str):
        return None
    target: Any = field.target_field
    return ReferredColumn(collection=target.model._meta.db_table, column=target.column)


def _item(field: Any) -> Title | None:
    base = getattr(field, "base_field", None)
    return None if base is None or _embedded_models(field) else _title_of(base)


def _embedded_models(field: Any) -> tuple[str, ...]:
    base = getattr(field, "base_field", field)
    one = getattr(base, "embedded_model", None)
    several = (one,) if one is not None else getattr(base, "embedded_models", ())
    return tuple(model if isinstance(model, str) else model._meta.label for model in several)
