"""Model fields for BSON that no field of django-mongodb-backend keeps as it is.

Modules that ``inspectmongo --format models`` writes use them where they have to; they may be used
by hand as well. On a SQL database they have no column type.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bson import Decimal128, json_util
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
    _DecimalField = models.DecimalField[Any, Any]
else:
    # Django's classes are generic for type checkers only.
    _Field = models.Field
    _DecimalField = models.DecimalField

_EXTENDED_JSON = json_util.CANONICAL_JSON_OPTIONS


class BSONField(_Field):
    """Any BSON value, loaded and saved exactly as PyMongo has it.

    For mixed types, binary subtypes, regular expressions, timestamps, DBRefs, code, min and max
    keys, and numbers whose type differs from document to document. Values are plain PyMongo
    values (``dict``, ``list``, ``Int64``, ``Binary``, ``Regex``, ``Timestamp``, naive UTC
    ``datetime``, ...). Forms and serializers show canonical Extended JSON.
    """

    description = _("BSON value")
    empty_strings_allowed = False

    def get_internal_type(self) -> str:
        return "BSONField"

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "object" if connection.vendor == "mongodb" else None

    def value_to_string(self, obj: models.Model) -> str:
        return json_util.dumps(self.value_from_object(obj), json_options=_EXTENDED_JSON)

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": ExtendedJSONField, **kwargs})


class Decimal128Field(_DecimalField):
    """A DecimalField for all that Decimal128 has: 34 digits, NaN and the infinities.

    Django's own refuses what is not a finite number when it is saved.
    """

    description = _("Decimal number of up to 34 digits, or NaN, or infinity")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 34)
        kwargs.setdefault("decimal_places", 17)
        super().__init__(*args, **kwargs)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, Decimal128):
            value = value.to_decimal()
        if isinstance(value, Decimal) and not value.is_finite():
            return value
        return super().to_python(value)


class ExtendedJSONField(forms.CharField):
    """A form field for one BSON value in MongoDB's Extended JSON."""

    widget = forms.Textarea
    default_error_messages = {"invalid": _("Enter valid Extended JSON.")}

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, _Unparsed):
            return str(value)
        return json_util.dumps(value, json_options=_EXTENDED_JSON)

    def to_python(self, value: Any) -> Any:
        if self.disabled:
            return value
        if value in self.empty_values:
            return None
        try:
            return json_util.loads(value, json_options=_EXTENDED_JSON)
        except (ValueError, TypeError, KeyError) as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        if self.disabled:
            return initial
        return None if data is None else _Unparsed(data)

    def has_changed(self, initial: Any, data: Any) -> bool:
        if self.disabled:
            return False
        try:
            return bool(self.to_python(data) != initial)
        except ValidationError:
            return True


class _Unparsed(str):
    """What was typed, to be shown again as it is."""

    __slots__ = ()
