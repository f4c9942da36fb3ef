"""What moving files did, or would do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from djongo_services.formatting import counted, printable, size

FORMAT_VERSION = 1
EXAMPLES = 20
"""Problems of a bucket that are listed individually; all are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NotMoved:
    """A file that was not moved."""

    name: str
    """Its name in the new storage; if it has none, a description instead."""
    id: str
    reason: str
    """The reason, as a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MovedBucket:
    """The result for the files of one bucket, which was one folder."""

    bucket: str
    folder: str
    """Its folder in the new storage, with a slash at its end; empty for none."""
    moved: int = 0
    """Files that were copied, or would be in a dry run."""
    moved_bytes: int = 0
    already: int = 0
    """Files that already had a copy."""
    older: int = 0
    """Older revisions of moved files, which no name refers to; they were not copied."""
    deleted: int = 0
    """Originals that were deleted, older revisions included."""
    stayed: int = 0
    """Files that could not be moved."""
    problems: tuple[NotMoved, ...] = ()
    """The first problems."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveReport:
    buckets: tuple[MovedBucket, ...]
    dry_run: bool
    """Whether nothing was changed."""
    interrupted: bool
    """Whether it was stopped before its end; run it again to continue."""

    @property
    def moved(self) -> int:
        return sum(each.moved for each in self.buckets)

    @property
    def moved_bytes(self) -> int:
        return sum(each.moved_bytes for each in self.buckets)

    @property
    def already(self) -> int:
        return sum(each.already for each in self.buckets)

    @property
    def deleted(self) -> int:
        return sum(each.deleted for each in self.buckets)

    @property
    def stayed(self) -> int:
        return sum(each.stayed for each in self.buckets)


def render_text(report: MoveReport) -> str:
    lines = [line for bucket in report.buckets for line in _bucket_lines(bucket, report.dry_run)]
    if not report.buckets:
        lines.append("There is no file.")
    verb = "would be moved" if report.dry_run else "moved"
    total = f"{counted(report.moved, 'file')} ({size(report.moved_bytes)}) {verb}"
    rest = [
        f"{report.already:,} moved before" if report.already else "",
        f"{counted(report.deleted, 'original')} deleted" if report.deleted else "",
        f"{report.stayed:,} stayed" if report.stayed else "",
    ]
    lines += ["", ", ".join(filter(None, [total, *rest])) + "."]
    if report.interrupted:
        lines.append("Interrupted: run it again to continue.")
    return "\n".join(lines) + "\n"


def render_json(report: MoveReport) -> str:
    """``{"format_version": 1, "dry_run", "interrupted", "moved", "moved_bytes", "already",
    "deleted", "stayed", "buckets": [{"bucket", "folder", "moved", "moved_bytes", "already",
    "older", "deleted", "stayed", "problems": [{"name", "id", "reason"}]}]}``."""
    totals = ("dry_run", "interrupted", "moved", "moved_bytes", "already", "deleted", "stayed")
    document: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        **{key: getattr(report, key) for key in totals},
        "buckets": [asdict(bucket) for bucket in report.buckets],
    }
    return json.dumps(document, indent=2)


def _bucket_lines(bucket: MovedBucket, dry_run: bool) -> Sequence[str]:
    verb = "to move" if dry_run else "moved"
    parts = [
        f"{bucket.moved:,} {verb} ({size(bucket.moved_bytes)})",
        f"{bucket.already:,} moved before" if bucket.already else "",
        f"{counted(bucket.older, 'older revision')} not copied" if bucket.older else "",
        f"{bucket.deleted:,} deleted" if bucket.deleted else "",
        f"{bucket.stayed:,} stayed" if bucket.stayed else "",
    ]
    folder = printable(bucket.folder) or "no folder"
    lines = [f"{printable(bucket.bucket)} -> {folder}: {', '.join(filter(None, parts))}"]
    for problem in bucket.problems:
        lines.append(f"  {printable(problem.name)} ({printable(problem.id)}): ")
        lines[-1] += printable(problem.reason)
    if bucket.stayed > len(bucket.problems):
        lines.append(f"  and {bucket.stayed - len(bucket.problems):,} more")
    return lines
