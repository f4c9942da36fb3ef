"""``$jsonSchema`` of fields and of whole models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import models

from djongo_services.schema.mapping.layout import (
    ID,
    AnyModel,
    column_of,
    embedded_fields_of,
    fields_of,
    key_of,
)
from djongo_services.schema.mapping.properties import object_schema
from djongo_services.schema.mapping.rules import Rules, combined
from djongo_services.schema.mapping.table import ANYTHING, AnyField, keyed_by, mapping_of
from djongo_services.schema.spec import Problem

LABEL = "_label"
"""Under which a polymorphic embedded document has its model."""
SAFE_CONTENT = "__safeContent__"
"""What the server adds to documents with encrypted fields that can be queried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSchema:
    schema: Mapping[str, Any]
    """The value of ``$jsonSchema``."""
    problems: tuple[Problem, ...]
    """What the model says and the schema does not."""


def model_schema(model: AnyModel, *, backend: bool, closed: bool = False) -> ModelSchema:
    """The documents of the model's collection, ``backend`` as django-mongodb-backend writes them
    and otherwise as :func:`~djongo_services.schema.mapping.to_document` does.

    A document may lack what may be null. ``closed`` refuses names that the model does not know, in
    embedded documents too. A proxy has the schema of its model; raises ValueError for an abstract
    model and, where choices are to be stored by a backend that is not configured,
    ImproperlyConfigured.
    """
    if model._meta.abstract:
        raise ValueError(f"{model._meta.label} is abstract and has no collection.")
    writer = _Writer(backend=backend, closed=closed)
    schema = writer.model(model)
    return ModelSchema(schema=schema, problems=tuple(dict.fromkeys(writer.problems)))


def field_schema(field: AnyField, *, backend: bool) -> dict[str, Any]:
    """One field's values, null among them where it may be null; ``{}`` for anything."""
    return _Writer(backend=backend, closed=False).field(field, str(field.name))


@dataclass(kw_only=True, slots=True)
class _Writer:
    backend: bool
    closed: bool
    problems: list[Problem] = field(default_factory=list)
    inside: tuple[AnyModel, ...] = ()
    """Embedded models that are being written, from the outermost on."""

    def model(self, model: AnyModel) -> dict[str, Any]:
        label = model._meta.label
        fields = fields_of(model, backend=self.backend)
        properties = {column_of(one): self.field(one, f"{label}.{one.name}") for one in fields}
        required = [column_of(one) for one in fields if _is_required(one)]
        if not self.backend:
            _move_key(key_of(model), properties, required, closed=self.closed)
        extra = [SAFE_CONTENT] if any(map(_is_encrypted, fields)) else []
        return self.object(label, properties, required, extra=[ID, *extra])

    def object(
        self,
        subject: str,
        properties: dict[str, Any],
        required: list[str],
        extra: Iterable[str] = (),
    ) -> dict[str, Any]:
        if self.closed:
            properties |= {name: {} for name in extra if name not in properties}
        found, reasons = object_schema(properties, required, closed=self.closed)
        self.problems += [Problem(subject=subject, reason=reason) for reason in reasons]
        return {"bsonType": "object", **found}

    def field(self, field: AnyField, subject: str) -> dict[str, Any]:
        if _is_encrypted(field):
            return {}
        source = keyed_by(field)
        row = mapping_of(source)
        if row is None:
            self._report(
                subject,
                f"how a {type(source).__name__} is stored is not known, so any value passes; "
                f"tell it with register_field.",
            )
            row = ANYTHING
        rules = Rules(field=source, row=row, backend=self.backend)
        stored = row.stored(backend=self.backend)
        found = (
            {**_key_keywords(source, stored.pattern)}
            if source is not field
            else {**rules.keywords()}
        )
        if source is not field:
            self._report_limits(field, subject)
        self.problems += [Problem(subject=subject, reason=reason) for reason in rules.reasons]
        parts = [_types(stored.types, null=_may_be_null(field)), self._structure(source, subject)]
        return combined([*parts, found])

    def _structure(self, field: Any, subject: str) -> dict[str, Any]:
        """What is inside of arrays and embedded documents."""
        if (base := getattr(field, "base_field", None)) is not None:
            return {"items": self.field(base, f"{subject}[]")}
        if (model := getattr(field, "embedded_model", None)) is not None:
            return self._embedded(model, subject)
        if (kinds := getattr(field, "embedded_models", None)) is not None:
            return {"anyOf": [self._embedded(kind, subject, labelled=True) for kind in kinds]}
        return {}

    def _embedded(self, model: AnyModel, subject: str, *, labelled: bool = False) -> dict[str, Any]:
        if model in self.inside:
            self._report(
                subject,
                f"{model._meta.label} contains itself, which a schema cannot say; "
                f"what is below its first level is not checked.",
            )
            return {"bsonType": "object"}
        outside, self.inside = self.inside, (*self.inside, model)
        fields = embedded_fields_of(model)
        properties = {column_of(one): self.field(one, f"{subject}.{one.name}") for one in fields}
        required = [column_of(one) for one in fields if _is_required(one) and not one.primary_key]
        if labelled:
            properties[LABEL] = {"enum": [model._meta.label]}
            required.append(LABEL)
        found = self.object(subject, properties, required)
        self.inside = outside
        # Beside a null that is allowed, and "object" is said outside.
        return {key: value for key, value in found.items() if key != "bsonType"}

    def _report(self, subject: str, reason: str) -> None:
        self.problems.append(Problem(subject=subject, reason=reason))

    def _report_limits(self, field: AnyField, subject: str) -> None:
        if isinstance(field, models.ForeignKey) and field.get_limit_choices_to():
            self._report(
                subject,
                "limit_choices_to looks at another collection, which a validator cannot; "
                "Django alone enforces it.",
            )


def _types(names: tuple[str, ...], *, null: bool) -> dict[str, Any]:
    if not names:
        return {} if null else {"not": {"bsonType": "null"}}
    if null:
        names = (*names, "null")
    return {"bsonType": names[0] if len(names) == 1 else list(names)}


def _key_keywords(target: AnyField, pattern: str | None) -> dict[str, Any]:
    """Of a relation: the form of its target's key; what is in it the target has checked."""
    found: dict[str, Any] = {} if pattern is None else {"pattern": pattern}
    if isinstance(target, models.CharField) and target.max_length:
        found["maxLength"] = target.max_length
    return found


def _move_key(
    key: tuple[AnyField, ...],
    properties: dict[str, Any],
    required: list[str],
    *,
    closed: bool,
) -> None:
    """Put the primary key under ``_id``."""
    parts = {column_of(one): properties.pop(column_of(one)) for one in key}
    for column in parts:
        if column in required:
            required.remove(column)
    required.insert(0, ID)
    if len(key) == 1:
        properties[ID] = parts[column_of(key[0])]
        return
    found, _ = object_schema(parts, list(parts), closed=closed)
    properties[ID] = {"bsonType": "object", **found}


def _may_be_null(field: AnyField) -> bool:
    """An unsaved generated value is left out or null."""
    return field.null or getattr(field, "generated", False)


def _is_required(field: AnyField) -> bool:
    return not field.null and not getattr(field, "generated", False) and field.column != ID


def _is_encrypted(field: AnyField) -> bool:
    """Fields of the backend's queryable encryption, whose values the server cannot read."""
    return bool(getattr(field, "encrypted", False))
