"""Fields for arrays and embedded documents, based on django-mongodb-backend's.

The fields store the same as the backend's own. They differ in validation and in their forms: an
optional document may be missing in ``full_clean()``, also inside of another one; forms return
unchanged values unchanged, and show arrays as lists in JSON, where an item may contain a comma.
Modules that ``inspectmongo --format models`` writes use them, and they may be used by hand as well.
Only projects on django-mongodb-backend can import this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models
from django_mongodb_backend import fields as backend

from djongo_services.documentforms import (
    EmbeddedDocumentField,
    EmbeddedDocumentsField,
    JSONArrayField,
)

__all__ = ["ArrayField", "EmbeddedModelArrayField", "EmbeddedModelField"]


class EmbeddedModelField(backend.EmbeddedModelField):  # type: ignore[misc]
    """An embedded document, which may be missing with ``null=True``."""

    empty_strings_allowed = False
    """A missing one is None, whereas the backend's field has an empty string."""

    def validate(self, value: Any, model_instance: Any) -> None:
        models.Field.validate(self, value, model_instance)
        if value is None:
            return
        if not isinstance(value, self.embedded_model):
            raise ValidationError(
                f"Expected instance of type {self.embedded_model!r}, not {type(value)!r}."
            )
        for field in self.embedded_model._meta.fields:
            inner = getattr(value, field.attname)
            # As in clean_fields(); a key that is not set is not stored.
            if inner in field.empty_values and (field.blank or field.primary_key):
                continue
            field.validate(inner, model_instance)

    def formfield(self, **kwargs: Any) -> Any:
        options = {"form_class": EmbeddedDocumentField, "model": self.embedded_model}
        return models.Field.formfield(self, **{**options, "null": self.null, **kwargs})


class _Missing(models.Field):  # type: ignore[type-arg]  # no parameters at run time
    """An array that may be None: the backend validates its items without checking that."""

    def validate(self, value: Any, model_instance: Any) -> None:
        if value is None:
            models.Field.validate(self, value, model_instance)
            return
        super().validate(value, model_instance)

    def run_validators(self, value: Any) -> None:
        if value is not None:
            super().run_validators(value)


class ArrayField(_Missing, backend.ArrayField):  # type: ignore[misc]
    """An array, which may be missing with ``null=True``."""

    if TYPE_CHECKING:  # The backend has no types, and a field of Django begins with its name.

        def __init__(self, base_field: models.Field[Any, Any], **kwargs: Any) -> None: ...

    def formfield(self, **kwargs: Any) -> Any:
        options = {"form_class": JSONArrayField, "base_field": self.base_field.formfield()}
        return models.Field.formfield(self, **{**options, "null": self.null, **kwargs})


class EmbeddedModelArrayField(_Missing, backend.EmbeddedModelArrayField):  # type: ignore[misc]
    """An array of embedded documents."""

    def __init__(self, embedded_model: Any, **kwargs: Any) -> None:
        super().__init__(embedded_model, **kwargs)
        self.base_field = EmbeddedModelField(embedded_model)

    def formfield(self, **kwargs: Any) -> Any:
        options = {"form_class": EmbeddedDocumentsField, "model": self.embedded_model}
        return models.Field.formfield(
            self, **{**options, "null": self.null, "max_num": self.max_size, **kwargs}
        )
