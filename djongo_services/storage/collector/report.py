"""What a run found and did; renderers show it, and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from bson import ObjectId

from djongo_services.storage.collector.kinds import Kind

Status = Literal["running", "done", "failed", "interrupted"]

EXAMPLES = 5
"""Of each kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    id: Any
    """The files_id, of any BSON type."""
    filename: str | None
    """None for chunks without a file."""
    bytes: int
    since: datetime | None
    """Its newest trace; None where it has no date."""
    reason: str
    """Half a sentence where the kind alone does not say it, else empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was found of one kind."""

    kind: Kind
    count: int = 0
    """Files, uploads, or files_id of orphan chunks."""
    bytes: int = 0
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TrashSummary:
    entries: int
    bytes: int
    oldest: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    bucket: str
    database: str
    dry_run: bool
    run: ObjectId | None
    """None for a dry run, which leaves no trace."""
    started: datetime
    """By the server's clock."""
    seconds: float
    older_than: timedelta
    kinds: frozenset[Kind]
    """What was looked for."""
    verified: bool
    """Whether every byte was read and compared with the checksums."""
    sizes_read: bool
    """Whether the sizes of all chunks were compared too; else only their numbers."""
    files: int
    """That were looked at."""
    chunks: int
    found: Mapping[Kind, Found]
    """What was moved to the trash or deleted; of a dry run, what would be."""
    kept: Found
    """Broken files that stay, because something refers to them or nobody knows whether."""
    young: int
    """That would have been collected but for their age."""
    restored: int
    """That came back from the trash because something refers to them again."""
    deleted: bool
    """Whether what was collected is gone for good, not in the trash."""
    trash: TrashSummary
    """After the run."""
    notes: tuple[str, ...] = field(default=())
    """Sentences: what was not looked for, and why."""

    @property
    def count(self) -> int:
        return sum(found.count for found in self.found.values())

    @property
    def bytes(self) -> int:
        return sum(found.bytes for found in self.found.values())

    @property
    def is_clean(self) -> bool:
        """Whether there was nothing to collect and no broken file."""
        return not self.count and not self.kept.count
