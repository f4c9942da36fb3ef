"""Which Django field a BSON type becomes: one table for each style.

Style *backend* reads django-mongodb-backend's own table backwards, choosing the field that writes
what it read: a ``SmallIntegerField`` is the one that writes int, every other integer field writes
long. What no field of the backend keeps (binary subtypes, regular expressions, timestamps, mixed
types, ...) becomes our ``BSONField``, which keeps every value as it is.

Style *plain* describes the data in Django's own terms and converts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from djongo_services.introspection.modelling import facts
from djongo_services.introspection.modelling.declarations import Call
from djongo_services.introspection.report import Field

Choice: TypeAlias = Callable[[Field], Call]
DECIMAL_DIGITS = 34
"""What a Decimal128 holds."""


def backend_scalar(field: Field) -> Call | None:
    """The field that loads and saves these scalars unchanged; None if there is none.

    Integers of both sizes share a BigIntegerField, which writes them all as long.
    """
    choice = _BACKEND.get(facts.kinds(field))
    return choice(field) if choice else None


def remarks(field: Field) -> tuple[str, ...]:
    """What a project has to do for the field's values to be read at all."""
    if facts.kinds(field) == {"date"} and not facts.dates_in_range(field):
        return (
            "date, also outside the years 1 to 9999: PyMongo reads these only with "
            '"datetime_conversion": "DATETIME_AUTO" in the OPTIONS of the database.',
        )
    return ()


def backend_key(field: Field) -> Call:
    """The primary key of a document; its value is looked for, never written."""
    choice = _BACKEND_KEYS.get(facts.kinds(field))
    if choice is None or field.null:
        choice = _call("BSONField")
    call = choice(field)
    if call.function == "ObjectIdAutoField":
        return call.having(primary_key=True)
    return call.having(primary_key=True, db_column="_id")


def plain(field: Field) -> Call:
    """The nearest of Django's own fields; JSONField for all that has parts or several types."""
    if facts.binary_types(field):
        uuids = facts.kinds(field) <= {"binData:uuid", "binData:uuidOld"}
        return Call(function="models.UUIDField" if uuids else "models.BinaryField")
    choice = _PLAIN.get(facts.kinds(field), _call("models.JSONField"))
    return choice(field)


def plain_key(field: Field) -> Call:
    call = plain(field)
    if call.function == "models.JSONField":
        call = Call(function="models.TextField")
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

_BACKEND: Mapping[frozenset[str], Choice] = {
    _only("string"): _text,
    _only("int"): _integer("models.SmallIntegerField"),
    _only("long"): _integer("models.BigIntegerField"),
    _INTEGERS: _integer("models.BigIntegerField"),
    _only("double"): _call("models.FloatField"),
    _only("decimal"): _decimal("Decimal128Field"),
    _only("bool"): _call("models.BooleanField"),
    _only("date"): _date,
    _only("objectId"): _call("ObjectIdField"),
    _only("binData"): _call("models.BinaryField"),
}
_BACKEND_KEYS: Mapping[frozenset[str], Choice] = {
    **{
        types: choice
        for types, choice in _BACKEND.items()
        if types & {"string", "int", "long", "date"}
    },
    _only("objectId"): _call("ObjectIdAutoField"),
}
_PLAIN: Mapping[frozenset[str], Choice] = {
    _only("string"): _text,
    _only("int"): _integer("models.IntegerField"),
    _only("long"): _integer("models.BigIntegerField"),
    _INTEGERS: _integer("models.BigIntegerField"),
    _only("double"): _call("models.FloatField"),
    frozenset({"int", "double"}): _call("models.FloatField"),
    frozenset({"int", "long", "double"}): _call("models.FloatField"),
    frozenset({"long", "double"}): _call("models.FloatField"),
    _only("decimal"): _decimal("models.DecimalField"),
    _only("bool"): _call("models.BooleanField"),
    _only("date"): _call("models.DateTimeField"),
    _only("objectId"): lambda field: Call(
        function="models.CharField", kwargs=(("max_length", 24),)
    ),
    _only("timestamp"): _call("models.DateTimeField"),
    _only("regex"): _call("models.TextField"),
    _only("javascript"): _call("models.TextField"),
    _only("symbol"): _call("models.TextField"),
}
