"""The declarations of a collection's indexes and of its options.

Indexes become options of fields, entries of ``Meta.indexes`` and ``Meta.constraints``, or comments.
If a field's own ``db_index`` or ``unique`` expresses an index, that gets a generated name, whatever
its name in the database is. So does an index of ``Meta.indexes`` without a name, which is used for
indexes whose name Django does not accept. Everything else is for ``@collection_options``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from bson import json_util

from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.collations import stated_collation
from djongo_services.introspection.modelling.declarations import (
    Call,
    Dictionary,
    FieldDeclaration,
    Value,
)
from djongo_services.introspection.modelling.index_classes import Inexpressible, index_class
from djongo_services.introspection.modelling.index_fields import IndexFields
from djongo_services.introspection.modelling.naming import Namespace
from djongo_services.introspection.report import Field, TypeCount

NAME_LENGTH = 30
"""Django's limit for its own indexes (models.E034)."""
LONGEST_NAME = 127
"""The limit of the classes of ``djongo_services.indexes``."""

_GENERATED_NAME = re.compile(r"_[0-9a-f]{8}(?:_uniq)?$")

Option: TypeAlias = Literal["db_index", "unique"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Indexes:
    options: Mapping[str, Option] = field(default_factory=dict)
    """By field name, the field's own option for an index."""
    indexes: tuple[Call, ...] = ()
    constraints: tuple[Call, ...] = ()
    remarks: tuple[str, ...] = ()


def declare_indexes(
    collection: Collection,
    fields: IndexFields,
    names: Namespace,
    *,
    keep_names: bool = False,
    in_meta: bool = False,
) -> Indexes:
    """Every index that a field or a class of ``djongo_services.indexes`` expresses exactly.

    ``names`` are the names used so far in the whole module: MongoDB's are unique in a collection,
    Django's in a project (models.E030, E032). ``keep_names``: whether a field expresses an index
    only if the index's name is of the kind that the backend gives such an index. ``in_meta``: never
    express it by a field.
    """
    return _Declaring(collection, fields, names, keep_names, in_meta).result()


def with_index(declaration: FieldDeclaration, option: Option | None) -> FieldDeclaration:
    """The field with db_index set explicitly; Django's default is an index for each foreign key."""
    match declaration.call.function, option:
        case "models.ForeignKey", None:
            call = declaration.call.having(db_index=False)
        case ("models.ForeignKey" | "models.OneToOneField", _) | (_, None):
            return declaration
        case _, option:
            call = declaration.call.having(**{str(option): True})
    return replace(declaration, call=call)


def refuses_second_null(collection: Collection, key: str) -> bool:
    """Whether an index on the key alone is unique in a way that no field expresses: including
    nulls."""
    unique = [
        index
        for index in _declarable(collection)
        if index.unique and [path for path, _ in index.keys] == [key]
    ]
    return bool(unique) and not any(index.partial_filter for index in unique)


def identifies(collection: Collection, key: str) -> bool:
    """Whether an index makes the values of the key unique by their bytes, as ``unique=True``
    does."""
    plain = {"unique", "key", "name", "v", "ns", "background"}
    return not collection.options.get("collation") and any(
        index.unique
        and index.build is None
        and index.keys in (((key, 1),), ((key, 1.0),))
        and {name for name, value in index.definition.items() if value} <= plain
        for index in _declarable(collection)
    )


class _Declaring:
    def __init__(
        self,
        collection: Collection,
        fields: IndexFields,
        names: Namespace,
        keep_names: bool,
        in_meta: bool,
    ) -> None:
        self.keep_names = keep_names
        self.in_meta = in_meta
        self.collection = collection
        self.fields = fields
        self.names = names
        self.options: dict[str, Option] = {}
        self.indexes: list[Call] = []
        self.constraints: list[Call] = []
        self.remarks: list[str] = []
        self.unnamed: list[tuple[Value, ...]] = []

    def result(self) -> Indexes:
        # A unique field has no second index of its own.
        for index in sorted(_declarable(self.collection), key=lambda index: not index.unique):
            try:
                self._declare(index)
            except Inexpressible as error:
                self.remarks.append(f"Index {_definition(index)}: {error}.")
        return Indexes(
            options=self.options,
            indexes=tuple(self.indexes),
            constraints=tuple(self.constraints),
            remarks=tuple(self.remarks),
        )

    def _declare(self, index: Index) -> None:
        if index.build is not None:
            raise Inexpressible("it is still being built")
        inherited = self.collection.options.get("collation")
        call = index_class(index, self.fields, inherited=inherited)
        option = self._option(index, call)
        if option is not None:
            self.options[self.fields.fields[index.keys[0][0]].name] = option
            return
        call = self._named(index, call)
        is_constraint = call.function == "models.UniqueConstraint"
        (self.constraints if is_constraint else self.indexes).append(call)

    def _option(self, index: Index, call: Call) -> Option | None:
        """The field's option that expresses the index; None if it does not express all of it."""
        arguments = dict(call.kwargs)
        if (
            self.in_meta
            or set(arguments) != {"fields"}
            or len(index.keys) > 1
            or "." in index.keys[0][0]
        ):
            return None
        declaration = self.fields.fields[index.keys[0][0]]
        if declaration.name in self.options or declaration.name == "id":
            return None
        if self.keep_names and not _GENERATED_NAME.search(index.name):
            return None
        match call.function, declaration.call.function:
            case "models.UniqueConstraint", ("models.ForeignKey" | "BSONField"):
                return None  # Django wants a OneToOneField; a mixed field has no type of its own
            case "models.UniqueConstraint", _:
                return "unique"
            case "models.Index", "models.OneToOneField":
                return None
            case "models.Index", _ if index.keys[0][1] == 1:
                return "db_index"
        return None

    def _named(self, index: Index, call: Call) -> Call:
        """The call with the name of the index if Django accepts it, otherwise the class that needs
        none."""
        name = index.name
        if len(name) <= LONGEST_NAME and _is_name(name) and name not in self.names:
            if call.function == "models.Index" and len(name) > NAME_LENGTH:
                call = Call(function="MongoIndex", kwargs=call.kwargs)
            self.names.claim(name)
            return _with_name(call, name)
        return self._unnamed(index, call)

    def _unnamed(self, index: Index, call: Call) -> Call:
        if call.function == "models.UniqueConstraint":
            call = Call(function="UniqueIndex", kwargs=call.kwargs)
        arguments = dict(call.kwargs)
        if "condition" in arguments:
            raise Inexpressible("Django does not accept its name, and a condition needs one")
        # Django derives the name from the fields and the class.
        made_of = (call.function, *_listed(arguments.get("fields")))
        if made_of in self.unnamed:
            raise Inexpressible("Django does not accept its name, and another has these fields")
        self.unnamed.append(made_of)
        self.remarks.append(f"The {_described(call)} is called {index.name} in the database.")
        return call


def _declarable(collection: Collection) -> Iterator[Index]:
    return (index for index in collection.indexes if not index.is_id and not index.clustered)


def _is_name(name: str) -> bool:
    """Whether Django accepts it (models.E033) unchanged (it fills in ``%(class)s``), and it is
    printable."""
    starts = name[:1] != "_" and not name[:1].isdigit()
    return bool(name) and starts and name.isprintable() and "%" not in name


def _with_name(call: Call, name: str) -> Call:
    """The call with a name after the fields, as people write it."""
    before = [item for item in call.kwargs if item[0] == "fields"]
    behind = [item for item in call.kwargs if item[0] != "fields"]
    return Call(function=call.function, kwargs=(*before, ("name", name), *behind))


def _listed(fields: Value) -> list[Value]:
    return list(fields) if isinstance(fields, list) else []


def _described(call: Call) -> str:
    fields = ", ".join(str(name) for name in _listed(dict(call.kwargs).get("fields")))
    return f"{call.function.removeprefix('models.')} of {fields or 'everything'}"


def _definition(index: Index) -> str:
    shown = {key: value for key, value in index.definition.items() if key not in {"v", "ns"}}
    return json_util.dumps(shown, json_options=json_util.RELAXED_JSON_OPTIONS, ensure_ascii=False)


# The options of a collection, as the arguments of ``@collection_options``.
GRANULARITIES = ("seconds", "minutes", "hours")
_LONGEST = 2**31 - 1


def collection_options(collection: Collection, fields: IndexFields) -> Iterator[Call]:
    """The decorator, if the collection has special options."""
    arguments = dict(_arguments(collection, fields))
    if arguments:
        yield Call(function="collection_options", kwargs=tuple(arguments.items()))


def with_time(collection: Collection, fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The fields with the date of a time-series collection, also if it has no documents."""
    name = collection.options.get("timeseries", {}).get("timeField")
    if not name or any(found.path == (name,) for found in fields):
        return fields
    dates = {"date": TypeCount(count=0, probability=0.0)}
    return (*fields, Field(path=(name,), parents=0, types=dates))


def _arguments(collection: Collection, fields: IndexFields) -> Iterator[tuple[str, Value]]:
    options = collection.options
    if collection.type == "view":
        yield "view", True
        return
    if collection.capped:
        yield "capped", True
        yield from ((name, int(options[name])) for name in ("size", "max") if options.get(name))
    if (series := options.get("timeseries")) is not None:
        if (said := _time_series(series, fields)) is None:
            return
        yield "time_series", said
    if collection.clustered:
        yield "clustered", True
    seconds = options.get("expireAfterSeconds")
    if seconds is not None and 0 < seconds <= _LONGEST and int(seconds) == seconds:
        yield "expire_after", int(seconds)
    if collation := options.get("collation"):
        yield "collation", Dictionary(items=tuple(stated_collation(collation).items()))


def _time_series(series: Mapping[str, Any], fields: IndexFields) -> Call | None:
    time = fields.fields.get(series["timeField"])
    if time is None:
        return None
    call = Call(function="TimeSeries", kwargs=(("time_field", time.name),))
    meta = fields.fields.get(series.get("metaField", ""))
    if meta is not None:
        call = call.having(meta_field=meta.name)
    if series.get("granularity") in GRANULARITIES:
        call = call.having(granularity=series["granularity"])
    return call
