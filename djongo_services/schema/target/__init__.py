"""What models require of their collections.

``specs_for(connection)`` returns one :class:`~djongo_services.schema.spec.CollectionSpec` for each
collection behind a connection: options from ``@collection_options``, a validator from the fields
and the CheckConstraints, indexes from fields and Meta. On django-mongodb-backend the indexes are
those that its own ``migrate`` would create, so that the two never differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import connections as databases
from django.db.models import CheckConstraint, Model, UniqueConstraint

from djongo_services.connections import Connection
from djongo_services.schema.constraints import check_queries, named_clause
from djongo_services.schema.mapping import model_schema
from djongo_services.schema.mapping.layout import column_of, fields_of
from djongo_services.schema.options import create_arguments, options_of, rules_of
from djongo_services.schema.spec import CollectionSpec, IndexSpec, Problem
from djongo_services.schema.target.declared import Declared, is_named
from djongo_services.schema.target.merging import SpecConflict, merge, named_twins, without_twins
from djongo_services.schema.target.models import (
    UnknownModel,
    check_labels,
    models_of,
    nothing_chosen,
    select_specs,
)
from djongo_services.schema.target.recorded import record_indexes

__all__ = [
    "SpecConflict",
    "UnknownModel",
    "check_labels",
    "collection_spec",
    "column_title",
    "model_validator",
    "models_of",
    "nothing_chosen",
    "select_specs",
    "specs_for",
]

MOST_INDEXES = 64
"""The maximum number of indexes in one collection, including ``_id_`` (MongoDB manual, "Limits and
Thresholds")."""


def specs_for(connection: Connection) -> tuple[CollectionSpec, ...]:
    """The specs of all collections behind the connection, ordered by name.

    Raises SpecConflict if models contradict each other, and ImproperlyConfigured.
    """
    check_labels()
    shared = connection.settings.database
    wrapper = None if shared is None else databases[shared]
    by_table: dict[str, list[type[Model]]] = {}
    for model in models_of(connection):
        by_table.setdefault(model._meta.db_table, []).append(model)
    return tuple(collection_spec(models, backend=wrapper) for _, models in sorted(by_table.items()))


def collection_spec(models: Sequence[type[Model]], *, backend: Any = None) -> CollectionSpec:
    """What models that share a collection require of it.

    ``backend`` is the connection of django-mongodb-backend that writes the documents; None if
    :func:`~djongo_services.schema.mapping.to_document` does. Raises SpecConflict.
    """
    ordered = sorted(models, key=lambda model: (model._meta.proxy, not model._meta.managed))
    spec = _without_named_twins(merge([_model_spec(model, backend) for model in ordered]))
    if len(spec.indexes) < MOST_INDEXES:
        return spec
    problem = Problem(
        subject=f"{spec.models[0]}: {len(spec.indexes)} indexes",
        reason=f"MongoDB allows {MOST_INDEXES - 1} in addition to the one on _id; remove some.",
    )
    return replace(spec, problems=(*spec.problems, problem))


def _without_named_twins(spec: CollectionSpec) -> CollectionSpec:
    twins = named_twins(spec.indexes)
    second = [twin for _, twin in twins]
    problems = [
        Problem(
            subject=f"{twin.declared_by.partition('.Meta.')[0]}: index {twin.name}",
            reason=f"It is not created: {first.name} is the same index; leave one of them out.",
        )
        for first, twin in twins
    ]
    return replace(
        spec,
        indexes=tuple(index for index in spec.indexes if index not in second),
        problems=(*spec.problems, *problems),
    )


def _model_spec(model: type[Model], backend: Any) -> CollectionSpec:
    label = model._meta.label
    if model._meta.proxy:
        # Everything that it requires is in its model.
        return CollectionSpec(name=model._meta.db_table, models=(label,))
    options = options_of(model)
    if options.view:
        return CollectionSpec(name=model._meta.db_table, models=(label,), view=True)
    validator, checks, problems = model_validator(model, backend)
    indexes, unsaid = _indexes(model, backend)
    return CollectionSpec(
        name=model._meta.db_table,
        models=(label,),
        options=create_arguments(model),
        validator=validator,
        rules=None if options.time_series is not None else rules_of(model),
        checks=checks,
        never_null=frozenset(
            column_of(field)
            for field in fields_of(model, backend=backend is not None)
            if not (field.null or field.primary_key)
        ),
        level=options.validation_level,
        action=options.validation_action,
        indexes=without_twins(indexes),
        problems=(*problems, *unsaid),
    )


def model_validator(
    model: type[Model], backend: Any
) -> tuple[Mapping[str, Any] | None, Mapping[str, Mapping[str, Any]], list[Problem]]:
    """``{"$jsonSchema": ...}``, combined with the checks in an ``$and`` if there are any.

    Also the checks by name, and what the validator cannot express. ``backend`` is as in
    :func:`collection_spec`. On the engine each column has a title, and each check its name.
    """
    options, rules = options_of(model), rules_of(model)
    if options.time_series is not None or rules == "off":
        return None, {}, []
    title = column_title(backend)
    written = backend is not None
    described = model_schema(
        model, backend=written, closed=options.closed, rules=rules, title=title
    )
    checks, problems = check_queries(model, backend=written)
    if title is not None:
        checks = {name: named_clause(name, query) for name, query in checks.items()}
    schema = {"$jsonSchema": described.schema}
    validator = {"$and": [schema, *checks.values()]} if checks else schema
    return validator, checks, [*described.problems, *problems, *_embedded_checks(model)]


def column_title(backend: Any) -> Callable[[Any], str] | None:
    """How the engine's schema editor names a field in a validator; None on the stock backend, whose
    editor writes no validators."""
    found: Callable[[Any], str] | None = None
    if backend is not None:
        found = getattr(backend.SchemaEditorClass, "column_title", None)
    return found


def _embedded_checks(model: type[Model]) -> list[Problem]:
    return [
        Problem(
            subject=f"{inner._meta.label}: constraint {constraint.name}",
            reason=f"The server does not check it, for it is an embedded model's; declare it in "
            f"{model._meta.label}, with the path to the field in its condition.",
        )
        for inner in _embedded(model)
        for constraint in inner._meta.constraints
        if isinstance(constraint, CheckConstraint)
    ]


def _indexes(model: type[Model], backend: Any) -> tuple[Sequence[IndexSpec], Sequence[Problem]]:
    if backend is None or not model._meta.managed:
        declared = Declared(model, backend=backend is not None)
        return declared.indexes(), declared.problems
    documents, refused = record_indexes(model, backend)
    indexes = [_recorded(model, document) for document in documents]
    more, problems = _unrecorded(model, {index.name for index in indexes}, refused)
    return [*indexes, *more], [*refused, *problems]


def _unrecorded(
    model: type[Model], names: set[str], refused: Sequence[Problem]
) -> tuple[list[IndexSpec], list[Problem]]:
    """What the backend silently ignores: created here if MongoDB can, otherwise reported."""
    declared = Declared(model, backend=True)
    found: list[IndexSpec] = []
    said = {problem.subject for problem in refused}
    for constraint in model._meta.constraints:
        known = constraint.name in names or f"{model._meta.label}: {constraint.name}" in said
        if isinstance(constraint, UniqueConstraint) and not known:
            found += declared.constraint(constraint)
    for index in model._meta.indexes:
        if index.contains_expressions:
            found += declared.index(index)
    return found, declared.problems


def _recorded(model: type[Model], document: Mapping[str, Any]) -> IndexSpec:
    name = str(document["name"])
    options = {key: _plain(value) for key, value in document.items() if key not in ("name", "key")}
    keys = tuple(document["key"].items())
    named, declared_by = _origin(model, name, keys)
    return IndexSpec(name=name, keys=keys, options=options, named=named, declared_by=declared_by)


def _origin(model: type[Model], name: str, keys: tuple[tuple[str, Any], ...]) -> tuple[bool, str]:
    """Whether the model chose the name, and what declares the index."""
    meta: Any = model._meta
    for index in meta.indexes:
        if index.name == name:
            return is_named(model, index), f"{meta.label}.Meta.indexes"
    if any(constraint.name == name for constraint in meta.constraints):
        return True, f"{meta.label}.Meta.constraints"
    columns = {field.column: field.name for field in meta.local_concrete_fields}
    path = keys[0][0]
    if len(keys) == 1 and path in columns:
        return False, f"{meta.label}.{columns[path]}"
    if "." in path:
        chosen = any(name in _names(one) for one in _embedded(model))
        return chosen, f"{meta.label}.{columns.get(path.split('.')[0], path)}"
    return False, f"{meta.label}.Meta.unique_together"


def _names(model: type[Model]) -> set[str]:
    return {str(each.name) for each in (*model._meta.indexes, *model._meta.constraints)}


def _embedded(model: type[Model]) -> list[type[Model]]:
    """All models embedded in it, at any depth."""
    found = [model]
    for each in found:
        inner = [getattr(field, "embedded_model", None) for field in each._meta.fields]
        found += [one for one in dict.fromkeys(inner) if one is not None and one not in found]
    return found[1:]


def _plain(value: Any) -> Any:
    """The backend's default dicts as plain dicts."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
