"""Runs, violations, duplicates and dangling references, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bson.json_util import RELAXED_JSON_OPTIONS, dumps
from rich import box
from rich.table import Table
from rich.text import Text

from djongo_services.durations import elapsed_text
from djongo_services.formatting import count, printable, value_text
from djongo_services.introspection.path import render_path
from djongo_services.schema.applying import SchemaRun
from djongo_services.schema.applying.duplicates import Duplicate
from djongo_services.schema.references import DanglingReferences
from djongo_services.schema.rendering import FORMAT_VERSION, on_console
from djongo_services.schema.syncing import Violations
from djongo_services.schema.wording import summary_text
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext


def history_text(runs: Sequence[SchemaRun]) -> str:
    """A table, newest first; as wide as it needs to be, because truncated ids are useless."""
    if not runs:
        return _("No runs yet.") + "\n"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = (
        _("WHAT"),
        _("STATUS"),
        _("STARTED (UTC)"),
        _("TOOK"),
        _("STEPS"),
        _("BY"),
        _("RUN"),
    )
    for column in columns:
        table.add_column(column, no_wrap=True)
    for run in runs:
        table.add_row(*(Text(printable(cell)) for cell in _cells(run)))
    return on_console([table])


def history_json(runs: Sequence[SchemaRun]) -> str:
    """``{"format_version": 1, "runs": [{"run", "summary", "started", "finished", "seconds",
    "status", "steps", "done", "by", "rolls_back", "stopped_by", "error"}]}``."""
    return _json({"runs": [_run_document(run) for run in runs]})


def violations_text(found: Sequence[Violations]) -> str:
    if not found:
        return _("No document violates a validator.") + "\n"
    return "\n".join(line for violations in found for line in _violation_lines(violations)) + "\n"


def violations_json(found: Sequence[Violations]) -> str:
    """``{"format_version": 1, "violations": [{"collection", "count", "examples": [{"_id",
    "reasons": [...]}]}]}``."""
    documents = [
        {
            "collection": violations.collection,
            "count": violations.count,
            "examples": [
                {"_id": violator.id, "reasons": list(violator.reasons)}
                for violator in violations.examples
            ],
        }
        for violations in found
    ]
    return _json({"violations": documents})


def duplicates_text(duplicates: Iterable[Duplicate]) -> str:
    """One line for each shared key: ``{email: "a@b.c"}: 3 documents, such as 1 and 2``."""
    return "\n".join(f"  {_duplicate_text(duplicate)}" for duplicate in duplicates)


def references_text(found: Iterable[DanglingReferences]) -> str:
    """One line for each foreign key with values whose target does not exist, or that could not be
    read."""
    lines = [line for dangling in found for line in _reference_lines(dangling)]
    return "\n".join(lines) if lines else _("Every reference has its target.")


def _duplicate_text(duplicate: Duplicate) -> str:
    text = ngettext(
        "%(key)s: %(count)s document, such as %(one)s and %(other)s",
        "%(key)s: %(count)s documents, such as %(one)s and %(other)s",
        duplicate.documents,
    )
    return text % {
        "key": _key(duplicate),
        "count": count(duplicate.documents),
        "one": value_text(duplicate.examples[0]),
        "other": value_text(duplicate.examples[1]),
    }


def _reference_lines(dangling: DanglingReferences) -> Iterator[str]:
    reference = dangling.reference
    what = f"{reference.model}: {render_path(reference.path)} → {reference.target}"
    if dangling.unavailable is not None:
        text = _("%(reference)s: not checked, %(reason)s")
        yield printable(text % {"reference": what, "reason": dangling.unavailable})
        return
    text = ngettext(
        "%(reference)s: %(count)s document refers to nothing",
        "%(reference)s: %(count)s documents refer to nothing",
        dangling.documents,
    )
    yield printable(text % {"reference": what, "count": count(dangling.documents)})
    for example in dangling.examples:
        words = {"document": value_text(example.id), "value": value_text(example.value)}
        yield "  " + _("%(document)s refers to %(value)s") % words


def _violation_lines(violations: Violations) -> Iterator[str]:
    text = ngettext(
        "%(collection)s: %(count)s document violates the validator",
        "%(collection)s: %(count)s documents violate the validator",
        violations.count,
    )
    name = printable(violations.collection)
    yield text % {"collection": name, "count": count(violations.count)}
    for violator in violations.examples:
        reasons = "; ".join(map(printable, violator.reasons))
        yield f"  {value_text(violator.id)}" + (f": {reasons}" if reasons else "")
    if (more := violations.count - len(violations.examples)) > 0:
        text = ngettext("and %(count)s more", "and %(count)s more", more)
        yield "  " + text % {"count": count(more)}


def _cells(run: SchemaRun) -> tuple[str, ...]:
    return (
        summary_text(run.summary),
        _status(run),
        f"{run.started:%Y-%m-%d %H:%M:%S}",
        "" if run.seconds is None else elapsed_text(run.seconds),
        _("%(done)s of %(all)s") % {"done": run.done, "all": run.steps},
        printable(run.by),
        str(run.id),
    )


def _status(run: SchemaRun) -> str:
    status = {
        "running": _("running"),
        "done": _("done"),
        "failed": _("failed"),
        "interrupted": _("interrupted"),
    }[run.status]
    if not run.rolls_back:
        return status
    words = {"status": status, "runs": ", ".join(map(str, run.rolls_back))}
    return _("%(status)s, rolls back %(runs)s") % words


def _run_document(run: SchemaRun) -> dict[str, Any]:
    return {
        "run": str(run.id),
        "summary": run.summary.words(),
        "started": run.started,
        "finished": run.finished,
        "seconds": run.seconds,
        "status": run.status,
        "steps": run.steps,
        "done": run.done,
        "by": run.by,
        "rolls_back": [str(undone) for undone in run.rolls_back],
        "stopped_by": run.stopped_by,
        "error": run.error,
    }


def _key(duplicate: Duplicate) -> str:
    pairs = (f"{printable(name)}: {value_text(value)}" for name, value in duplicate.key.items())
    return "{" + ", ".join(pairs) + "}"


def _json(document: dict[str, Any]) -> str:
    whole = {"format_version": FORMAT_VERSION, **document}
    return dumps(whole, json_options=RELAXED_JSON_OPTIONS, indent=2, ensure_ascii=False) + "\n"
