"""The kinds of indexes that MongoDB has, one row each, and which options of an index mean what.

Who declares indexes, reads, compares, shows or writes them looks here: ``indexes``, the catalog,
the differences of plans, generated models, warnings, and the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexKind:
    name: str
    """As a key says it, ``{"a": "hashed"}``; for the others as MongoDB's manual calls them."""
    declared_by: str = ""
    """The class of :mod:`djongo_services.indexes`; empty where Django's ``Index`` or none does."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What tells that class to declare this kind."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that it alone has, and what the server puts where one is not given."""
    version: str = ""
    """The option in which the server notes the version of the format, which it chooses itself."""
    is_ordinary: bool = False
    """Whether it sorts, and may be a prefix of another one."""
    is_only_one: bool = False
    """Whether a collection has one at most."""
    collates: bool = True
    """Whether it may have a collation; others compare bytes, and refuse that of the collection."""
    finds_equal: bool = True
    """Whether a query for equality with its first key uses it."""
    takes_hint: bool = True
    """Whether a query without a condition accepts it as a hint."""
    order: str = ""
    """What ``orders`` of Django's constraints call it; empty means its name in capitals."""


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
"""What ``listIndexes`` says of an index beside its options."""
VERSIONS = frozenset(kind.version for kind in KINDS.values() if kind.version)
PATH_OPTIONS = ("partialFilterExpression", "weights", "wildcardProjection")
"""Options that name fields of the documents."""
OPTION_DEFAULTS: Mapping[str, Any] = {
    "unique": False,
    "sparse": False,
    **{name: value for kind in KINDS.values() for name, value in kind.options.items()},
}
"""What an index has that was told nothing else."""

LONGEST_TTL = 2**31 - 1
"""Seconds."""

_EVERYTHING = "$**"


def kind_named(name: str) -> IndexKind:
    """One that is not in the table has a name and nothing special."""
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
    """``a.b`` for ``a.b.$**``, ``""`` for ``$**``; None for a key that is no wildcard."""
    if path == _EVERYTHING:
        return ""
    return path.removesuffix(f".{_EVERYTHING}") if path.endswith(f".{_EVERYTHING}") else None


def wildcard_path(base: str) -> str:
    """The key of a wildcard index of everything below ``base``."""
    return f"{base}.{_EVERYTHING}" if base else _EVERYTHING
