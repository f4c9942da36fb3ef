"""What moving files did, or would do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from djongo_services.formatting import count, printable, size
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext

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
        lines.append(_("No files found."))
    lines += ["", ", ".join(filter(None, _totals(report))) + "."]
    if report.interrupted:
        lines.append(_("Interrupted: run it again to continue."))
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


def _totals(report: MoveReport) -> Iterator[str]:
    """Phrases; empty for those without a number."""
    if report.dry_run:
        text = ngettext(
            "%(count)s file (%(size)s) would be moved",
            "%(count)s files (%(size)s) would be moved",
            report.moved,
        )
    else:
        text = ngettext(
            "%(count)s file (%(size)s) moved", "%(count)s files (%(size)s) moved", report.moved
        )
    yield text % {"count": count(report.moved), "size": size(report.moved_bytes)}
    yield _moved_before(report.already)
    deleted = ngettext("%(count)s original deleted", "%(count)s originals deleted", report.deleted)
    yield deleted % {"count": count(report.deleted)} if report.deleted else ""
    yield _stayed(report.stayed)


def _moved_before(number: int) -> str:
    text = ngettext("%(count)s moved before", "%(count)s moved before", number)
    return text % {"count": count(number)} if number else ""


def _stayed(number: int) -> str:
    text = ngettext("%(count)s stayed", "%(count)s stayed", number)
    return text % {"count": count(number)} if number else ""


def _bucket_parts(bucket: MovedBucket, dry_run: bool) -> Iterator[str]:
    if dry_run:
        text = ngettext(
            "%(count)s to move (%(size)s)", "%(count)s to move (%(size)s)", bucket.moved
        )
    else:
        text = ngettext("%(count)s moved (%(size)s)", "%(count)s moved (%(size)s)", bucket.moved)
    yield text % {"count": count(bucket.moved), "size": size(bucket.moved_bytes)}
    yield _moved_before(bucket.already)
    older = ngettext(
        "%(count)s older revision not copied",
        "%(count)s older revisions not copied",
        bucket.older,
    )
    yield older % {"count": count(bucket.older)} if bucket.older else ""
    deleted = ngettext("%(count)s deleted", "%(count)s deleted", bucket.deleted)
    yield deleted % {"count": count(bucket.deleted)} if bucket.deleted else ""
    yield _stayed(bucket.stayed)


def _bucket_lines(bucket: MovedBucket, dry_run: bool) -> Sequence[str]:
    folder = printable(bucket.folder) or _("no folder")
    parts = ", ".join(filter(None, _bucket_parts(bucket, dry_run)))
    lines = [f"{printable(bucket.bucket)} -> {folder}: {parts}"]
    for problem in bucket.problems:
        lines.append(f"  {printable(problem.name)} ({printable(problem.id)}): ")
        lines[-1] += printable(problem.reason)
    if bucket.stayed > len(bucket.problems):
        more = bucket.stayed - len(bucket.problems)
        text = ngettext("and %(count)s more", "and %(count)s more", more)
        lines.append("  " + text % {"count": count(more)})
    return lines
