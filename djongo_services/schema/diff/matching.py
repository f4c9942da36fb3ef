"""Which existing index stands for which wanted one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from djongo_services.abilities import Abilities
from djongo_services.introspection.catalog import Index
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
    """The pairs, in the order of ``wanted``, and the indexes that nobody wants.

    First what is right as it is, then equal indexes under another name, then those beside which the
    wanted one could not exist, and last other indexes under the right name. What has the right name
    and is left over is only in the way of the name; what is left over of the third would forbid
    the build.
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


def same(spec: IndexSpec, index: Index, inherited: Mapping[str, Any] | None) -> bool:
    """Whether they are one index but for name, visibility and TTL."""
    return normal_spec(spec) == normal_index(index) and same_collation(
        spec.options.get("collation"), index.collation, inherited
    )


def coexist(
    spec: IndexSpec, index: Index, server: Abilities, inherited: Mapping[str, Any] | None
) -> bool:
    """Whether the server lets both exist under two names.

    It does when their signatures differ: keys and collation, and from 5.0 on also the partial
    filter, unique, sparse and the wildcard projection (measured on 4.4, 5.0 and 6.0 for all pairs
    of options). A collection has one text index at most.
    """
    wanted, found = normal_spec(spec), normal_index(index)
    is_text = any(direction == "text" for _, direction in spec.keys)
    if is_text and index.type == "text":
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
