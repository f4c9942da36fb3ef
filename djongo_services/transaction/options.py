"""How a transaction reads, writes and commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How a transaction reads, writes and commits; None leaves it to the client."""

    read_concern: ReadConcern | None = None
    write_concern: WriteConcern | None = None
    read_preference: Any = None
    """One of ``pymongo.ReadPreference``; the server accepts PRIMARY only."""
    max_commit_time: float | None = None
    """Seconds that the server may take for a commit."""

    @property
    def max_commit_time_ms(self) -> int | None:
        return None if self.max_commit_time is None else max(1, round(self.max_commit_time * 1000))

    def given(self) -> list[str]:
        """The names of the options that are set."""
        return [name for name in self.__slots__ if getattr(self, name) is not None]
