"""Warnings about indexes: those that serve nothing, and those that are missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.path import KEY, Path, Step, query_path, render_path
from djongo_services.introspection.profiling.warnings.wording import listed, quoted
from djongo_services.introspection.redundancy import redundant
from djongo_services.introspection.report import Field, Profile, Reference, Warning

_SQL = re.compile(r'"| (?:ASC|DESC)$|WHERE ')
"""What djongo left in index keys: fragments of SQL that name no path (djongo 1.3)."""


def about_indexes(
    collection: Collection, profile: Profile, references: Sequence[Reference]
) -> list[Warning]:
    """Nothing for views, and where the indexes could not be read."""
    if collection.type == "view" or any(
        missing.what == "indexes" for missing in collection.unavailable
    ):
        return []
    return [
        *_without_index(collection, references),
        *_corrupt(collection.indexes),
        *_without_data(collection.indexes, profile),
        *_redundant(collection.indexes),
    ]


def _corrupt(indexes: Sequence[Index]) -> Iterator[Warning]:
    for index in indexes:
        names = [name for name, _ in index.keys if _is_corrupt(name)]
        if names:
            yield Warning(
                code="corrupt-index",
                message=(
                    f"The index {quoted(index.name)} is on {listed(names)}, which is a piece of "
                    f"SQL and no path, so no query uses it; drop it and index the field."
                ),
                path=index.name,
            )


def _without_data(indexes: Sequence[Index], profile: Profile) -> Iterator[Warning]:
    """Only where every document stands behind the profile: a sample misses rare fields."""
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
            yield _no_data(index, unknown, is_whole=len(unknown) == len(names))
        elif index.expire_after_seconds is not None and not _expires(names[0], fields):
            yield Warning(
                code="ttl-without-dates",
                message=(
                    f"The TTL index {quoted(index.name)} removes nothing, for no document has a "
                    f"date at {quoted(names[0])}; store dates there or drop it."
                ),
                path=index.name,
            )


def _no_data(index: Index, unknown: Sequence[str], *, is_whole: bool) -> Warning:
    advice = "drop it" if is_whole else "leave it out of the index"
    return Warning(
        code="index-without-data",
        message=(
            f"The index {quoted(index.name)} is on {listed(unknown)}, which no document has; "
            f"correct the name or {advice}."
        ),
        path=index.name,
    )


def _redundant(indexes: Sequence[Index]) -> Iterator[Warning]:
    for index, other in redundant(indexes):
        yield _one_too_many(index, other, same=len(other.keys) == len(index.keys))


def _one_too_many(index: Index, other: Index, *, same: bool) -> Warning:
    relation = "has the same keys as" if same else "is a prefix of"
    return Warning(
        code="redundant-index",
        message=(
            f"The index {quoted(index.name)} {relation} {quoted(other.name)}, which serves the "
            f"same queries; drop it."
        ),
        path=index.name,
    )


def _without_index(collection: Collection, references: Sequence[Reference]) -> Iterator[Warning]:
    # Views and system collections aside, only what can have an index is told to get one.
    for path in dict.fromkeys(reference.path for reference in references):
        alike = [reference for reference in references if reference.path == path]
        name = query_path(path)
        if name is None or name == "_id":
            continue
        wanted = [name, f"{name}.$id"] if alike[0].kind == "dbRef" else [name]
        if not any(_serves(index, wanted) for index in collection.indexes):
            targets = sorted({reference.target for reference in alike})
            yield Warning(
                code="reference-without-index",
                message=(
                    f"{quoted(render_path(path))} refers to {listed(targets)} without an index, "
                    f"so finding what refers to a document reads all; index {quoted(wanted[-1])}."
                ),
                path=render_path(path),
            )


def _serves(index: Index, wanted: Sequence[str]) -> bool:
    """Whether equality on one of the names can use the index."""
    if not index.keys or index.hidden:
        return False
    name, direction = index.keys[0]
    if set(index.partial_filter or {}) - set(wanted):
        return False
    if index.type == "wildcard":
        # With a compound wildcard index (7.0+) too, only the wildcard itself is looked at here.
        prefix = name.removesuffix("$**")
        return not index.wildcard_projection and any(one.startswith(prefix) for one in wanted)
    return name in wanted and direction not in ("text", "2d", "2dsphere")


def _is_corrupt(name: str) -> bool:
    return _SQL.search(name) is not None


def _reaches(name: str, field: Field) -> bool:
    """Whether the key ``name`` of an index finds the field, or something on the way to it."""
    if name == "$**":
        return True
    parts = name.removesuffix(".$**").split(".")
    return _matches(parts, field.path)


def _matches(parts: Sequence[str], path: Path) -> bool:
    """Elements of arrays may be named by position, and are implied otherwise."""
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
