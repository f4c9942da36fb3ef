"""The Django field for each BSON type: one table for each style.

The style *backend* inverts django-mongodb-backend's own table, and chooses the field that writes
what it read: a ``SmallIntegerField`` is the one that writes int, every other integer field writes
long. Values that no field of the backend keeps (binary subtypes, regular expressions, timestamps,
mixed types, ...) use our ``BSONField``, which keeps every value unchanged.

The style *plain* describes the data in Django's own terms, as far as ``from_document`` can read it
with them; if Django has no field, ours is used there, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from djongo_services.introspection.modelling import facts
from djongo_services.introspection.modelling.declarations import Call
from djongo_services.introspection.modelling.stated import StatedField
from djongo_services.introspection.report import Field

Choice: TypeAlias = Callable[[Field], Call]
DECIMAL_DIGITS = 34
"""The number of digits in a Decimal128."""
FIELD_TYPES: Mapping[str, str] = {
    "ArrayField": "array",
    "BSONField": "object",
    "BSONObjectIdField": "objectId",
    "Decimal128Field": "decimal",
    "EmbeddedModelArrayField": "array",
    "EmbeddedModelField": "object",
    "ObjectIdAutoField": "objectId",
    "ObjectIdField": "objectId",
    "models.BigIntegerField": "long",
    "models.BinaryField": "binData",
    "models.BooleanField": "bool",
    "models.CharField": "string",
    "models.DateField": "date",
    "models.DateTimeField": "date",
    "models.DecimalField": "decimal",
    "models.DurationField": "long",
    "models.FileField": "string",
    "models.FilePathField": "string",
    "models.FloatField": "double",
    "models.GenericIPAddressField": "string",
    "models.IntegerField": "long",
    "models.JSONField": "object",
    "models.PositiveBigIntegerField": "long",
    "models.PositiveIntegerField": "long",
    "models.PositiveSmallIntegerField": "int",
    "models.SlugField": "string",
    "models.SmallIntegerField": "int",
    "models.TextField": "string",
    "models.TimeField": "date",
    "models.UUIDField": "string",
}
"""All fields in generated modules, and the backend's names for their columns
(``DatabaseWrapper.data_types``, ``db_type``)."""


def backend_scalar(field: Field) -> Call | None:
    """The field that loads and saves these scalars unchanged; None if there is none.

    Integers of both sizes share a BigIntegerField, which writes all of them as long.
    """
    choice = _BACKEND.get(facts.kinds(field))
    return choice(field) if choice else None


def guesses(field: Field, call: Call) -> tuple[str, ...]:
    """Options of the call that are derived from the current values."""
    if isinstance(field, StatedField):
        return ()
    options = dict(call.kwargs)
    guessed = [name for name in ("max_length", "choices") if name in options]
    return (f"Guessed from the values: {' and '.join(guessed)}.",) if guessed else ()


def remarks(field: Field, *, counted: bool) -> tuple[str, ...]:
    """Types that share a field, and what a project must do so that the values can be read."""
    if facts.kinds(field) in _MIXED_NUMBERS and not isinstance(field, StatedField):
        return (f"{facts.spread(field, counted=counted)}.",)
    if facts.kinds(field) == {"date"} and not facts.dates_in_range(field):
        return (
            "date, also outside the years 1 to 9999: PyMongo reads these only with "
            '"datetime_conversion": "DATETIME_AUTO" in the OPTIONS of the database.',
        )
    return ()


def backend_key(field: Field) -> Call:
    """The primary key of a document; its value is queried, never written."""
    choice = _BACKEND_KEYS.get(facts.kinds(field))
    if choice is None or field.null:
        choice = _call("BSONField")
    call = choice(field)
    if call.function == "ObjectIdAutoField":
        return call.having(primary_key=True)
    return call.having(primary_key=True, db_column="_id")


def plain(field: Field) -> Call:
    """The closest of Django's own fields that returns each value unchanged; BSONField if there is
    none."""
    if facts.kinds(field) & {"object", "array"}:
        return Call(function="models.JSONField" if facts.json_safe(field) else "BSONField")
    choice = _PLAIN.get(facts.kinds(field), _call("BSONField"))
    return choice(field)


def plain_key(field: Field) -> Call:
    call = plain(field)
    if call.function == "models.JSONField" or field.null:
        call = Call(function="BSONField")
    return call.having(primary_key=True, db_column="_id")


def _call(function: str) -> Choice:
    return lambda field: Call(function=function)


def _text(field: Field) -> Call:
    length = facts.text_length(field)
    options = facts.choices(field)
    if length is None:
        call = Call(function="models.TextField")
    else:
        call = Call(function="models.CharField", kwargs=(("max_length", length),))
    return _with_choices(call, options)


def _integer(function: str) -> Choice:
    return lambda field: _with_choices(Call(function=function), facts.choices(field))


def _with_choices(call: Call, options: tuple[str | int, ...]) -> Call:
    if not options:
        return call
    ordered = sorted(options, key=lambda option: (isinstance(option, str), option))
    return call.having(choices=[(option, str(option)) for option in ordered])


def _decimal(function: str) -> Choice:
    def choose(field: Field) -> Call:
        places = facts.decimal_places(field)
        if places is None and function != "models.DecimalField":
            return Call(function=function)
        return Call(
            function="models.DecimalField",
            kwargs=(
                ("max_digits", max(DECIMAL_DIGITS, places or 0)),
                ("decimal_places", places if places is not None else DECIMAL_DIGITS // 2),
            ),
        )

    return choose


def _date(field: Field) -> Call:
    in_range = facts.dates_in_range(field)
    return Call(function="models.DateTimeField" if in_range else "BSONField")


def _only(name: str) -> frozenset[str]:
    return frozenset({name})


_INTEGERS = frozenset({"int", "long"})

_SHARED: Mapping[frozenset[str], Choice] = {
    _only("string"): _text,
    _only("long"): _integer("models.BigIntegerField"),
    _INTEGERS: _integer("models.BigIntegerField"),
    _only("double"): _call("models.FloatField"),
    # Every int can be a double as well; for a long that is true only up to 2**53.
    frozenset({"int", "double"}): _call("models.FloatField"),
    _only("decimal"): _decimal("Decimal128Field"),
    _only("bool"): _call("models.BooleanField"),
    _only("date"): _date,
    _only("binData"): _call("models.BinaryField"),
}
_MIXED_NUMBERS = (_INTEGERS, frozenset({"int", "double"}))
_BACKEND: Mapping[frozenset[str], Choice] = {
    **_SHARED,
    _only("int"): _integer("models.SmallIntegerField"),
    _only("objectId"): _call("ObjectIdField"),
}
_BACKEND_KEYS: Mapping[frozenset[str], Choice] = {
    **{
        types: choice
        for types, choice in _BACKEND.items()
        if types & {"string", "int", "long", "date"} and "double" not in types
    },
    _only("objectId"): _call("ObjectIdAutoField"),
}
_PLAIN: Mapping[frozenset[str], Choice] = {
    **_SHARED,
    _only("int"): _integer("models.IntegerField"),
    _only("objectId"): _call("BSONObjectIdField"),
    _only("binData:uuid"): _call("models.UUIDField"),
}
