"""Replacing an index while queries continue and unique values stay unique.

The old definition and the new one cannot exist under two names if the name must stay, or if only
the name changes. So a shadow replaces the new one temporarily: the same index under a name of its
own, with its directions multiplied, ``{email: 2}`` for ``{email: 1}``. The server treats every
positive number as ascending and every negative one as descending, but distinguishes key patterns by
the number. So the shadow may exist beside both, serves the same queries, and refuses exactly what
the new one will refuse. It is built first, then the old index is dropped, the new one is built, and
the shadow is dropped. If documents prevent the new index, the shadow cannot be built either, and
nothing has been dropped by then.

An index without a direction (``2dsphere``, ``2d``, ``hashed``) is shadowed by the same keys and
``_id``, which serves its queries but keeps nothing unique; a text index has no shadow, because a
collection can have only one text index.

Source: measured on 4.4, 5.0 and 6.0 for unique, sparse, partial, collated, compound and wildcard
indexes, with 32 keys and with ``_id`` among them; createIndexes returns the error 85 for the same
keys under another name and 86 for the same name with other keys or options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, TypeAlias

from djongo_services.index_kinds import DESCRIPTION, kind_of
from djongo_services.introspection.catalog import Direction, Index
from djongo_services.schema.diff.matching import same
from djongo_services.schema.operations import (
    SHADOW_PREFIX,
    BuildIndexes,
    DropIndex,
    Operation,
    Phase,
)
from djongo_services.schema.spec import IndexSpec

SHADOWED = "a temporary index serves queries during the rebuild"
UNIQUE_SHADOWED = "a temporary unique index replaces it during the rebuild"
GAP = "queries cannot use it during the rebuild"
UNIQUE_GAP = (
    "duplicates are possible during the rebuild, because the server allows only one index of its "
    "kind"
)
NO_LONGER_UNIQUE = "duplicates are possible from then on"

_NOT_SHADOWED = ("expireAfterSeconds", "hidden")
"""Options that a shadow does not copy: it deletes nothing, and it serves queries."""
_MAXIMUM_KEYS = 32

Keys: TypeAlias = tuple[tuple[str, Direction], ...]


class Shadows:
    """The shadows of one collection: those that an interrupted run left, and new ones."""

    def __init__(
        self,
        indexes: Iterable[Index],
        wanted: Iterable[IndexSpec],
        inherited: Mapping[str, Any] | None,
    ) -> None:
        indexes = tuple(indexes)
        self.left = {index.name: index for index in indexes if is_shadow(index.name)}
        """The shadows that, as far as is known, nothing needs."""
        self.inherited = inherited
        self._names = {index.name for index in indexes}
        self._keys = {index.keys for index in indexes} | {spec.keys for spec in wanted}

    def take(self, spec: IndexSpec) -> tuple[IndexSpec, bool] | None:
        """The shadow for ``spec``, and whether it exists already; None if there can be none."""
        for index in self.left.values():
            if stands_in(index, spec, self.inherited):
                left = as_spec(self.left.pop(index.name), self.inherited)
                return left, index.build is None
        keys = self._free_keys(spec)
        if keys is None:
            return None
        shadow = IndexSpec(name=self._free_name(spec), keys=keys, options=_shadowed(spec))
        self._names.add(shadow.name)
        self._keys.add(shadow.keys)
        return shadow, False

    def _free_name(self, spec: IndexSpec) -> str:
        plain = f"{SHADOW_PREFIX}{spec.name}"
        names = (plain if number == 1 else f"{plain}_{number}" for number in count(1))
        return next(name for name in names if name not in self._names)

    def _free_keys(self, spec: IndexSpec) -> Keys | None:
        if kind_of(spec.keys).is_only_one:
            return None
        if _has_no_direction(spec):
            return _with_id(spec)
        multiplied = (_multiplied(spec.keys, factor) for factor in count(2))
        return next(keys for keys in multiplied if keys not in self._keys)


def rebuild(
    collection: str, spec: IndexSpec, index: Index, shadows: Shadows
) -> tuple[tuple[Operation, ...], str]:
    """The operations that replace ``index`` by ``spec``, and a description of how."""
    old = as_spec(index, shadows.inherited)
    was_unique, is_unique = guards(old), guards(spec)
    cover = around(collection, spec, shadows)
    kept = not was_unique or (is_unique and cover is not None)
    release = DropIndex(collection=collection, index=old, drop_phase=Phase.RELEASE, replaced=kept)
    built = BuildIndexes(collection=collection, indexes=(spec,), build_phase=Phase.REBUILD)
    if was_unique and not is_unique:
        how = NO_LONGER_UNIQUE
    elif cover is None:
        how = UNIQUE_GAP if was_unique else GAP
    else:
        how = UNIQUE_SHADOWED if was_unique else SHADOWED
    before, after = cover or ((), ())
    return (*before, release, built, *after), how


def around(
    collection: str, spec: IndexSpec, shadows: Shadows
) -> tuple[tuple[Operation, ...], tuple[Operation, ...]] | None:
    """The operations before ``spec`` can be missing, and after it exists; None if there can be no
    shadow for it."""
    taken = shadows.take(spec)
    if taken is None:
        return None
    shadow, is_there = taken
    build = BuildIndexes(collection=collection, indexes=(shadow,))
    tidy = DropIndex(collection=collection, index=shadow, drop_phase=Phase.TIDY, replaced=True)
    return () if is_there else (build,), (tidy,)


def is_shadow(name: str) -> bool:
    return name.startswith(SHADOW_PREFIX)


def stands_in(shadow: Index, spec: IndexSpec, inherited: Mapping[str, Any] | None) -> bool:
    """Whether the shadow refuses the same duplicates and serves the same queries."""
    keys = _with_id(spec) if _has_no_direction(spec) else spec.keys
    if keys is None:
        return False
    return same(replace(spec, keys=keys, options=_shadowed(spec)), shadow, inherited)


def guards(index: IndexSpec) -> bool:
    """Whether the server uses it to refuse duplicates."""
    return bool(index.options.get("unique") or index.options.get("prepareUnique"))


def as_spec(index: Index, inherited: Mapping[str, Any] | None) -> IndexSpec:
    """An index of the catalog in the terms of createIndexes, to be rebuilt.

    ``inherited`` is the collation of its collection.
    """
    options: dict[str, Any] = {
        name: value for name, value in index.definition.items() if name not in DESCRIPTION
    }
    if inherited is not None and index.collation is None:
        options["collation"] = {"locale": "simple"}
    return IndexSpec(name=index.name, keys=index.keys, options=options)


def _shadowed(spec: IndexSpec) -> dict[str, Any]:
    return {name: value for name, value in spec.options.items() if name not in _NOT_SHADOWED}


def _multiplied(keys: Keys, factor: int) -> Keys:
    """The keys multiplied; the server compares numbers by value, as Python does: 2 equals 2.0."""
    return tuple(
        (name, direction if isinstance(direction, str) else factor if direction > 0 else -factor)
        for name, direction in keys
    )


def _has_no_direction(spec: IndexSpec) -> bool:
    return all(isinstance(direction, str) for _, direction in spec.keys)


def _with_id(spec: IndexSpec) -> Keys | None:
    """The keys with ``_id``, for keys without a direction of their own."""
    if guards(spec) or len(spec.keys) >= _MAXIMUM_KEYS or "_id" in dict(spec.keys):
        return None
    return (*spec.keys, ("_id", 1))
