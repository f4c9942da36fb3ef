"""Reports for people, as tables, and for machines, as JSON.

``docs/gridfs_gc-json.md`` documents every key.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from djongo_services.durations import duration_text
from djongo_services.formatting import (
    count,
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
from djongo_services.translation import all_of, ngettext
from djongo_services.translation import gettext as _

FORMAT_VERSION: Final = 1
"""Raised when a key changes its meaning or goes; new keys may come without."""

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
        lines.append(Text(_("Broken, but kept because they are or may be in use:")))
        lines += [Text(f"  {_example(each)}") for each in report.kept.examples[:_SHOWN]]
        lines += [Text(f"  {line}") for line in _more(report.kept)]
        lines.append(Text())
    lines += [Text(printable(note)) for note in report.notes]
    lines += [Text(line) for line in _summary(report)]
    return _on_console(lines, color=color, width=width)


def render_purge(report: PurgeReport, *, color: bool = False, width: int = 100) -> str:
    heading = _("Trash of the bucket %(bucket)s of %(database)s")
    lines = [Text(heading % _place(report), style="bold")]
    lines += [Text(f"  {_entry(each)}") for each in report.examples]
    if (more := report.entries - len(report.examples)) > 0:
        lines.append(Text(f"  {_and_more(more)}"))
    if report.restored:
        text = _would_come_back if report.dry_run else _came_back
        lines.append(Text(text(report.restored)))
    if report.kept:
        lines.append(Text(_kept(report.kept)))
    lines.append(Text(_purged(report)))
    lines += [Text(line) for line in _trash_lines(report.trash)]
    return _on_console(lines, color=color, width=width)


def render_restored(restored: Iterable[tuple[str, TrashEntry]]) -> str:
    text = _("Restored to %(bucket)s: %(entry)s")
    words = [{"bucket": printable(bucket), "entry": _entry(each)} for bucket, each in restored]
    return _on_console([Text(text % each) for each in words], color=False, width=10_000)


def reports_json(reports: Iterable[CollectorReport]) -> str:
    return _json({"buckets": [_report(report) for report in reports]})


def purges_json(reports: Iterable[PurgeReport]) -> str:
    return _json({"buckets": [_purge(report) for report in reports]})


def restored_json(restored: Iterable[tuple[str, TrashEntry]]) -> str:
    return _json({"restored": [{"bucket": name, **_trash_entry(each)} for name, each in restored]})


def _heading(report: CollectorReport) -> str:
    files = ngettext("%(count)s file", "%(count)s files", report.files)
    chunks = ngettext("%(count)s chunk", "%(count)s chunks", report.chunks)
    words = {
        "files": files % {"count": count(report.files)},
        "chunks": chunks % {"count": count(report.chunks)},
    }
    return _("Bucket %(bucket)s of %(database)s: %(files)s, %(chunks)s") % {
        **_place(report),
        **words,
    }


def _place(report: CollectorReport | PurgeReport) -> dict[str, str]:
    return {"bucket": printable(report.bucket), "database": printable(report.database)}


def _purged(report: PurgeReport) -> str:
    if report.dry_run:
        text = ngettext(
            "Would delete %(count)s entry (%(size)s) for good.",
            "Would delete %(count)s entries (%(size)s) for good.",
            report.entries,
        )
    else:
        text = ngettext(
            "Deleted %(count)s entry (%(size)s) for good.",
            "Deleted %(count)s entries (%(size)s) for good.",
            report.entries,
        )
    return text % {"count": count(report.entries), "size": size(report.bytes)}


def _table(report: CollectorReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(_("KIND"), no_wrap=True)
    table.add_column(_("COUNT"), justify="right", no_wrap=True)
    table.add_column(_("BYTES"), justify="right", no_wrap=True)
    table.add_column(_("SUCH AS"), overflow="fold")
    for found in report.found.values():
        if found.count:
            examples = [_example(each) for each in found.examples[:_SHOWN]]
            cells = (_(found.kind.words), count(found.count), size(found.bytes))
            table.add_row(*cells, Text("\n".join([*examples, *_more(found)])))
    return table


def _more(found: KindTotal) -> list[str]:
    more = found.count - min(len(found.examples), _SHOWN)
    return [_and_more(more)] if more > 0 else []


def _and_more(more: int) -> str:
    text = ngettext("and %(count)s more", "and %(count)s more", more)
    return text % {"count": count(more)}


def _example(example: Example) -> str:
    name = value_text(example.id)
    if example.filename is not None:
        name = f"{shortened(printable(example.filename), _LONGEST)} ({name})"
    return f"{name}: {printable(example.reason)}" if example.reason else name


def _entry(entry: TrashEntry) -> str:
    name = value_text(entry.id)
    if entry.filename is not None:
        name = f"{shortened(printable(entry.filename), _LONGEST)} ({name})"
    return _("%(name)s: %(kind)s, removed %(when)s UTC") % {
        "name": name,
        "kind": printable(str(entry.kind)),
        "when": f"{entry.trashed_at:%Y-%m-%d %H:%M}",
    }


def _summary(report: CollectorReport) -> list[str]:
    lines = []
    if report.young:
        lines.append(_young(report))
    if report.restored:
        lines.append(_came_back(report.restored))
    lines += _trash_lines(report.trash)
    listed = [found.kind.counted(found.count) for found in report.found.values() if found.count]
    if not report.count:
        return [*lines, _("Nothing to collect.")]
    words = {"what": all_of(listed), "size": size(report.bytes), "run": report.run}
    return [*lines, _done(report) % words]


def _done(report: CollectorReport) -> str:
    match (report.dry_run, report.deleted):
        case (True, False):
            return _("Would move %(what)s (%(size)s) to the trash.")
        case (True, True):
            return _("Would delete %(what)s (%(size)s) for good.")
        case (False, False):
            return _("Moved %(what)s (%(size)s) to the trash in run %(run)s.")
    return _("Deleted %(what)s (%(size)s) for good in run %(run)s.")


def _young(report: CollectorReport) -> str:
    text = ngettext(
        "%(count)s more is kept: it is younger than %(age)s.",
        "%(count)s more are kept: they are younger than %(age)s.",
        report.young,
    )
    age = duration_text(report.older_than.total_seconds())
    return text % {"count": count(report.young), "age": age}


def _trash_lines(trash: TrashSummary) -> list[str]:
    if not trash.entries or trash.oldest is None:
        return []
    text = ngettext(
        "In the trash: %(count)s entry (%(size)s), the oldest of %(day)s.",
        "In the trash: %(count)s entries (%(size)s), the oldest of %(day)s.",
        trash.entries,
    )
    words = {"count": count(trash.entries), "size": size(trash.bytes)}
    return [text % {**words, "day": f"{trash.oldest:%Y-%m-%d}"}]


def _came_back(restored: int) -> str:
    text = ngettext(
        "%(count)s file was restored from the trash because something refers to it again.",
        "%(count)s files were restored from the trash because something refers to them again.",
        restored,
    )
    return text % {"count": count(restored)}


def _would_come_back(restored: int) -> str:
    text = ngettext(
        "%(count)s file would be restored from the trash because something refers to it again.",
        "%(count)s files would be restored from the trash because something refers to them again.",
        restored,
    )
    return text % {"count": count(restored)}


def _kept(kept: int) -> str:
    text = ngettext(
        "%(count)s entry stays in the trash because something refers to it; restore it with "
        "--restore.",
        "%(count)s entries stay in the trash because something refers to them; restore them with "
        "--restore.",
        kept,
    )
    return text % {"count": count(kept)}


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
