"""The warnings of one collection that is described by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.profiling.warnings import find_warnings
from djongo_services.introspection.report import Finding, Profile, Reference


def index(name: str, *keys: tuple[str, Any], **options: Any) -> Index:
    definition = {"v": 2, "key": dict(keys), "name": name, **options}
    return Index(name=name, keys=keys, definition=definition)


def warnings(
    database: Any,
    profile: Profile,
    *,
    indexes: Sequence[Index] = (),
    references: Sequence[Reference] = (),
    values: bool = False,
    **collection: Any,
) -> list[Finding]:
    identity = index("_id_", ("_id", 1))
    described = Collection(name="things", indexes=(identity, *indexes), **collection)
    return list(find_warnings(database, described, profile, references, values=values))


def codes(found: Sequence[Finding]) -> list[tuple[str, str | None]]:
    return [(warning.code, warning.path) for warning in found]
