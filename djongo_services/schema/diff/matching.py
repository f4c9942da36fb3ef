"""Which existing index corresponds to which wanted one."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from djongo_services.abilities import Abilities
from djongo_services.index_kinds import kind_of
from djongo_services.introspection.catalog import Index
from djongo_services.schema.diff.filters import is_presence
from djongo_services.schema.diff.normal import normal_index, normal_spec, same_collation
from djongo_services.schema.spec import IndexSpec

Pair: TypeAlias = tuple[IndexSpec, Index | None]
_Test: TypeAlias = Callable[[IndexSpec, Index], bool]


def match(
    wanted: tuple[IndexSpec, ...],
    existing: list[Index],
    server: Abilities,
    inherited: Mapping[str, Any] | None,
) -> tuple[list[Pair], list[Index]]:
    """The pairs, in the order of ``wanted``, and the indexes that no model wants.

    First the indexes that are right, then equal ones with another name, then those that would
    prevent the wanted one, and last others with the right name. A remaining index with the right
    name only occupies the name; a remaining one of the third group would prevent the build.
    """
    tests: tuple[_Test, ...] = (
        lambda spec, index: spec.name == index.name and same(spec, index, inherited),
        lambda spec, index: same(spec, index, inherited),
        lambda spec, index: not coexist(spec, index, server, inherited),
        lambda spec, index: spec.name == index.name,
    )
    found: dict[str, Index] = {}
    left = list(existing)
    for test in tests:
        for spec in wanted:
            if spec.name in found:
                continue
            index = next((index for index in left if test(spec, index)), None)
            if index is not None:
                found[spec.name] = index
                left.remove(index)
    return [(spec, found.get(spec.name)) for spec in wanted], left


def fitting(
    wanted: tuple[IndexSpec, ...],
    existing: Sequence[Index],
    inherited: Mapping[str, Any] | None,
    *,
    never_null: Container[str],
) -> tuple[IndexSpec, ...]:
    """The wanted indexes; unique ones that exist without the filter that excludes nulls are taken
    as they are.

    On columns that are never null, such an index covers everything that the filtered one would.
    """

    def fit(spec: IndexSpec) -> IndexSpec:
        partial = spec.options.get("partialFilterExpression") or {}
        paths = {path for path, _ in spec.keys}
        skips_nulls = spec.options.get("unique") and {*partial} == paths
        if not skips_nulls or not all(path in never_null for path in paths):
            return spec
        if not all(map(is_presence, partial.values())):
            return spec
        rest = {key: spec.options[key] for key in spec.options if key != "partialFilterExpression"}
        whole = replace(spec, options=rest)
        if any(same(spec, index, inherited) for index in existing):
            return spec
        return whole if any(same(whole, index, inherited) for index in existing) else spec

    return tuple(map(fit, wanted))


def same(spec: IndexSpec, index: Index, inherited: Mapping[str, Any] | None) -> bool:
    """Whether the indexes differ at most in name, visibility and TTL."""
    return normal_spec(spec) == normal_index(index) and same_collation(
        spec.options.get("collation"), index.collation, inherited
    )


def same_definition(one: IndexSpec, other: IndexSpec, inherited: Mapping[str, Any] | None) -> bool:
    """The same comparison for ``other``, a definition as the server reports it."""
    return normal_spec(one) == normal_spec(other) and same_collation(
        one.options.get("collation"), other.options.get("collation"), inherited
    )


def coexist(
    spec: IndexSpec, index: Index, server: Abilities, inherited: Mapping[str, Any] | None
) -> bool:
    """Whether the server allows both under two names.

    It does if their signatures differ: keys and collation, and from 5.0 on also the partial filter,
    unique, sparse and the wildcard projection (measured on 4.4, 5.0 and 6.0 for all pairs of
    options). A collection has at most one text index.
    """
    wanted, found = normal_spec(spec), normal_index(index)
    kind = kind_of(spec.keys)
    if kind.is_only_one and index.kind == kind:
        return False
    if wanted.keys != found.keys:
        return True
    if not same_collation(spec.options.get("collation"), index.collation, inherited):
        return True
    return server.index_signatures and (
        wanted.partial_filter != found.partial_filter
        or wanted.projection != found.projection
        or bool(spec.options.get("unique")) != bool(index.definition.get("unique"))
        or bool(spec.options.get("sparse")) != bool(index.definition.get("sparse"))
    )
