"""How warnings write names, shares and lists; a name from the database is quoted data."""

from __future__ import annotations

import json
from collections.abc import Sequence

from djongo_services.introspection.report import Coverage, Field


def quoted(name: str) -> str:
    """The name in double quotes, on one line whatever it contains."""
    return json.dumps(name, ensure_ascii=False)


def listed(names: Sequence[str], limit: int = 5) -> str:
    """``"a", "b" and 3 more``."""
    shown = ", ".join(quoted(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def number(count: int) -> str:
    return f"{count:,}"


def objects(count: int, one: str = "document") -> str:
    return f"{number(count)} {one if count == 1 else one + 's'}"


def estimated(count: int, coverage: Coverage) -> str:
    """The count, marked if it is extrapolated from a sample."""
    extrapolated = coverage.reached == "complete" and coverage.margin is not None
    return f"about {number(count)}" if extrapolated else number(count)


def parents(field: Field, coverage: Coverage) -> str:
    """What a field's probability refers to: ``1,000 sampled documents``, ``3 objects``."""
    noun = "document" if len(field.path) == 1 else "object"
    sampled = coverage.reached == "sample" and coverage.margin is not None
    return objects(field.parents, f"sampled {noun}" if sampled else noun)
