"""Reports for people, as tables, and for machines, as JSON.

``docs/gridfs_gc-json.md`` documents every key.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from djongo_services.formatting import (
    age_text,
    count,
    counted,
    extended_json,
    printable,
    shortened,
    size,
    value_text,
)
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.purging import PurgeReport
from djongo_services.storage.collector.runs import CollectorReport, Example, KindTotal, TrashSummary
from djongo_services.storage.collector.trash import TrashEntry

FORMAT_VERSION: Final = 1
"""Raised when a key changes its meaning or goes; new keys may come without."""

_KEPT: Final = "Broken, but kept because they are or may be in use:"
_SHOWN: Final = 3
"""Examples in the text; the JSON has all."""
_LONGEST: Final = 60
"""Characters of a filename."""

Json = dict[str, Any]


def render_text(report: CollectorReport, *, color: bool = False, width: int = 100) -> str:
    """Ends with one line that says what was done, or would be."""
    lines: list[Text | Table] = [Text(_heading(report), style="bold")]
    lines.append(_table(report) if report.count else Text())
    if report.kept.count:
        lines.append(Text(_KEPT))
        lines += [Text(f"  {_example(each)}") for each in report.kept.examples[:_SHOWN]]
        lines += [Text(f"  {line}") for line in _more(report.kept)]
        lines.append(Text())
    lines += [Text(printable(note)) for note in report.notes]
    lines += [Text(line) for line in _summary(report)]
    return _on_console(lines, color=color, width=width)


def render_purge(report: PurgeReport, *, color: bool = False, width: int = 100) -> str:
    done = "Would delete" if report.dry_run else "Deleted"
    what = counted(report.entries, "entry", "entries")
    lines = [Text(f"Trash of the bucket {_place(report)}", style="bold")]
    lines += [Text(f"  {_entry(each)}") for each in report.examples]
    if (more := report.entries - len(report.examples)) > 0:
        lines.append(Text(f"  and {more:,} more"))
    if report.restored:
        text = _would_come_back if report.dry_run else _came_back
        lines.append(Text(text(report.restored)))
    if report.kept:
        lines.append(Text(_kept(report.kept)))
    lines.append(Text(f"{done} {what} ({size(report.bytes)}) for good."))
    lines += [Text(line) for line in _trash_lines(report.trash)]
    return _on_console(lines, color=color, width=width)


def render_restored(restored: Iterable[tuple[str, TrashEntry]]) -> str:
    lines = [Text(f"Restored to {printable(bucket)}: {_entry(each)}") for bucket, each in restored]
    return _on_console(lines, color=False, width=10_000)


def reports_json(reports: Iterable[CollectorReport]) -> str:
    return _json({"buckets": [_report(report) for report in reports]})


def purges_json(reports: Iterable[PurgeReport]) -> str:
    return _json({"buckets": [_purge(report) for report in reports]})


def restored_json(restored: Iterable[tuple[str, TrashEntry]]) -> str:
    return _json({"restored": [{"bucket": name, **_trash_entry(each)} for name, each in restored]})


def _heading(report: CollectorReport) -> str:
    looked = f"{counted(report.files, 'file')}, {counted(report.chunks, 'chunk')}"
    return f"Bucket {_place(report)}: {looked}"


def _place(report: CollectorReport | PurgeReport) -> str:
    return printable(f"{report.bucket} of {report.database}")


def _table(report: CollectorReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("KIND", no_wrap=True)
    table.add_column("COUNT", justify="right", no_wrap=True)
    table.add_column("BYTES", justify="right", no_wrap=True)
    table.add_column("SUCH AS", overflow="fold")
    for found in report.found.values():
        if found.count:
            examples = [_example(each) for each in found.examples[:_SHOWN]]
            cells = (found.kind.words, count(found.count), size(found.bytes))
            table.add_row(*cells, Text("\n".join([*examples, *_more(found)])))
    return table


def _more(found: KindTotal) -> list[str]:
    more = found.count - min(len(found.examples), _SHOWN)
    return [f"and {more:,} more"] if more > 0 else []


def _example(example: Example) -> str:
    name = value_text(example.id)
    if example.filename is not None:
        name = f"{shortened(printable(example.filename), _LONGEST)} ({name})"
    return f"{name}: {printable(example.reason)}" if example.reason else name


def _entry(entry: TrashEntry) -> str:
    name = value_text(entry.id)
    if entry.filename is not None:
        name = f"{shortened(printable(entry.filename), _LONGEST)} ({name})"
    removed = f"{entry.trashed_at:%Y-%m-%d %H:%M}"
    return f"{name}: {printable(str(entry.kind))}, removed {removed} UTC"


def _summary(report: CollectorReport) -> list[str]:
    lines = []
    if report.young:
        lines.append(_young(report))
    if report.restored:
        lines.append(_came_back(report.restored))
    lines += _trash_lines(report.trash)
    listed = [found.kind.counted(found.count) for found in report.found.values() if found.count]
    total = f"{_listing(listed)} ({size(report.bytes)})"
    match (report.count, report.dry_run, report.deleted):
        case (0, _, _):
            lines.append("Nothing to collect.")
        case (_, True, False):
            lines.append(f"Would move {total} to the trash.")
        case (_, True, True):
            lines.append(f"Would delete {total} for good.")
        case (_, False, False):
            lines.append(f"Moved {total} to the trash in run {report.run}.")
        case (_, False, True):
            lines.append(f"Deleted {total} for good in run {report.run}.")
    return lines


def _young(report: CollectorReport) -> str:
    age = age_text(report.older_than)
    if report.young == 1:
        return f"1 more is kept: it is younger than {age}."
    return f"{report.young:,} more are kept: they are younger than {age}."


def _trash_lines(trash: TrashSummary) -> list[str]:
    if not trash.entries or trash.oldest is None:
        return []
    return [
        f"In the trash: {counted(trash.entries, 'entry', 'entries')} ({size(trash.bytes)}), the "
        f"oldest of {trash.oldest:%Y-%m-%d}."
    ]


def _listing(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *before, last = parts or [""]
    return f"{', '.join(before)} and {last}" if before else last


def _came_back(restored: int) -> str:
    if restored == 1:
        return "1 file was restored from the trash because something refers to it again."
    files = f"{count(restored)} files"
    return f"{files} were restored from the trash because something refers to them again."


def _would_come_back(restored: int) -> str:
    which = "it" if restored == 1 else "them"
    files = counted(restored, "file")
    return f"{files} would be restored from the trash because something refers to {which} again."


def _kept(kept: int) -> str:
    if kept == 1:
        return (
            "1 entry stays in the trash because something refers to it; restore it with --restore."
        )
    return (
        f"{count(kept)} entries stay in the trash because something refers to them; restore "
        f"them with --restore."
    )


def _report(report: CollectorReport) -> Json:
    return {
        "bucket": report.bucket,
        "database": report.database,
        "dry_run": report.dry_run,
        "run": report.run and str(report.run),
        "started": report.started,
        "seconds": round(report.seconds, 3),
        "older_than_seconds": report.older_than.total_seconds(),
        "kinds": [kind.value for kind in Kind if kind in report.kinds],
        "verified": report.verified,
        "sizes_read": report.sizes_read,
        "files": report.files,
        "chunks": report.chunks,
        "count": report.count,
        "bytes": report.bytes,
        "found": [_found(found) for found in report.found.values()],
        "kept": _found(report.kept),
        "young": report.young,
        "restored": report.restored,
        "deleted": report.deleted,
        "trash": _trash(report.trash),
        "notes": list(report.notes),
    }


def _found(found: KindTotal) -> Json:
    return {
        "kind": found.kind.value,
        "count": found.count,
        "bytes": found.bytes,
        "examples": [
            {
                "id": example.id,
                "filename": example.filename,
                "bytes": example.bytes,
                "since": example.since,
                "reason": example.reason,
            }
            for example in found.examples
        ],
    }


def _purge(report: PurgeReport) -> Json:
    return {
        "bucket": report.bucket,
        "database": report.database,
        "dry_run": report.dry_run,
        "older_than_seconds": report.older_than.total_seconds(),
        "entries": report.entries,
        "bytes": report.bytes,
        "examples": [_trash_entry(entry) for entry in report.examples],
        "restored": report.restored,
        "kept": report.kept,
        "trash": _trash(report.trash),
    }


def _trash_entry(entry: TrashEntry) -> Json:
    return {
        "id": entry.id,
        "kind": str(entry.kind),
        "filename": entry.filename,
        "bytes": entry.bytes,
        "trashed_at": entry.trashed_at,
        "run": entry.run and str(entry.run),
        "reason": entry.reason,
    }


def _trash(trash: TrashSummary) -> Json:
    return {"entries": trash.entries, "bytes": trash.bytes, "oldest": trash.oldest}


def _json(document: Json) -> str:
    return extended_json({"format_version": FORMAT_VERSION, **document}, indent=2) + "\n"


def _on_console(lines: Iterable[Text | Table], *, color: bool, width: int) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=color, no_color=not color, width=width, legacy_windows=False
    )
    for line in lines:
        console.print(line, soft_wrap=isinstance(line, Text))
    # A table's cells are filled up with blanks; they mean nothing at the end of a line.
    return "".join(f"{line.rstrip(' ')}\n" for line in stream.getvalue().splitlines())
