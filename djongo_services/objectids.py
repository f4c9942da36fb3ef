"""A field for ObjectIds that works without the ORM on MongoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bson import ObjectId
from bson.errors import InvalidId
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
else:
    # Django's classes are generic only for type checkers.
    _Field = models.Field

DIGITS = 24
"""The number of hexadecimal digits in the text of an ObjectId."""


class BSONObjectIdField(_Field):
    """An ObjectId: of a document in MongoDB, or of one that a row in SQL refers to.

    Values are ``bson.ObjectId``; text of 24 hexadecimal digits is converted. In MongoDB it is
    stored as an ObjectId, in a SQL database as that text, in a column of 24 characters. With
    django-mongodb-backend, use its own ``ObjectIdField``.
    """

    description = _("ObjectId")
    empty_strings_allowed = False
    default_error_messages = {"invalid": _("“%(value)s” is not an ObjectId.")}

    def get_internal_type(self) -> str:
        return "ObjectIdField"

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        if connection.vendor == "mongodb":
            return "objectId"
        return models.CharField(max_length=DIGITS).db_type(connection)

    def rel_db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return self.db_type(connection)

    def to_python(self, value: Any) -> ObjectId | None:
        if value is None or value == "":
            return None
        try:
            return ObjectId(value)
        except (InvalidId, TypeError):
            raise ValidationError(
                self.error_messages["invalid"], code="invalid", params={"value": value}
            ) from None

    def get_prep_value(self, value: Any) -> ObjectId | None:
        return self.to_python(super().get_prep_value(value))

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        value = super().get_db_prep_value(value, connection, prepared)
        return value if value is None or connection.vendor == "mongodb" else str(value)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> ObjectId | None:
        return self.to_python(value)

    def value_to_string(self, obj: models.Model) -> str:
        value = self.value_from_object(obj)
        return "" if value is None else str(value)

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": ObjectIdFormField, **kwargs})


class ObjectIdFormField(forms.CharField):
    """24 hexadecimal digits, as an ObjectId."""

    default_error_messages = {"invalid": _("Enter an ObjectId: 24 digits from 0 to 9 and a to f.")}

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", DIGITS)
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return str(value) if isinstance(value, ObjectId) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if text in self.empty_values:
            return None
        try:
            return ObjectId(text)
        except InvalidId as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error

    def run_validators(self, value: Any) -> None:
        super().run_validators("" if value is None else str(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or None)) and not self.disabled
        except ValidationError:
            return True
