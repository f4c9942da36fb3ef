"""Replacing an index without leaving queries alone.

Where the server lets both definitions exist under two names, the new one is built and then the old
one dropped. Where it does not (the name must stay, or only the name changes), a shadow index on the
same keys and ``_id`` serves the queries in between. What neither can do (text and wildcard indexes,
keys that hold ``_id``) is dropped first, and the plan says so.

Source: measured on 4.4, 5.0 and 6.0; createIndexes answers 85 for the same keys under another name
and 86 for the same name with other keys or options.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from djongo_services.abilities import Abilities
from djongo_services.introspection.catalog import Index
from djongo_services.schema.diff.matching import coexist
from djongo_services.schema.diff.normal import NormalIndex, normal_index, normal_spec
from djongo_services.schema.operations import (
    SHADOW_PREFIX,
    BuildIndexes,
    DropIndex,
    Operation,
    Phase,
)
from djongo_services.schema.spec import IndexSpec

NO_GAP = "the new one is built before the old is dropped"
SHADOWED = "a shadow index serves queries meanwhile"
GAP = "queries go without it meanwhile"

_SHADOW_OPTIONS = ("sparse", "partialFilterExpression", "collation", "bits", "min", "max")
_UNSHADOWED_TYPES = ("text", "wildcard")
_MAXIMUM_KEYS = 32
_NOT_OPTIONS = ("key", "name", "v", "ns", "background", "clustered", "prepareUnique", "buildUUID")


def rebuild(
    collection: str,
    spec: IndexSpec,
    index: Index,
    server: Abilities,
    shadows: dict[str, Index],
    serving: set[NormalIndex],
    inherited: Mapping[str, Any] | None,
) -> tuple[tuple[Operation, ...], str]:
    """The operations that put ``spec`` in the place of ``index``, and in words how.

    A shadow that an interrupted run left is taken out of ``shadows`` when it is used again.
    ``serving`` are the indexes that are there, or will be, and could be a shadow's twin; a new
    shadow is added to them.
    """
    release = DropIndex(
        collection=collection, index=as_spec(index), drop_phase=Phase.RELEASE, replaced=True
    )
    if spec.name != index.name and coexist(spec, index, server, inherited):
        return (BuildIndexes(collection=collection, indexes=(spec,)), release), NO_GAP
    built = BuildIndexes(collection=collection, indexes=(spec,), build_phase=Phase.REBUILD)
    shadow = shadow_of(spec, index)
    if shadow is None:
        return (release, built), GAP
    tidy = DropIndex(collection=collection, index=shadow, drop_phase=Phase.TIDY, replaced=True)
    left = shadows.pop(shadow.name, None)
    if left is not None and normal_index(left) == normal_spec(shadow):
        return (release, built, tidy), SHADOWED
    stale = () if left is None else (_drop_stale(collection, left),)
    if normal_spec(shadow) in serving:
        return (*stale, release, built), SHADOWED
    serving.add(normal_spec(shadow))
    build = BuildIndexes(collection=collection, indexes=(shadow,))
    return (*stale, build, release, built, tidy), SHADOWED


def shadow_of(spec: IndexSpec, index: Index) -> IndexSpec | None:
    """The same keys and ``_id``; None where the server has no such index."""
    names = [name for name, _ in spec.keys]
    special = any(direction == "text" or "$**" in name for name, direction in spec.keys)
    if special or index.type in _UNSHADOWED_TYPES or "_id" in names:
        return None
    if len(names) >= _MAXIMUM_KEYS:
        return None
    return IndexSpec(
        name=f"{SHADOW_PREFIX}{spec.name}",
        keys=(*spec.keys, ("_id", 1)),
        options={name: spec.options[name] for name in _SHADOW_OPTIONS if name in spec.options},
    )


def as_spec(index: Index) -> IndexSpec:
    """An index of the catalog in the terms of createIndexes, to be built again."""
    options: dict[str, Any] = {
        name: value for name, value in index.definition.items() if name not in _NOT_OPTIONS
    }
    return IndexSpec(name=index.name, keys=index.keys, options=options)


def _drop_stale(collection: str, shadow: Index) -> DropIndex:
    # Before anything else, because its name is needed.
    return DropIndex(
        collection=collection, index=as_spec(shadow), drop_phase=Phase.CREATE, replaced=True
    )
