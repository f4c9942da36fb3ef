"""How long work tells where it is, and how it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    collection: str
    phase: str
    """``catalog``, ``sample``, ``proof``, ``counts``, ``values``, ``references``, ``warnings``."""
    done: int
    """Documents passed so far, by estimate; of collections that are read whole, collections."""
    total: int | None = None
    rounds: int = 0


ProgressHook: TypeAlias = Callable[[Progress], None]
"""Called from the thread that works, often; it should return at once."""

Stop: TypeAlias = threading.Event
"""Set it, from any thread or a signal handler, and the work ends soon with a partial result."""
