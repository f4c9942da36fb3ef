"""What the programs and those who check on them agree about."""

from __future__ import annotations

import random

ACCOUNTS = 8
MONEY = 1000
"""On each account in the beginning."""
ITEMS = 200
"""That the migrations change."""
VISITOR = "visitor"
"""Who visits the admin."""


def content_of(title: str, size: int) -> bytes:
    """The bytes of a file: the same for the same title, and unlike those of any other."""
    return random.Random(title).randbytes(size)
