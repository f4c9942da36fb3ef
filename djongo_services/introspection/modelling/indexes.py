"""Indexes as options of fields, ``Meta.indexes`` and ``Meta.constraints``, or as comments.

What the backend makes of a field's own ``db_index`` or ``unique`` is said there: the index then
has the name that the backend gives it, whatever its name in the database is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from bson import json_util

from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.modelling.declarations import Call, FieldDeclaration, Value
from djongo_services.introspection.modelling.naming import Namespace

NAME_LENGTH = 30
"""Django's limit (models.E034)."""
_OPTIONS_OF_EVERY_INDEX = frozenset({"v", "key", "name", "ns", "unique", "background"})
_LOOKUPS = {"$eq": "exact", "$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
"""Of partial filters: what the backend makes of these lookups is the same filter again."""

Option: TypeAlias = Literal["db_index", "unique"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Indexes:
    options: Mapping[str, Option]
    """By field name, what the field says of an index of its own."""
    indexes: tuple[Call, ...]
    constraints: tuple[Call, ...]
    remarks: tuple[str, ...]


def declare_indexes(
    collection: Collection,
    field_names: Mapping[str, str],
    names: Namespace,
    *,
    functions: Mapping[str, str] | None = None,
) -> Indexes:
    """The collection's indexes over the fields that the class has.

    ``field_names`` maps a top-level key to its field. ``names`` are the names given so far in the
    whole module: MongoDB's are unique in a collection, Django's in a project (models.E030, E032).
    ``functions`` maps a field to what makes it, such as ``models.CharField``; without it no field
    says an index.
    """
    options: dict[str, Option] = {}
    indexes: list[Call] = []
    constraints: list[Call] = []
    remarks: list[str] = []
    # A field that is unique has no second index of its own.
    for index in sorted(_declarable(collection), key=lambda index: not index.unique):
        reason = _obstacle(index, field_names)
        if reason is not None:
            remarks.append(f"Index {_definition(index)}: {reason}.")
            continue
        fields = _ordered(index, field_names)
        option = _option(index, (functions or {}).get(str(fields[0])))
        if option is not None and len(fields) == 1 and fields[0] not in options:
            options[str(fields[0])] = option
            continue
        name = _index_name(index.name, collection.name, names)
        if name != index.name:
            remarks.append(f"{name} is called {index.name} in the database.")
        if index.unique:
            constraints.append(_call("models.UniqueConstraint", _fields(index, field_names), name))
            continue
        call = _call("models.Index", fields, name)
        condition = _condition(index, field_names)
        indexes.append(call.having(condition=condition) if condition else call)
    return Indexes(
        options=options,
        indexes=tuple(indexes),
        constraints=tuple(constraints),
        remarks=tuple(remarks),
    )


def with_index(declaration: FieldDeclaration, option: Option | None) -> FieldDeclaration:
    """The field as it says whether it has an index; Django's own is one for each foreign key."""
    match declaration.call.function, option:
        case "models.ForeignKey", None:
            call = declaration.call.having(db_index=False)
        case ("models.ForeignKey" | "models.OneToOneField", _) | (_, None):
            return declaration
        case _, option:
            call = declaration.call.having(**{str(option): True})
    return replace(declaration, call=call)


def _declarable(collection: Collection) -> Iterator[Index]:
    return (index for index in collection.indexes if not index.is_id and not index.clustered)


def _option(index: Index, function: str | None) -> Option | None:
    """What a field made by ``function`` alone can say of the index; None if not all of it."""
    direction = index.keys[0][1]
    match function:
        case None:
            return None
        case "models.OneToOneField":
            return "unique" if index.unique else None
        case "models.ForeignKey" | "BSONField" if index.unique:
            return None  # Django wants a OneToOneField; a mixed field has no type to ignore null by
    if index.unique:
        return "unique" if _ignores_null_only(index) else None
    return None if index.partial_filter or direction != 1 else "db_index"


def _obstacle(index: Index, field_names: Mapping[str, str]) -> str | None:
    """Why Django cannot say the index; None if it can."""
    if index.build is not None:
        return "it is still being built"
    if index.type not in {"regular", "compound"}:
        return f"Django has no {index.type} index"
    options = set(index.definition) - _OPTIONS_OF_EVERY_INDEX
    if _ignores_null_only(index) or _condition(index, field_names) is not None:
        options.discard("partialFilterExpression")
    if options:
        return f"Django has no {' and '.join(sorted(options))} like this"
    outside = [key for key, _ in index.keys if key not in field_names]
    if outside:
        return f"this class has no field {', '.join(outside)}"
    if len({key for key, _ in index.keys}) < len(index.keys):
        return "a field occurs twice in it"
    return None


def _ignores_null_only(index: Index) -> bool:
    """Whether it is how the backend makes a unique constraint: partial, by type or ``$gte: ""``."""
    partial = index.partial_filter
    return (
        index.unique
        and partial is not None
        and set(partial) == {key for key, _ in index.keys}
        and all(
            isinstance(each, Mapping) and (set(each) == {"$type"} or dict(each) == {"$gte": ""})
            for each in partial.values()
        )
    )


def _condition(index: Index, field_names: Mapping[str, str]) -> Call | None:
    """The partial filter of an index that is not unique as a ``Q``; None if it has no such form."""
    if index.unique or not index.partial_filter:
        return None
    lookups: list[tuple[str, Value]] = []
    for key, condition in index.partial_filter.items():
        compared = condition if isinstance(condition, Mapping) else {"$eq": condition}
        for operator, value in compared.items():
            if key not in field_names or operator not in _LOOKUPS:
                return None
            if not isinstance(value, bool | int | str):
                return None
            lookups.append((f"{field_names[key]}__{_LOOKUPS[operator]}", value))
    return Call(function="models.Q", kwargs=tuple(lookups)) if lookups else None


def _definition(index: Index) -> str:
    shown = {key: value for key, value in index.definition.items() if key not in {"v", "ns"}}
    return json_util.dumps(shown, json_options=json_util.RELAXED_JSON_OPTIONS, ensure_ascii=False)


def _ordered(index: Index, field_names: Mapping[str, str]) -> list[Value]:
    return [
        f"-{field_names[key]}"
        if isinstance(direction, int | float) and direction < 0
        else field_names[key]
        for key, direction in index.keys
    ]


def _fields(index: Index, field_names: Mapping[str, str]) -> list[Value]:
    return [field_names[key] for key, _ in index.keys]


def _call(function: str, fields: list[Value], name: str) -> Call:
    return Call(function=function, kwargs=(("fields", fields), ("name", name)))


def _index_name(name: str, collection: str, names: Namespace) -> str:
    """The index's own name if Django takes it, else one made from it and the collection's."""
    if len(name) <= NAME_LENGTH and name.isprintable() and name[:1].isalpha() and name not in names:
        return names.claim(name)
    digest = hashlib.sha256(f"{collection}\0{name}".encode("utf-8", "replace")).hexdigest()[:8]
    letters = "".join(
        letter for letter in f"{collection}_{name}" if letter.isalnum() or letter == "_"
    )
    start = letters[: NAME_LENGTH - 9].strip("_")
    return names.claim(f"{start}_{digest}" if start[:1].isalpha() else f"i{start[1:]}_{digest}")
