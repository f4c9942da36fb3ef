"""Warnings about indexes: useless ones, and missing ones."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence

from djongo_services.index_kinds import KINDS, kind_of, wildcard_base
from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.path import KEY, Path, Step, query_path, render_path
from djongo_services.introspection.profiling.references.samples import is_parse_column
from djongo_services.introspection.profiling.warnings.wording import listed, quoted
from djongo_services.introspection.redundancy import redundant
from djongo_services.introspection.report import Field, Finding, Profile, Reference

_SQL = re.compile(r'"| (?:ASC|DESC)$|WHERE ')
"""What djongo left in index keys: fragments of SQL that are not paths (djongo 1.3)."""


def about_indexes(
    collection: Collection,
    profile: Profile,
    references: Sequence[Reference],
    declared: Container[str] = (),
) -> list[Finding]:
    """The warnings; none for views, and if the indexes could not be read.

    ``declared`` are the names of those that models declare: a sync would recreate them.
    """
    if collection.type == "view" or any(
        missing.what == "indexes" for missing in collection.unavailable
    ):
        return []
    return [
        *_without_index(collection, references),
        *_corrupt(collection.indexes),
        *_without_data(collection.indexes, profile, declared),
        *_redundant(collection.indexes, declared),
    ]


def _corrupt(indexes: Sequence[Index]) -> Iterator[Finding]:
    for index in indexes:
        names = [name for name, _ in index.keys if _is_corrupt(name)]
        if names:
            yield Finding(
                code="corrupt-index",
                message=(
                    f"The index {quoted(index.name)} is on {listed(names)}, which is a piece of "
                    f"SQL and no path, so no query uses it; drop it and index the field."
                ),
                path=index.name,
            )


def _without_data(
    indexes: Sequence[Index], profile: Profile, declared: Container[str]
) -> Iterator[Finding]:
    """Warnings that need a profile of every document: a sample misses rare fields."""
    coverage = profile.coverage
    if not coverage.documents or not (coverage.proven or coverage.examined >= coverage.documents):
        return
    fields = list(profile.walk())
    for index in indexes:
        if index.is_id or index.clustered:
            continue
        names = [name for name, _ in index.keys if not _is_corrupt(name)]
        unknown = [name for name in names if not any(_reaches(name, one) for one in fields)]
        if unknown:
            drop = _drop(index, declared) if len(unknown) == len(names) else None
            yield _no_data(index, unknown, drop or "leave it out of the index")
        elif index.expire_after_seconds is not None and not _expires(names[0], fields):
            yield Finding(
                code="ttl-without-dates",
                message=(
                    f"The TTL index {quoted(index.name)} removes nothing, for no document has a "
                    f"date at {quoted(names[0])}; store dates there or {_drop(index, declared)}."
                ),
                path=index.name,
            )


def _drop(index: Index, declared: Container[str]) -> str:
    return "leave it out of the model" if index.name in declared else "drop it"


def _no_data(index: Index, unknown: Sequence[str], advice: str) -> Finding:
    return Finding(
        code="index-without-data",
        message=(
            f"The index {quoted(index.name)} is on {listed(unknown)}, which no document has; "
            f"correct the name or {advice}."
        ),
        path=index.name,
    )


def _redundant(indexes: Sequence[Index], declared: Container[str]) -> Iterator[Finding]:
    for index, other in redundant(indexes, declared):
        yield _one_too_many(index, other, _drop(index, declared))


def _one_too_many(index: Index, other: Index, advice: str) -> Finding:
    same = len(other.keys) == len(index.keys)
    relation = "has the same keys as" if same else "is a prefix of"
    return Finding(
        code="redundant-index",
        message=(
            f"The index {quoted(index.name)} {relation} {quoted(other.name)}, which serves the "
            f"same queries; {advice}."
        ),
        path=index.name,
    )


def _without_index(collection: Collection, references: Sequence[Reference]) -> Iterator[Finding]:
    # Only collections that can have an index get this advice, not views and system collections.
    for path in dict.fromkeys(reference.path for reference in references):
        alike = [reference for reference in references if reference.path == path]
        name = query_path(path)
        if name is None or name == "_id":
            continue
        wanted = _equality_on(name, alike[0])
        if not any(_serves(index, wanted) for index in collection.indexes):
            targets = sorted({reference.target for reference in alike})
            yield Finding(
                code="reference-without-index",
                message=(
                    f"{quoted(render_path(path))} refers to {listed(targets)} without an index, "
                    f"so reverse lookups scan the whole collection; index "
                    f"{quoted(wanted[-1])}."
                ),
                path=render_path(path),
            )


def _equality_on(name: str, reference: Reference) -> list[str]:
    """The paths that find documents with a reference, the best last."""
    match reference.kind:
        case "dbRef":
            return [name, f"{name}.$id"]
        case "pointer" if not is_parse_column(reference.path):
            return [name, f"{name}.objectId"]
        case _:
            return [name]


def _serves(index: Index, wanted: Sequence[str]) -> bool:
    """Whether a query for equality on one of the names can use the index."""
    if not index.keys or index.hidden:
        return False
    name, direction = index.keys[0]
    if set(index.partial_filter or {}) - set(wanted):
        return False
    if index.kind == KINDS["wildcard"]:
        # Also with a compound wildcard index (7.0+), only the wildcard itself is checked here.
        prefix = name.removesuffix("$**")
        return not index.wildcard_projection and any(one.startswith(prefix) for one in wanted)
    return name in wanted and kind_of([(name, direction)]).finds_equal


def _is_corrupt(name: str) -> bool:
    return _SQL.search(name) is not None


def _reaches(name: str, field: Field) -> bool:
    """Whether the key ``name`` of an index finds the field, or something on the path to it."""
    base = wildcard_base(name)
    if base == "":
        return True
    return _matches((name if base is None else base).split("."), field.path)


def _matches(parts: Sequence[str], path: Path) -> bool:
    """Whether the parts match; elements of arrays may be named by position, and are implied
    otherwise."""
    if not path:
        return not parts
    step, rest = path[0], path[1:]
    if step is Step.ELEMENT:
        by_position = bool(parts) and parts[0].isdigit() and _matches(parts[1:], rest)
        return by_position or _matches(parts, rest)
    if not parts:
        return False
    return (step is KEY or step == parts[0]) and _matches(parts[1:], rest)


def _expires(name: str, fields: Sequence[Field]) -> bool:
    return any("date" in field.types for field in fields if _reaches(name, field))
