"""Constants that the programs and their checks share."""

from __future__ import annotations

import random

ACCOUNTS = 8
MONEY = 1000
"""The initial balance of each account."""
ITEMS = 200
"""The number of documents that the migrations change."""
VISITOR = "visitor"
"""The user who visits the admin."""


def content_of(title: str, size: int) -> bytes:
    """The bytes of a file: the same for the same title, and unlike those of any other."""
    return random.Random(title).randbytes(size)
