"""The table of fields: which BSON types each one uses, and which field a BSON type comes from.

A row is found by the field's class or by its internal type, whichever is closer to the field's own
class, so a custom field is treated like its base class until it is registered itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from djongo_services.bson_types import ALIASES, NUMBERS

AnyField: TypeAlias = "models.Field[Any, Any]"
Codec: TypeAlias = Callable[[Any, AnyField], Any]


def unchanged(value: Any, field: AnyField) -> Any:
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """The BSON form of a field's values."""

    writes: frozenset[str]
    """Types that saving a model writes: ``{"long"}``. Null is not included."""
    accepts: frozenset[str] = frozenset()
    """Types that may also be found, because expressions write them."""
    pattern: str | None = None
    """A pattern for the server that matches every string that is written."""

    @property
    def types(self) -> tuple[str, ...]:
        """All possible types, in the order of BSON's type numbers; none for anything."""
        return tuple(name for name in ALIASES if name in self.writes | self.accepts)


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldMapping:
    """A row of the table.

    ``encode`` and ``decode`` translate between the result of the field's ``get_prep_value`` and the
    BSON of ``plain``. They are never called with None and raise ValueError or TypeError for values
    that the other side cannot have. They do not affect what django-mongodb-backend writes.
    """

    backend: Stored
    """The form that django-mongodb-backend writes."""
    plain: Stored
    """The form that :func:`~djongo_services.schema.mapping.to_document` writes."""
    encode: Codec = field(default=unchanged)
    decode: Codec = field(default=unchanged)
    text: bool = False
    """Whether Python's value is the stored string, so that validators of texts apply to it."""

    def stored(self, *, backend: bool) -> Stored:
        return self.backend if backend else self.plain


def writes(*types: str, pattern: str | None = None) -> Stored:
    """A stored form; numbers accept every number type, because ``F()`` arithmetic stores any of
    them."""
    accepts = NUMBERS if NUMBERS.intersection(types) else frozenset[str]()
    return Stored(writes=frozenset(types), accepts=accepts, pattern=pattern)


ANYTHING = FieldMapping(backend=Stored(writes=frozenset()), plain=Stored(writes=frozenset()))

_rows: dict[str | type[AnyField], FieldMapping] = {}


def register_field(field: type[AnyField] | str, mapping: FieldMapping) -> None:
    """Declare how a custom field is stored: for its class and subclasses, or for an internal type.

    The last registration wins, also for Django's own fields.
    """
    _rows[field] = mapping


def mapping_of(field: AnyField) -> FieldMapping | None:
    """The field's row; None for an unknown field.

    Relations are treated as the field that they point at, generated fields as their output field.
    """
    field = keyed_by(field)
    row = _row(field)
    return _of_implicit_key(row) if row is not None and is_implicit_key(field) else row


def is_implicit_key(field: AnyField) -> bool:
    """Whether its values are those of a primary key that Django adds to a model without one.

    On SQL they are numbers. In MongoDB each client that inserts a document chooses them.
    """
    field = keyed_by(field)
    return bool(field.primary_key and field.auto_created)


def _of_implicit_key(row: FieldMapping) -> FieldMapping:
    def lenient(codec: Codec) -> Codec:
        def convert(value: Any, field: AnyField) -> Any:
            try:
                return codec(value, field)
            except (TypeError, ValueError):
                return value

        return convert

    plain = replace(row.plain, accepts=row.plain.accepts | {"objectId"})
    return replace(row, plain=plain, encode=lenient(row.encode), decode=lenient(row.decode))


def _row(field: AnyField) -> FieldMapping | None:
    for cls in type(field).__mro__:
        if (row := _rows.get(cls)) is not None:
            return row
        name = _internal_type(field, cls)
        if name is not None and (row := _rows.get(name)) is not None:
            return row
        typed = "db_type" in vars(cls) and cls is not models.Field
        if typed and (row := _of_column_type(field)) is not None:
            return row
    return None


def keyed_by(field: AnyField) -> AnyField:
    """The field whose values are stored: for a relation its target's key, and so on."""
    found: Any = field
    while True:
        match found:
            case models.ForeignKey():
                found = found.target_field
            case models.GeneratedField():
                found = found.output_field
            case _:
                break
    source: AnyField = found
    return source


def django_fields(bson_types: Iterable[str], *, backend: bool = True) -> tuple[str, ...]:
    """Internal types of fields for these BSON types, apart from null: exact matches come first.

    ``django_fields({"int", "long"})`` returns the integer fields, then other numbers.
    """
    wanted = frozenset(bson_types) - {"null"}
    found = [
        (row.stored(backend=backend), name) for name, row in _rows.items() if isinstance(name, str)
    ]
    fitting = [(form, name) for form, name in found if wanted and wanted <= set(form.types)]
    ordered = sorted(fitting, key=lambda pair: (pair[0].writes != wanted, len(pair[0].writes)))
    return tuple(name for _, name in ordered)


_NUMBERED = frozenset({"AutoField", "BigAutoField", "SmallAutoField"})


def is_numbered_key(field: AnyField) -> bool:
    """Whether it is a key of Django's with sequential numbers, as in migrations that were made for
    SQL.

    No model of the backend can have one: if a migration has one, the document has an ObjectId at
    ``_id``.
    """
    return field.get_internal_type() in _NUMBERED


def object_id_mapping() -> FieldMapping:
    """The row of the backend's own keys."""
    return _rows["ObjectIdAutoField"]


def backend_connection() -> BaseDatabaseWrapper | None:
    """A connection of django-mongodb-backend, used to convert values; it is never opened."""
    return next((one for one in connections.all() if one.vendor == "mongodb"), None)


def required_backend_connection() -> BaseDatabaseWrapper:
    """Raises ImproperlyConfigured if there is none."""
    connection = backend_connection()
    if connection is None:
        raise ImproperlyConfigured(
            "None of the DATABASES is on MongoDB, so how django-mongodb-backend stores a choice "
            "cannot be determined; describe the model with backend=False."
        )
    return connection


def _internal_type(field: AnyField, cls: type) -> str | None:
    """The internal type that this class defines; without a definition, it is the name of the
    class."""
    if type(field).get_internal_type is models.Field.get_internal_type:
        return cls.__name__
    return field.get_internal_type() if "get_internal_type" in vars(cls) else None


def _of_column_type(field: AnyField) -> FieldMapping | None:
    """The row of a field that names its own column type: on the backend that is a BSON type."""
    connection = backend_connection()
    if connection is None:
        return None
    try:
        name = field.db_type(connection)
    except Exception:  # noqa: BLE001  (a custom field may not know the backend)
        return None
    if name not in ALIASES:
        return None
    assert name is not None
    return FieldMapping(backend=writes(name), plain=Stored(writes=frozenset()))
