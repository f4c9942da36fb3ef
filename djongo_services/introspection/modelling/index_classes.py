"""Indexes as the classes of :mod:`djongo_services.indexes`, or as Django's if these suffice.

A class produces exactly the same index from its arguments, with all options: a schema that was
generated this way and compared with its database has no different index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from djongo_services.index_kinds import LONGEST_TTL, VERSIONS, IndexKind, wildcard_base
from djongo_services.introspection.catalog import Index
from djongo_services.introspection.collations import stated_collation
from djongo_services.introspection.modelling.declarations import Call, Dictionary, Value
from djongo_services.introspection.modelling.index_fields import (
    IndexField,
    IndexFields,
    condition,
    is_presence,
)

_SERVERS_OWN = VERSIONS | {"v", "key", "name", "ns", "background"}
"""Parts of an index definition that are not options."""


class Inexpressible(Exception):
    """No class can express this index; the message is the reason as a clause."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    call: Call
    options: frozenset[str] = frozenset()
    """The parts of the index's definition that the call expresses."""


_Way: TypeAlias = Callable[[Index, IndexFields], _Said]


def index_class(
    index: Index, fields: IndexFields, *, inherited: Mapping[str, Any] | None = None
) -> Call:
    """The index without its name; ``inherited`` is the collation of its collection.

    Raises Inexpressible.
    """
    said = _way(index.kind)(index, fields)
    shared = _shared(index, fields, said, inherited)
    told = _SERVERS_OWN | said.options | {"hidden", "collation"}
    if "condition" in shared:
        told |= {"partialFilterExpression"}
    if left := [name for name, value in index.definition.items() if value and name not in told]:
        raise Inexpressible(f"no class has {' and '.join(sorted(left))} like this")
    call = said.call.having(**shared)
    narrow = "condition" in shared and not _is_comparison(shared["condition"])
    return _extended(call) if narrow or shared.keys() & {"hidden", "collation"} else call


def _is_comparison(condition: Value) -> bool:
    """Whether the backend itself creates a partial filter from the ``Q``."""
    names = [name for name, _ in condition.kwargs] if isinstance(condition, Call) else []
    return not any(name.endswith(("__isnull", "__in")) for name in names)


def _extended(call: Call) -> Call:
    """The class of ours for a call; Django's own classes lack the options."""
    match call.function:
        case "models.Index":
            return Call(function="MongoIndex", kwargs=call.kwargs)
        case "models.UniqueConstraint":
            return Call(function="UniqueIndex", kwargs=call.kwargs)
    return call


def _shared(
    index: Index, fields: IndexFields, said: _Said, inherited: Mapping[str, Any] | None
) -> dict[str, Value]:
    """The arguments that every class accepts."""
    shared: dict[str, Value] = {}
    partial = index.partial_filter
    if partial is not None and "partialFilterExpression" not in said.options:
        filter_ = condition(partial, fields)
        if filter_ is None:
            raise Inexpressible("no condition produces its partialFilterExpression")
        shared["condition"] = filter_
    if index.hidden:
        shared["hidden"] = True
    collation = index.collation or (inherited and {"locale": "simple"})
    if collation and not index.kind.collates:
        raise Inexpressible("its class has no collation")
    if collation and collation != inherited:
        shared["collation"] = Dictionary(items=tuple(stated_collation(collation).items()))
    return shared


def _ordinary(index: Index, fields: IndexFields) -> _Said:
    paths = [path for path, _ in index.keys]
    if len(set(paths)) < len(paths):
        raise Inexpressible("a field occurs twice in it")
    names: list[Value] = [_signed(path, direction, fields) for path, direction in index.keys]
    if index.expire_after_seconds is not None:
        return _expiring(index, fields, names)
    if index.sparse:
        options = {"unique": True} if index.unique else {}
        call = Call(function="SparseIndex", kwargs=(("fields", names),)).having(**options)
        return _Said(call=call, options=frozenset({"sparse", "unique"}))
    if index.unique:
        return _unique(index, fields, names)
    dotted = any("." in path for path in paths)
    function = "MongoIndex" if dotted else "models.Index"
    return _Said(call=Call(function=function, kwargs=(("fields", names),)))


def _expiring(index: Index, fields: IndexFields, names: list[Value]) -> _Said:
    seconds = index.expire_after_seconds
    found = fields.find(index.keys[0][0])
    if len(names) > 1 or index.unique or index.sparse:
        raise Inexpressible("TTLIndex has one field and is neither unique nor sparse")
    if seconds is None or seconds != seconds or not 0 <= seconds <= LONGEST_TTL:
        raise Inexpressible(f"TTLIndex has no expireAfterSeconds of {seconds}")
    call = found.call if found else None
    if call is not None and call.function != "models.DateTimeField":
        raise Inexpressible("TTLIndex is for a DateTimeField")
    kwargs: tuple[tuple[str, Value], ...] = (("fields", names), ("expire_after", int(seconds)))
    return _Said(
        call=Call(function="TTLIndex", kwargs=kwargs), options=frozenset({"expireAfterSeconds"})
    )


def _unique(index: Index, fields: IndexFields, names: list[Value]) -> _Said:
    """A constraint if that creates it: without nulls by type, as in SQL."""
    partial = dict(index.partial_filter or {})
    found = {path: fields.find(path) for path, _ in index.keys}
    nullable = {path for path, one in found.items() if one is None or one.null or "." in path}
    # For fields that are never null, an index without a filter is equivalent.
    skipping = {*found} if fields.backend and {*found} & partial.keys() else nullable
    present = all(
        (one := found[path]) is not None and is_presence(partial.get(path), one)
        for path in skipping
    )
    rest = {path: partial[path] for path in partial if not present or path not in skipping}
    plain = not any(str(name).startswith("-") or "." in str(name) for name in names)
    constraint = present and not rest and plain
    call = Call(
        function="models.UniqueConstraint" if constraint else "UniqueIndex",
        kwargs=(("fields", names),),
    )
    if not present:
        call = call.having(nulls_distinct=False)
    options = {"unique", "partialFilterExpression"}
    if rest:
        filter_ = condition(rest, fields)
        if filter_ is None:
            raise Inexpressible("no condition produces its partialFilterExpression")
        call = call.having(condition=filter_)
    return _Said(call=call, options=frozenset(options))


def _text(index: Index, fields: IndexFields) -> _Said:
    if any(direction != "text" for _, direction in index.keys):
        raise Inexpressible("TextIndex has fields for text alone")
    names = {path: _name(path, fields) for path, _ in index.keys}
    weights = {names[path]: int(weight) for path, weight in (index.weights or {}).items()}
    call = Call(function=index.kind.declared_by, kwargs=(("fields", list(names.values())),))
    heavier = tuple((name, weight) for name, weight in weights.items() if weight != 1)
    if heavier:
        call = call.having(weights=Dictionary(items=heavier))
    return _Said(
        call=call.having(**_own(index)), options=frozenset({"weights", *_own_names(index)})
    )


def _special(index: Index, fields: IndexFields) -> _Said:
    """A special index, whose kind is determined by the first key alone."""
    kind = index.kind
    (first, direction), *rest = index.keys
    if not isinstance(direction, str) or any(isinstance(other, str) for _, other in rest):
        raise Inexpressible(f"{kind.declared_by} begins with its {kind.name} key and has one")
    names: list[Value] = [_name(first, fields)]
    names += [_signed(path, other, fields) for path, other in rest]
    call = Call(function=kind.declared_by, kwargs=(("fields", names),))
    return _Said(call=call.having(**kind.arguments, **_own(index)), options=_own_names(index))


def _own(index: Index) -> dict[str, Value]:
    """The options of its kind that differ from the server's defaults."""
    given: dict[str, Value] = {}
    for option, default in index.kind.options.items():
        value = index.definition.get(option, default)
        if isinstance(default, int):
            if value != int(value):
                raise Inexpressible(f"its {option} is not a whole number")
            value = int(value)
        if value != default:
            given[option] = value
    return given


def _own_names(index: Index) -> frozenset[str]:
    return frozenset(index.kind.options)


def _wildcard(index: Index, fields: IndexFields) -> _Said:
    if len(index.keys) > 1:
        raise Inexpressible("WildcardIndex has one key")
    path = wildcard_base(index.keys[0][0])
    names: list[Value] = [_name(path, fields)] if path else []
    call = Call(function=index.kind.declared_by, kwargs=(("fields", names),) if names else ())
    projection = _flat(index.wildcard_projection or {})
    if any(projection.values()):
        projection = {path: taken for path, taken in projection.items() if taken or path != "_id"}
    if len(set(projection.values())) > 1:
        raise Inexpressible("WildcardIndex includes or excludes paths")
    if projection:
        items = tuple((_name(path, fields), taken) for path, taken in projection.items())
        call = call.having(projection=Dictionary(items=items))
    return _Said(call=call, options=frozenset({"wildcardProjection"}))


def _flat(projection: Mapping[str, Any], above: str = "") -> dict[str, bool]:
    """Dotted paths; 5.0 lists nested ones."""
    found: dict[str, bool] = {}
    for name, value in projection.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = bool(value)
    return found


def _signed(path: str, direction: Any, fields: IndexFields) -> str:
    if isinstance(direction, str):
        raise Inexpressible(f"a {direction} key is among others in it")
    return f"-{_name(path, fields)}" if direction < 0 else _name(path, fields)


def _name(path: str, fields: IndexFields) -> str:
    found: IndexField | None = fields.find(path)
    if found is None:
        raise Inexpressible(f"this class has no field {path}")
    return found.name


_OTHERS: Mapping[str, _Way] = {"text": _text, "wildcard": _wildcard}
"""Kinds that do not begin with one special key."""


def _way(kind: IndexKind) -> _Way:
    if kind.is_ordinary:
        return _ordinary
    if not kind.declared_by:
        raise Inexpressible(f"there is no class for a {kind.name} index")
    return _OTHERS.get(kind.name, _special)
