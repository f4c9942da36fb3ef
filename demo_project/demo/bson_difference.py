"""Differences between two documents, except those that the backend itself causes.

The backend writes an explicit null for a missing field, and a long for an int; neither counts.
"""

from __future__ import annotations

import math
from typing import Any


def difference(before: Any, after: Any, path: str = "") -> str | None:
    """The first difference as a phrase, or None."""
    match before, after:
        case dict(), dict():
            names = [*before, *(name for name in after if name not in before)]
            pairs = ((before.get(name), after.get(name), f"{path}.{name}") for name in names)
        case list(), list() if len(before) == len(after):
            pairs = (
                (old, new, f"{path}[{at}]")
                for at, (old, new) in enumerate(zip(before, after, strict=True))
            )
        case _ if _kind(before) is _kind(after) and (before == after or _are_nan(before, after)):
            return None
        case _:
            return f"{path.lstrip('.') or 'it'} was {_shown(before)} and is {_shown(after)}"
    return next(filter(None, (difference(*pair) for pair in pairs)), None)


def _kind(value: Any) -> type[Any]:
    """The type. To Python, bool and Int64 are ints; BSON distinguishes bool only."""
    return int if isinstance(value, int) and not isinstance(value, bool) else type(value)


def _are_nan(before: Any, after: Any) -> bool:
    return isinstance(before, float) and math.isnan(before) and math.isnan(after)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
