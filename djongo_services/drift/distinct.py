"""Values as such: what tells them apart, and a list of some for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from djongo_services.formatting import count, extended_json, value_text

SHOWN: Final = 6
"""Values that are named; the rest is a number."""


def identity(value: Any) -> str:
    """Equal for a value of a server and the same one of a file."""
    return json.dumps(json.loads(extended_json(value)), sort_keys=True)


def listed(values: Sequence[Any]) -> str:
    """``"lent", "lost", 3 more``."""
    shown = [value_text(value, 24) for value in values[:SHOWN]]
    rest = len(values) - SHOWN
    return ", ".join([*shown, *([f"{count(rest)} more"] if rest > 0 else [])])
