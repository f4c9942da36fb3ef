"""How work reports its progress, and how it is stopped."""

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
    """The estimated number of documents processed so far; for collections that are read completely,
    of collections."""
    total: int | None = None
    rounds: int = 0


ProgressHook: TypeAlias = Callable[[Progress], None]
"""Called often, from the working thread; it should return at once."""

Stop: TypeAlias = threading.Event
"""When it is set, from any thread or a signal handler, the work ends soon with a partial result."""
