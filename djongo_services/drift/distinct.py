"""Single values: a key that identifies them, and a list of some for display."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from djongo_services.formatting import count, extended_json, value_text

SHOWN: Final = 6
"""The maximum number of values in a list; the rest is counted."""


def identity(value: Any) -> str:
    """A text that is equal for a value from a server and the same one from a file."""
    return json.dumps(json.loads(extended_json(value)), sort_keys=True)


def listed(values: Sequence[Any]) -> str:
    """``"lent", "lost", 3 more``."""
    shown = [value_text(value, 24) for value in values[:SHOWN]]
    rest = len(values) - SHOWN
    return ", ".join([*shown, *([f"{count(rest)} more"] if rest > 0 else [])])
