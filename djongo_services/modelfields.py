"""Model fields for BSON values that no field of django-mongodb-backend keeps unchanged.

Modules that ``inspectmongo --format models`` writes use them if necessary; they may be used by hand
as well. On a SQL database they have no column type.
"""

from __future__ import annotations

import sys
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bson import Decimal128, Int64, json_util
from bson.binary import UuidRepresentation
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute
from django.utils.translation import gettext_lazy as _

from djongo_services.bson_decoding import NOT_EXTENDED_JSON
from djongo_services.embedded_models import is_embedded
from djongo_services.object_keys import OpaqueKey, as_key, exact_text, from_text, plain
from djongo_services.patching import Method, patch

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
    _DecimalField = models.DecimalField[Any, Any]
else:
    # Django's classes are generic only for type checkers.
    _Field = models.Field
    _DecimalField = models.DecimalField

_EXTENDED_JSON = json_util.CANONICAL_JSON_OPTIONS
# Values are Binary or uuid.UUID, depending on the client's configuration; the text is the same.
_WRITTEN = _EXTENDED_JSON.with_options(uuid_representation=UuidRepresentation.STANDARD)


class KeyAttribute(DeferredAttribute):
    """The attribute of a primary key: an assigned value becomes a key of :mod:`.object_keys`.

    A saved object whose ``_id`` is null has a key as well, whereas None means in Django that there
    is none.
    """

    _REMOVED = "_djongo_services_no_key"

    def __set__(self, instance: models.Model, value: Any) -> None:
        state = vars(instance).get("_state")
        if value is None:
            # Django does this to a deleted object. The state is that of a new object, for example
            # while one is being loaded.
            setattr(state, self._REMOVED, state is not None and not state.adding)
        else:
            value = as_key(value)
        vars(instance)[self.field.attname] = value

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        if instance is None:
            return self
        value = vars(instance).get(self.field.attname, _DEFERRED)
        if value is _DEFERRED:
            return super().__get__(instance, cls)
        state = instance._state
        if value is None and not state.adding and not getattr(state, self._REMOVED, True):
            return as_key(None)
        return value


_DEFERRED = object()


class BSONField(_Field):
    """Any BSON value, loaded and saved without a change.

    For mixed types, binary subtypes, regular expressions, timestamps, DBRefs, code, min and max
    keys, and numbers whose type differs from document to document. Values are plain PyMongo
    values (``dict``, ``list``, ``Int64``, ``Binary``, ``Regex``, ``Timestamp``, naive UTC
    ``datetime``, ...). Forms and serializers show canonical Extended JSON.

    As primary keys, its values are equal to the plain ones, and ``str(pk)`` distinguishes keys of
    different types, as :mod:`djongo_services.object_keys` describes: the admin finds the object of
    a link whatever the type of its key.
    """

    description = _("BSON value")
    empty_strings_allowed = False
    empty_values = [None]  # An empty string, array or document is a value.

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_item = True
        _edit_arrays()

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        if self.primary_key:
            self.descriptor_class = KeyAttribute
        self._is_item = False
        super().contribute_to_class(cls, name, private_only)

    def get_internal_type(self) -> str:
        return "BSONField"

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "object" if connection.vendor == "mongodb" else None

    def get_db_converters(self, connection: BaseDatabaseWrapper) -> list[Any]:
        # Foreign keys to this field use these as well.
        own = [_key_from_database] if self.primary_key else []
        return [*super().get_db_converters(connection), *own]

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if not self.primary_key or value is None:
            return value
        # The text of a key comes from checkboxes and select boxes.
        return from_text(value) if type(value) is str else as_key(value)

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        return plain(super().get_db_prep_value(value, connection, prepared))

    def to_python(self, value: Any) -> Any:
        """Convert the text of a serializer or, for a primary key, of a URL.

        Other values are returned unchanged.
        """
        if isinstance(value, _Serialized):
            return value.value
        if not isinstance(value, str) or self._is_embedded():
            return as_key(value) if self.primary_key and value is not None else value
        return from_text(value) if self.primary_key else _deserialized(value)

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        # Without to_python(): a string of an object is a value, not text to be parsed.
        self.validate(value, model_instance)
        self.run_validators(value)
        return value

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        # An item of an array may be null, regardless of the array.
        if value is not None or not self._is_item:
            super().validate(value, model_instance)

    def value_from_object(self, obj: models.Model) -> Any:
        key = super().value_from_object(obj)
        value = plain(key)
        # Serializers write values that are null, numbers or dates in Python without
        # value_to_string().
        is_written_anyhow = isinstance(value, Int64 | datetime) or isinstance(key, OpaqueKey)
        return _Serialized(value) if is_written_anyhow else value

    def value_to_string(self, obj: Any) -> str:
        value = plain(getattr(obj, self.attname))
        return exact_text(value) if self.primary_key else dumped(value)

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": ExtendedJSONField, **kwargs})

    def _is_embedded(self) -> bool:
        """Whether the call is for an embedded document: the backend calls to_python() with its
        stored values."""
        model = getattr(self, "model", None)
        return model is not None and is_embedded(model)


class Decimal128Field(_DecimalField):
    """A DecimalField for all values of Decimal128: 34 digits, NaN and the infinities.

    Django's own refuses to save what is not a finite number.
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


class ExtendedJSONWidget(forms.Textarea):
    """A text area whose text is distinguished from strings that are values.

    Forms of embedded documents create objects from the input, to display it again.
    """

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        typed = super().value_from_datadict(data, files, name)
        return Typed(typed) if isinstance(typed, str) else typed


class ExtendedJSONField(forms.CharField):
    """A form field for one BSON value in MongoDB's Extended JSON."""

    widget = ExtendedJSONWidget
    default_error_messages = {"invalid": _("Enter valid Extended JSON.")}
    empty_values = [None]  # An empty string, array or document is a value.

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Strings of BSON may contain null characters.
        self.validators = [
            one for one in self.validators if not isinstance(one, ProhibitNullCharactersValidator)
        ]

    def prepare_value(self, value: Any) -> Any:
        return str(value) if isinstance(value, Typed) else dumped(value)

    def to_python(self, value: Any) -> Any:
        if self.disabled or not isinstance(value, str):
            return plain(value)
        if not value.strip():
            return None
        try:
            return loaded(value)
        except NOT_EXTENDED_JSON as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        if self.disabled:
            return initial
        return None if data is None else Typed(data)

    def has_changed(self, initial: Any, data: Any) -> bool:
        if self.disabled:
            return False
        try:
            value = self.to_python(data)
        except ValidationError:
            return True
        # As texts: to Python 1, 1.0 and True are equal, and a NaN is not equal to itself.
        return dumped(value) != dumped(initial)


class ExtendedJSONArrayField(ExtendedJSONField):
    """A form field for an array of BSON values, as one text of Extended JSON.

    It accepts the arguments that the backend's ``ArrayField`` passes to its own form field, whose
    items are separated by commas, which Extended JSON contains.
    """

    default_error_messages = {"array": _("Enter an array in Extended JSON, such as [1, 2].")}

    def __init__(
        self,
        base_field: Any = None,
        *,
        max_length: int | None = None,
        length: int | None = None,
        **kwargs: Any,
    ) -> None:
        # The validators of the model's field check the sizes.
        super().__init__(**kwargs)
        self.base_field = base_field

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        if value is None or isinstance(value, list | tuple) or self.disabled:
            return value
        raise ValidationError(self.error_messages["array"], code="array")


class Typed(str):
    """Input that is displayed again unchanged."""

    __slots__ = ()


class _Serialized:
    """A value that serializers write by ``value_to_string()``; it equals the value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return bool(self.value == (other.value if isinstance(other, _Serialized) else other))

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return str(self.value)

    __repr__ = __str__


def dumped(value: Any) -> str:
    """Canonical Extended JSON of a BSON value."""
    value = value.value if isinstance(value, _Serialized) else plain(value)
    return json_util.dumps(value, json_options=_WRITTEN)


def loaded(text: str) -> Any:
    """The BSON value of Extended JSON; raises what NOT_EXTENDED_JSON lists."""
    return json_util.loads(text, json_options=_EXTENDED_JSON)


def _edit_arrays() -> None:
    """Give the backend's arrays of BSON values a form field that keeps their values."""
    # An array of this field has been imported when its field is created; the backend need not be.
    arrays = sys.modules.get("django_mongodb_backend.fields.array")
    if arrays is not None:
        patch(arrays.ArrayField, "formfield", _array_formfield)


def _array_formfield(original: Method) -> Method:
    def formfield(self: Any, **kwargs: Any) -> Any:
        if isinstance(_innermost(self), BSONField):
            kwargs = {"form_class": ExtendedJSONArrayField, **kwargs}
        return original(self, **kwargs)

    return formfield


def _innermost(field: Any) -> Any:
    while hasattr(field, "base_field"):
        field = field.base_field
    return field


def _deserialized(text: str) -> Any:
    try:
        return loaded(text)
    except NOT_EXTENDED_JSON:
        return text


def _key_from_database(value: Any, expression: Any, connection: Any) -> Any:
    # None is also the value of a foreign key that refers to nothing.
    return None if value is None else as_key(value)
