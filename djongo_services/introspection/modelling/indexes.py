"""Indexes as options of fields, ``Meta.indexes`` and ``Meta.constraints``, or as comments.

What the backend makes of a field's own ``db_index`` or ``unique`` is said there: the index then
has the name that the backend gives it, whatever its name in the database is. So has an index of
``Meta.indexes`` without a name, which is how indexes are said whose name Django does not take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from bson import json_util

from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.modelling.declarations import Call, FieldDeclaration, Value
from djongo_services.introspection.modelling.index_classes import Inexpressible, index_class
from djongo_services.introspection.modelling.index_conditions import condition
from djongo_services.introspection.modelling.index_fields import IndexFields
from djongo_services.introspection.modelling.naming import Namespace

NAME_LENGTH = 30
"""Django's limit for its own indexes (models.E034)."""
LONGEST_NAME = 127
"""That of the classes of ``djongo_services.indexes``."""
_OPTIONS_OF_EVERY_INDEX = frozenset({"v", "key", "name", "ns", "unique", "background"})

Option: TypeAlias = Literal["db_index", "unique"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Indexes:
    options: Mapping[str, Option] = field(default_factory=dict)
    """By field name, what the field says of an index of its own."""
    indexes: tuple[Call, ...] = ()
    constraints: tuple[Call, ...] = ()
    remarks: tuple[str, ...] = ()


def declare_indexes(collection: Collection, fields: IndexFields, names: Namespace) -> Indexes:
    """Every index that a field or a class of ``djongo_services.indexes`` says exactly.

    ``names`` are the names given so far in the whole module: MongoDB's are unique in a collection,
    Django's in a project (models.E030, E032).
    """
    return _Declaring(collection, fields, names).result()


def declare_plain_indexes(collection: Collection, fields: IndexFields, names: Namespace) -> Indexes:
    """The indexes that Django's own classes come near to."""
    field_names = {key: found.name for key, found in fields.fields.items()}
    indexes: list[Call] = []
    constraints: list[Call] = []
    remarks: list[str] = []
    for index in _declarable(collection):
        filter_ = None if index.unique else condition(index.partial_filter or {}, fields)
        reason = _obstacle(index, field_names, conditioned=filter_ is not None)
        if reason is not None:
            remarks.append(f"Index {_definition(index)}: {reason}.")
            continue
        name = _index_name(index.name, collection.name, names)
        if name != index.name:
            remarks.append(f"{name} is called {index.name} in the database.")
        if index.unique:
            unordered: list[Value] = [field_names[key] for key, _ in index.keys]
            constraints.append(_call("models.UniqueConstraint", unordered, name))
        else:
            call = _call("models.Index", _ordered(index, field_names), name)
            indexes.append(call.having(condition=filter_) if filter_ else call)
    return Indexes(indexes=tuple(indexes), constraints=tuple(constraints), remarks=tuple(remarks))


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


def refuses_second_null(collection: Collection, key: str) -> bool:
    """Whether an index on the key alone is unique as no field's own is: nulls included."""
    unique = [
        index
        for index in _declarable(collection)
        if index.unique and [path for path, _ in index.keys] == [key]
    ]
    return bool(unique) and not any(index.partial_filter for index in unique)


class _Declaring:
    def __init__(self, collection: Collection, fields: IndexFields, names: Namespace) -> None:
        self.collection = collection
        self.fields = fields
        self.names = names
        self.options: dict[str, Option] = {}
        self.indexes: list[Call] = []
        self.constraints: list[Call] = []
        self.remarks: list[str] = []
        self.unnamed: list[tuple[Value, ...]] = []

    def result(self) -> Indexes:
        # A field that is unique has no second index of its own.
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
        """What the field alone can say of the index; None if not all of it."""
        arguments = dict(call.kwargs)
        if set(arguments) != {"fields"} or len(index.keys) > 1 or "." in index.keys[0][0]:
            return None
        declaration = self.fields.fields[index.keys[0][0]]
        if declaration.name in self.options or declaration.name == "id":
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
        """With the name of the index where Django takes it, else the class that needs none."""
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
            raise Inexpressible("Django takes its name for no index, and a condition needs one")
        # Django makes the name of the fields and the class.
        made_of = (call.function, *_listed(arguments.get("fields")))
        if made_of in self.unnamed:
            raise Inexpressible("Django takes its name for no index, and another has these fields")
        self.unnamed.append(made_of)
        self.remarks.append(f"The {_described(call)} is called {index.name} in the database.")
        return call


def _declarable(collection: Collection) -> Iterator[Index]:
    return (index for index in collection.indexes if not index.is_id and not index.clustered)


def _is_name(name: str) -> bool:
    """Whether Django takes it (models.E033), as it is (it fills in ``%(class)s``), and it shows."""
    starts = name[:1] != "_" and not name[:1].isdigit()
    return bool(name) and starts and name.isprintable() and "%" not in name


def _with_name(call: Call, name: str) -> Call:
    """Behind the fields, as people write it."""
    before = [item for item in call.kwargs if item[0] == "fields"]
    behind = [item for item in call.kwargs if item[0] != "fields"]
    return Call(function=call.function, kwargs=(*before, ("name", name), *behind))


def _listed(fields: Value) -> list[Value]:
    return list(fields) if isinstance(fields, list) else []


def _described(call: Call) -> str:
    fields = ", ".join(str(name) for name in _listed(dict(call.kwargs).get("fields")))
    return f"{call.function.removeprefix('models.')} of {fields or 'everything'}"


def _obstacle(index: Index, field_names: Mapping[str, str], *, conditioned: bool) -> str | None:
    """Why Django's own classes cannot say the index; None if they can."""
    if index.build is not None:
        return "it is still being built"
    if index.type not in {"regular", "compound"}:
        return f"Django has no {index.type} index"
    options = set(index.definition) - _OPTIONS_OF_EVERY_INDEX
    if conditioned or _ignores_null_only(index):
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


def _call(function: str, fields: list[Value], name: str) -> Call:
    return Call(function=function, kwargs=(("fields", fields), ("name", name)))


def _index_name(name: str, collection: str, names: Namespace) -> str:
    """The index's own name if Django takes it, else one made from it and the collection's."""
    if len(name) <= NAME_LENGTH and _is_name(name) and name[:1].isalpha() and name not in names:
        return names.claim(name)
    digest = hashlib.sha256(f"{collection}\0{name}".encode("utf-8", "replace")).hexdigest()[:8]
    letters = "".join(
        letter for letter in f"{collection}_{name}" if letter.isalnum() or letter == "_"
    )
    start = letters[: NAME_LENGTH - 9].strip("_")
    return names.claim(f"{start}_{digest}" if start[:1].isalpha() else f"i{start[1:]}_{digest}")
