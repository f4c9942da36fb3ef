"""Warnings about references: values that do not exist in the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pymongo.database import Database
from pymongo.errors import InvalidName

from djongo_services.introspection.path import Path, render_path
from djongo_services.introspection.profiling.extraction import Stage, named_beside_keys
from djongo_services.introspection.profiling.interruption import aggregate
from djongo_services.introspection.profiling.references.addressed import ADDRESSED
from djongo_services.introspection.profiling.references.keys import (
    BATCH,
    TargetKey,
    Token,
    existing,
    token,
)
from djongo_services.introspection.profiling.references.lookups import other_readings
from djongo_services.introspection.profiling.references.verifying import every_value
from djongo_services.introspection.profiling.warnings.wording import (
    listed,
    number,
    objects,
    quoted,
)
from djongo_services.introspection.report import Finding, Profile, Reference
from djongo_services.progress import Stop

EXAMPLES = 5
_SCANNED = 10_000
"""The number of documents that are searched for examples."""


def about_references(references: Sequence[Reference]) -> list[Finding]:
    """Dangling references, one warning for each path."""
    warnings = []
    for path, alike in _by_path(references).items():
        checked = _checked(alike)
        missing = max(0, checked - sum(one.found for one in alike))
        if missing:
            warnings.append(_dangling(path, alike, checked, missing))
    return warnings


def with_examples(
    database: Database[Any],
    profile: Profile,
    references: Sequence[Reference],
    warnings: Sequence[Finding],
    *,
    stop: Stop | None = None,
) -> list[Finding]:
    """The same warnings, with the ``_id`` of some documents that refer to nothing."""
    paths = {render_path(path): alike for path, alike in _by_path(references).items()}
    return [
        replace(warning, examples=_examples(database, profile, paths[warning.path], stop))
        if warning.path in paths
        else warning
        for warning in warnings
    ]


def _dangling(path: Path, alike: Sequence[Reference], checked: int, missing: int) -> Finding:
    targets = sorted({one.target for one in alike})
    kind = "distinct" if all(one.complete for one in alike) else "sampled"
    verb = "has" if missing == 1 else "have"
    return Finding(
        code="dangling-reference",
        message=(
            f"{quoted(render_path(path))} refers to documents of {listed(targets)}, but "
            f"{number(missing)} of its {objects(checked, f'{kind} value')} {verb} none there; "
            f"clear them or restore what they refer to."
        ),
        path=render_path(path),
    )


def _checked(alike: Sequence[Reference]) -> int:
    """The number of values looked up: a DBRef under its own target, any other under each."""
    if alike[0].kind in ADDRESSED:
        return sum(one.checked for one in alike)
    return max(one.checked for one in alike)


def _by_path(references: Sequence[Reference]) -> dict[Path, list[Reference]]:
    found: dict[Path, list[Reference]] = {}
    for reference in references:
        found.setdefault(reference.path, []).append(reference)
    return found


def _examples(
    database: Database[Any], profile: Profile, alike: Sequence[Reference], stop: Stop | None
) -> tuple[Any, ...]:
    """Documents with values that no target has; a DBRef names the target that must have it."""
    if alike[0].kind not in ADDRESSED:
        return tuple(_dangling_documents(database, profile, alike, stop))[:EXAMPLES]
    each = (_dangling_documents(database, profile, [one], stop) for one in alike)
    return tuple(document for some in each for document in some)[:EXAMPLES]


def _dangling_documents(
    database: Database[Any], profile: Profile, targets: Sequence[Reference], stop: Stop | None
) -> Iterator[Any]:
    source = database[profile.collection]
    beside = named_beside_keys(profile)
    pipeline: list[Stage] = [
        {"$limit": _SCANNED},
        *every_value(source, targets[0], beside=beside, with_id=True),
        {"$group": {"_id": "$v", "document": {"$first": "$_id"}}},
        {"$limit": BATCH},
    ]
    rows = aggregate(source, pipeline, stop=stop, tolerant=True)
    readings = {token(row["_id"]): [row["_id"], *other_readings(row["_id"])] for row in rows}
    known: set[Token] = set()
    for one in targets:
        key = TargetKey(collection=one.target, field=one.target_path)
        asked = [each for some in readings.values() for each in some]
        with suppress(InvalidName):
            known |= existing(database, key, asked, stop=stop)
    for row in rows:
        if known.isdisjoint(map(token, readings[token(row["_id"])])):
            yield row["document"]
