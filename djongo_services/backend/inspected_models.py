"""The models of a database, as a module: what ``inspectdb`` prints for this engine.

Collections that the engine created are shown as they were declared, without reading their
documents. For others, it is the output of ``inspectmongo --format models``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bson import json_util
from pymongo.database import Database

from djongo_services.abilities import Abilities
from djongo_services.backend.constraints import named_clauses
from djongo_services.backend.declared import (
    DeclaredColumn,
    choices_of,
    declared_columns,
    max_length,
)
from djongo_services.backend.description import schema_types
from djongo_services.backend.titles import Title, parse
from djongo_services.introspection import inspect_database, read_catalog
from djongo_services.introspection.catalog import Collection
from djongo_services.introspection.modelling import DeclaredCollection, render_models
from djongo_services.introspection.modelling.declarations import Call, Value
from djongo_services.introspection.modelling.source import FUNCTIONS
from djongo_services.introspection.modelling.stated import StatedField
from djongo_services.introspection.path import ELEMENT, Path
from djongo_services.introspection.report import (
    CollectionReport,
    Coverage,
    Field,
    Profile,
    Reference,
    Report,
    TypeCount,
)

_RELATIONS = frozenset({"ForeignKey", "OneToOneField"})
_LENGTHS: Mapping[str, int | None] = {
    "CharField": None,
    "FileField": 100,
    "FilePathField": 100,
    "SlugField": 50,
}
"""Default ``max_length`` by field class."""


def models_module(
    database: Database[Any], names: Sequence[str], *, abilities: Abilities | None = None
) -> str:
    """Python source with a model for each of these collections and views.

    Raises PyMongo's errors, and those of :func:`inspect_database`.
    """
    catalog = read_catalog(
        database,
        names=names,
        statistics=False,
        usage=False,
        multikey=False,
        abilities=abilities,
    )
    ours = {
        one.name: (one, columns)
        for one in catalog.collections
        if (columns := declared_columns(one)) is not None
    }
    reports = [_report(collection, columns) for collection, columns in ours.values()]
    others = [one.name for one in catalog.collections if one.name not in ours]
    stopped = None
    if others:
        inspected = inspect_database(database, collections=others)
        reports += inspected.collections
        stopped = inspected.stopped
    report = Report(
        server=catalog.server,
        database=catalog.database,
        collections=tuple(sorted(reports, key=lambda one: one.collection.name)),
        stopped=stopped,
    )
    declared = {
        name: _declared(collection, columns) for name, (collection, columns) in ours.items()
    }
    return render_models(report, style="backend", declared=declared, generator="inspectdb")


def _report(collection: Collection, columns: Mapping[str, DeclaredColumn]) -> CollectionReport:
    """A report with the validator's information instead of what documents contain."""
    fields = tuple(
        _field((name,), column.schema, null=column.null and name != "_id")
        for name, column in columns.items()
    )
    references = tuple(
        Reference(
            path=(name,),
            target=target.collection,
            target_path=target.column,
            unique=column.title.kind == "OneToOneField",
            checked=1,
            found=1,
            complete=True,
        )
        for name, column in columns.items()
        if (target := column.title.target) is not None
    )
    coverage = Coverage(requested="exact", reached="exact", documents=0, examined=0)
    profile = Profile(collection=collection.name, fields=fields, coverage=coverage)
    return CollectionReport(collection=collection, profile=profile, references=references)


def _field(path: Path, schema: Mapping[str, Any], *, null: bool) -> Field:
    types = [name for name in schema_types(schema) if name != "null"]
    if parse(schema.get("title")) and "long" in types:
        types = ["long"]  # Also of an integer key; expressions write other numbers.
    types += ["null"] * null
    return StatedField(
        path=path,
        parents=len(types),
        types={name: TypeCount(count=1, probability=1.0) for name in types},
        children=tuple(_children(path, schema)),
        may_be_empty=False,  # A table does not show whether forms may leave a field blank.
        takes_null=True,
    )


def _children(path: Path, schema: Mapping[str, Any]) -> Iterator[Field]:
    for name, inner in schema.get("properties", {}).items():
        yield _field((*path, name), inner, null="null" in schema_types(inner))
    if isinstance(items := schema.get("items"), Mapping):
        yield _field((*path, ELEMENT), items, null=False)


def _declared(collection: Collection, columns: Mapping[str, DeclaredColumn]) -> DeclaredCollection:
    calls = [
        call
        for name, column in columns.items()
        for call in _calls((name,), column.title, column.schema)
    ]
    keys = [name for name, column in columns.items() if column.title.primary_key]
    return DeclaredCollection(
        fields=dict(calls),
        classes=dict(
            named
            for name, column in columns.items()
            for named in _classes((name,), column.title, column.schema)
        ),
        key=keys[0] if keys else "_id",
        remarks=tuple(_checks(collection)),
    )


def _calls(
    path: Path, title: Title | None, schema: Mapping[str, Any]
) -> Iterator[tuple[Path, Call]]:
    """The call for the field itself, or those for the fields of its embedded documents."""
    if title is not None and (call := _call(title, schema)):
        yield path, call
        return
    for name, inner in schema.get("properties", {}).items():
        yield from _calls((*path, name), parse(inner.get("title")), inner)
    if isinstance(items := schema.get("items"), Mapping):
        yield from _calls((*path, ELEMENT), None, items)


def _classes(
    path: Path, title: Title | None, schema: Mapping[str, Any]
) -> Iterator[tuple[Path, str]]:
    """The names of embedded models; those of arrays are at their items."""
    if title is not None and len(title.models) == 1:
        step = (ELEMENT,) if "items" in schema else ()
        yield (*path, *step), title.models[0].rpartition(".")[2]
    for name, inner in schema.get("properties", {}).items():
        yield from _classes((*path, name), parse(inner.get("title")), inner)
    if isinstance(items := schema.get("items"), Mapping):
        yield from _classes((*path, ELEMENT), parse(items.get("title")), items)


def _call(title: Title, schema: Mapping[str, Any]) -> Call | None:
    """None for fields that are chosen by their types: relations, embedded models, and fields of
    other packages with their own storage form."""
    kind = title.kind
    if kind == "ArrayField":
        item = title.item and _call(title.item, schema.get("items", {}))
        return Call(function=kind, args=(item or Call(function="BSONField"),))
    if kind in ("BSONField", "ObjectIdField", "ObjectIdAutoField"):
        return Call(function=kind)
    if kind in _RELATIONS or f"models.{kind}" not in FUNCTIONS:
        return None
    options = dict(_options(title, schema))
    if kind == "CharField" and "max_length" not in options:
        kind = "TextField"  # Django's own field needs one (fields.E120).
    return Call(function=f"models.{kind}", kwargs=tuple(options.items()))


def _options(title: Title, schema: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    choices, length = choices_of(schema), max_length(schema)
    if title.kind in _LENGTHS and length is not None and length != _LENGTHS[title.kind]:
        yield "max_length", length
    if title.digits is not None:
        yield from zip(("max_digits", "decimal_places"), title.digits, strict=True)
    if choices:
        yield "choices", [(choice, str(choice)) for choice in choices]


def _checks(collection: Collection) -> Iterator[str]:
    if collection.validator is None:
        return
    _, clauses = named_clauses(collection.validator.query)
    for name, clause in clauses.items():
        text = json_util.dumps(clause, json_options=json_util.RELAXED_JSON_OPTIONS)
        yield f"Check constraint {name}: {text}"
