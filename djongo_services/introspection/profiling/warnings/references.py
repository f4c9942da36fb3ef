"""Warnings about references: values that nothing in the target has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pymongo.collection import Collection

from djongo_services.introspection.path import Path, query_path, render_path
from djongo_services.introspection.profiling.interruption import aggregate
from djongo_services.introspection.profiling.warnings.wording import listed, number, quoted
from djongo_services.introspection.progress import Stop
from djongo_services.introspection.report import Reference, Warning

EXAMPLES = 5
_SCANNED = 10_000
"""Documents among which examples are looked for."""


def about_references(references: Sequence[Reference]) -> list[Warning]:
    """Dangling references, one warning for each path."""
    warnings = []
    for path, alike in _by_path(references).items():
        checked = _checked(alike)
        missing = max(0, checked - sum(one.found for one in alike))
        if missing:
            warnings.append(_dangling(path, alike, checked, missing))
    return warnings


def with_examples(
    collection: Collection[Any],
    references: Sequence[Reference],
    warnings: Sequence[Warning],
    *,
    stop: Stop | None = None,
) -> list[Warning]:
    """The same warnings, with the ``_id`` of some documents that refer to nothing."""
    paths = {render_path(path): alike for path, alike in _by_path(references).items()}
    return [
        replace(warning, examples=_examples(collection, paths[warning.path], stop))
        if warning.path in paths
        else warning
        for warning in warnings
    ]


def _dangling(path: Path, alike: Sequence[Reference], checked: int, missing: int) -> Warning:
    targets = sorted({one.target for one in alike})
    kind = "distinct" if all(one.complete for one in alike) else "sampled"
    verb = "has" if missing == 1 else "have"
    return Warning(
        code="dangling-reference",
        message=(
            f"{quoted(render_path(path))} refers to documents of {listed(targets)}, but "
            f"{number(missing)} of its {number(checked)} {kind} values {verb} none there; "
            f"clear them or restore what they refer to."
        ),
        path=render_path(path),
    )


def _checked(alike: Sequence[Reference]) -> int:
    """Values looked up: a DBRef under its own target, any other under each."""
    if alike[0].kind == "dbRef":
        return sum(one.checked for one in alike)
    return max(one.checked for one in alike)


def _by_path(references: Sequence[Reference]) -> dict[Path, list[Reference]]:
    found: dict[Path, list[Reference]] = {}
    for reference in references:
        found.setdefault(reference.path, []).append(reference)
    return found


def _examples(
    collection: Collection[Any], alike: Sequence[Reference], stop: Stop | None
) -> tuple[Any, ...]:
    """Where a plain path reaches the values, and one collection holds what they refer to."""
    reference = alike[0]
    name = query_path(reference.path)
    if len(alike) > 1 or reference.kind == "dbRef" or name is None:
        return ()
    pipeline: list[dict[str, Any]] = [
        {"$match": {name: {"$ne": None}}},
        {"$limit": _SCANNED},
        {
            "$lookup": {
                "from": reference.target,
                "localField": name,
                "foreignField": reference.target_path,
                "as": "hits",
            }
        },
        # Elements of an empty array refer to nothing, and miss nothing.
        {"$match": {"hits": {"$size": 0}, name: {"$nin": [None, []]}}},
        {"$limit": EXAMPLES},
        {"$project": {"_id": 1}},
    ]
    return tuple(row["_id"] for row in aggregate(collection, pipeline, stop=stop))
