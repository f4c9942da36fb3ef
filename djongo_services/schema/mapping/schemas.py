"""``$jsonSchema`` of fields and of whole models."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from django.db import models

from djongo_services.schema.mapping.columns import column_keywords
from djongo_services.schema.mapping.layout import (
    ID,
    AnyModel,
    column_of,
    column_on_backend,
    embedded_fields_of,
    fields_of,
    key_of,
)
from djongo_services.schema.mapping.rules import Rules, combined
from djongo_services.schema.mapping.sampling import (
    CONVERSIONS,
    converted_types,
    one_kind,
    replaces,
    sampled_types,
)
from djongo_services.schema.mapping.table import (
    ANYTHING,
    AnyField,
    FieldMapping,
    Stored,
    is_implicit_key,
    is_numbered_key,
    keyed_by,
    mapping_of,
    object_id_mapping,
    writes,
)
from djongo_services.schema.spec import Problem
from djongo_services.setting_values import RuleSet

LABEL = "_label"
"""The key with the model of a polymorphic embedded document."""
Title: TypeAlias = Callable[[AnyField], str]
"""Returns how a field was declared, for the ``title`` of its property."""
SAFE_CONTENT = "__safeContent__"
"""What the server adds to documents with encrypted fields that can be queried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSchema:
    schema: Mapping[str, Any]
    """The value of ``$jsonSchema``."""
    problems: tuple[Problem, ...]
    """What the model requires but the schema cannot express."""


def model_schema(
    model: AnyModel,
    *,
    backend: bool,
    closed: bool = False,
    rules: RuleSet = "database",
    title: Title | None = None,
) -> ModelSchema:
    """The schema of the model's documents, ``backend`` as django-mongodb-backend writes them and
    otherwise as :func:`~djongo_services.schema.mapping.to_document` does.

    A field that may be null may be missing. ``rules`` is ``"database"`` for what a SQL database
    would refuse, ``"model"`` for what ``full_clean()`` would as well. ``closed`` refuses names that
    the model does not have, in embedded documents too. ``title`` gives each property a title, which
    the server ignores. A proxy has the schema of its model. Raises ValueError for an abstract model
    and, if choices are stored by a backend that is not configured, ImproperlyConfigured.
    """
    if model._meta.abstract:
        raise ValueError(f"{model._meta.label} is abstract and has no collection.")
    writer = _SchemaWriter(backend=backend, closed=closed, rules=rules, title=title)
    schema = writer.model(model)
    return ModelSchema(schema=schema, problems=tuple(dict.fromkeys(writer.problems)))


def field_schema(
    field: AnyField,
    *,
    backend: bool,
    closed: bool = False,
    rules: RuleSet = "database",
    title: Title | None = None,
) -> dict[str, Any]:
    """The schema of one field's values, including null if that is allowed; ``{}`` for anything."""
    writer = _SchemaWriter(backend=backend, closed=closed, rules=rules, title=title)
    return writer.property(field, str(field.name))


def is_required(field: AnyField, *, backend: bool) -> bool:
    """Whether a document must have the field. SQL fills in a ``db_default``; so does
    ``from_document``."""
    left_out = getattr(field, "generated", False) or field.has_db_default()
    column = column_on_backend(field) if backend else field.column
    return not field.null and not left_out and column != ID


@dataclass(kw_only=True, slots=True)
class _SchemaWriter:
    backend: bool
    closed: bool
    rules: RuleSet
    title: Title | None = None
    problems: list[Problem] = field(default_factory=list)
    inside: tuple[AnyModel, ...] = ()
    """Embedded models whose schemas are being built, the outermost first."""

    def model(self, model: AnyModel) -> dict[str, Any]:
        label = model._meta.label
        fields = fields_of(model, backend=self.backend)
        column = column_on_backend if self.backend else column_of
        properties = {column(one): self.property(one, f"{label}.{one.name}") for one in fields}
        required = [column(one) for one in fields if is_required(one, backend=self.backend)]
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

    def property(self, field: AnyField, subject: str) -> dict[str, Any]:
        found = self.field(field, subject)
        return found if self.title is None else {**found, "title": self.title(field)}

    def field(self, field: AnyField, subject: str, *, item: bool = False) -> dict[str, Any]:
        if _is_encrypted(field):
            return {}
        source = keyed_by(field)
        if not self.backend and field.primary_key and is_implicit_key(source):
            return {}
        row = self._row(source, subject)
        rules = Rules(field=source, row=row, backend=self.backend, rules=self.rules)
        stored = row.stored(backend=self.backend)
        found = (
            {**_key_keywords(source, stored.pattern)}
            if source is not field
            else {**rules.keywords()}
        )
        if source is not field and self.rules == "model":
            self._report_limits(field, subject)
        self.problems += [Problem(subject=subject, reason=reason) for reason in rules.reasons]
        # PostgreSQL's arrays accept nulls whatever their items are.
        null = _may_be_null(field) or (item and self.rules == "database")
        parts = [_types(stored.types, null=null), self._structure(source, subject)]
        return combined([*parts, found])

    def _row(self, field: AnyField, subject: str) -> FieldMapping:
        """The field's row of the table, or one derived from its own code."""
        row = self._known_row(field)
        if row is None:
            types = sampled_types(field, backend=self.backend)
            known = one_kind(types)
            said = (
                f"it writes {_any_of(types)}, so only that passes" if known else "any value passes"
            )
            self._report(
                subject,
                f"the type of {type(field).__name__} is not known; {said}. "
                f"Use register_field to state its type.",
            )
            return _stored_as(ANYTHING, writes(*types)) if known else ANYTHING
        stored = row.stored(backend=self.backend)
        if not stored.types or not replaces(field, CONVERSIONS):
            return row
        own = converted_types(field, backend=self.backend)
        return _stored_as(row, Stored(writes=stored.writes, accepts=stored.accepts | own))

    def _known_row(self, field: AnyField) -> FieldMapping | None:
        numbered = self.backend and is_numbered_key(field)
        return object_id_mapping() if numbered else mapping_of(field)

    def _structure(self, field: Any, subject: str) -> dict[str, Any]:
        """The schemas of arrays and embedded documents."""
        if (base := getattr(field, "base_field", None)) is not None:
            return {"items": self.field(base, f"{subject}[]", item=True)}
        if (model := getattr(field, "embedded_model", None)) is not None:
            return self._embedded(model, subject)
        if (kinds := getattr(field, "embedded_models", None)) is not None:
            return {"anyOf": [self._embedded(kind, subject, labelled=True) for kind in kinds]}
        return {}

    def _embedded(self, model: AnyModel, subject: str, *, labelled: bool = False) -> dict[str, Any]:
        if model in self.inside:
            self._report(
                subject,
                f"{model._meta.label} contains itself, which a schema cannot express; "
                f"only its first level is checked.",
            )
            return {"bsonType": "object"}
        outside, self.inside = self.inside, (*self.inside, model)
        fields = embedded_fields_of(model)
        properties = {column_of(one): self.property(one, f"{subject}.{one.name}") for one in fields}
        required = [
            column_of(one)
            for one in fields
            if is_required(one, backend=self.backend) and not one.primary_key
        ]
        if labelled:
            properties[LABEL] = {"enum": [model._meta.label]}
            required.append(LABEL)
        found = self.object(subject, properties, required)
        self.inside = outside
        # Null is allowed beside it, and "object" is part of the outer schema.
        return {key: value for key, value in found.items() if key != "bsonType"}

    def _report(self, subject: str, reason: str) -> None:
        self.problems.append(Problem(subject=subject, reason=reason))

    def _report_limits(self, field: AnyField, subject: str) -> None:
        if isinstance(field, models.ForeignKey) and field.get_limit_choices_to():
            self._report(
                subject,
                "limit_choices_to looks at another collection, which a validator cannot; "
                "only Django enforces it.",
            )


def _stored_as(row: FieldMapping, stored: Stored) -> FieldMapping:
    return replace(row, backend=stored, plain=stored)


def _any_of(types: Iterable[str]) -> str:
    return " and ".join(sorted(types))


def _types(names: tuple[str, ...], *, null: bool) -> dict[str, Any]:
    if not names:
        return {} if null else {"not": {"bsonType": "null"}}
    if null:
        names = (*names, "null")
    return {"bsonType": names[0] if len(names) == 1 else list(names)}


def _key_keywords(target: AnyField, pattern: str | None) -> dict[str, Any]:
    """A relation has the form of its target's key; the target has checked the key's content."""
    own = [] if pattern is None else [{"pattern": pattern}]
    return combined([*own, *column_keywords(target)])


def _move_key(
    key: tuple[AnyField, ...],
    properties: dict[str, Any],
    required: list[str],
    *,
    closed: bool,
) -> None:
    """Store the primary key under ``_id``."""
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
    """An unsaved generated value is missing or null."""
    return field.null or getattr(field, "generated", False)


def _is_encrypted(field: AnyField) -> bool:
    """Whether it is a field of the backend's queryable encryption, whose values the server cannot
    read."""
    return bool(getattr(field, "encrypted", False))


# Names of fields in a schema, where a dot separates a path.
def object_schema(
    properties: dict[str, Any], required: list[str], *, closed: bool
) -> tuple[dict[str, Any], list[str]]:
    """``properties``, ``required`` and ``additionalProperties``, and why some name is missing.

    A name with a dot or a leading dollar becomes a pattern for exactly this name. It cannot be
    required.
    """
    literal = [name for name in properties if "." in name or name.startswith("$")]
    found: dict[str, Any] = {}
    names = [name for name in dict.fromkeys(required) if name not in literal]
    if names:
        found["required"] = names
    found["properties"] = {
        name: schema for name, schema in properties.items() if name not in literal
    }
    if literal:
        found["patternProperties"] = {literal_pattern(name): properties[name] for name in literal}
    if closed:
        found["additionalProperties"] = False
    reasons = [
        f"a schema cannot require {name!r}, because the server treats such a name as a path; "
        f"only Django enforces it."
        for name in required
        if name in literal
    ]
    return found, reasons


def literal_pattern(name: str) -> str:
    """The pattern for exactly this name."""
    escaped = "".join(one if one.isalnum() else re.escape(one) for one in name)
    return rf"\A{escaped}\z"
