"""The kinds of MongoDB's indexes, one row each, and the meaning of their options.

All code that declares, reads, compares, shows or writes indexes uses this table: ``indexes``, the
catalog, the differences of plans, generated models, warnings, and the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexKind:
    name: str
    """The name in a key, ``{"a": "hashed"}``; for others, the name in MongoDB's manual."""
    declared_by: str = ""
    """The class of :mod:`djongo_services.indexes`; empty if Django's ``Index`` declares it, or none
    does."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The arguments with which that class declares this kind."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that only this kind has, and the server's defaults for them."""
    version: str = ""
    """The option in which the server records the version of the format, which it chooses itself."""
    is_ordinary: bool = False
    """Whether it sorts, and may be a prefix of another index."""
    is_only_one: bool = False
    """Whether a collection can have only one."""
    collates: bool = True
    """Whether it supports a collation; others compare bytes, and refuse that of the collection."""
    finds_equal: bool = True
    """Whether a query for equality with its first key uses it."""
    takes_hint: bool = True
    """Whether a query without a condition accepts it as a hint."""
    order: str = ""
    """Its name in ``orders`` of Django's constraints; empty means its name in capitals."""


KINDS: Mapping[str, IndexKind] = {
    kind.name: kind
    for kind in (
        IndexKind(name="regular", is_ordinary=True),
        IndexKind(name="compound", is_ordinary=True),
        IndexKind(name="clustered"),
        IndexKind(
            name="text",
            declared_by="TextIndex",
            options={"default_language": "english", "language_override": "language"},
            version="textIndexVersion",
            is_only_one=True,
            collates=False,
            finds_equal=False,
        ),
        IndexKind(
            name="2dsphere",
            declared_by="GeoIndex",
            version="2dsphereIndexVersion",
            finds_equal=False,
            order="GEO",
        ),
        IndexKind(
            name="2d",
            declared_by="GeoIndex",
            arguments={"kind": "2d"},
            options={"bits": 26, "min": -180, "max": 180},
            collates=False,
            finds_equal=False,
        ),
        IndexKind(name="hashed", declared_by="HashedIndex", version="hashVersion"),
        IndexKind(name="wildcard", declared_by="WildcardIndex", takes_hint=False),
    )
}

DESCRIPTION = frozenset({"v", "key", "name", "ns", "background", "clustered", "buildUUID"})
"""The parts of an entry of ``listIndexes`` that are not options."""
VERSIONS = frozenset(kind.version for kind in KINDS.values() if kind.version)
PATH_OPTIONS = ("partialFilterExpression", "weights", "wildcardProjection")
"""Options that contain names of fields in the documents."""
OPTION_DEFAULTS: Mapping[str, Any] = {
    "unique": False,
    "sparse": False,
    **{name: value for kind in KINDS.values() for name, value in kind.options.items()},
}
"""The options of an index if none were given."""

LONGEST_TTL = 2**31 - 1
"""The maximum in seconds."""

_EVERYTHING = "$**"


def kind_named(name: str) -> IndexKind:
    """The kind with this name; one that is not in the table has no special properties."""
    return KINDS.get(name) or IndexKind(name=name)


def kind_of(keys: Sequence[tuple[str, object]]) -> IndexKind:
    """The kind of an index on ``(path, direction)``: that of its first special key."""
    for path, direction in keys:
        if isinstance(direction, str):
            return kind_named(direction)
        if wildcard_base(path) is not None:
            return KINDS["wildcard"]
    return KINDS["compound" if len(keys) > 1 else "regular"]


def wildcard_base(path: str) -> str | None:
    """``a.b`` for ``a.b.$**``, ``""`` for ``$**``; None for a key that is not a wildcard."""
    if path == _EVERYTHING:
        return ""
    return path.removesuffix(f".{_EVERYTHING}") if path.endswith(f".{_EVERYTHING}") else None


def wildcard_path(base: str) -> str:
    """The key of a wildcard index of everything below ``base``."""
    return f"{base}.{_EVERYTHING}" if base else _EVERYTHING
