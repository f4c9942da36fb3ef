"""Runs, violations, duplicates and dangling references, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bson.json_util import RELAXED_JSON_OPTIONS, dumps
from rich import box
from rich.table import Table
from rich.text import Text

from djongo_services.formatting import elapsed, printable, value_text
from djongo_services.introspection.path import render_path
from djongo_services.schema.applying import SchemaRun
from djongo_services.schema.applying.duplicates import Duplicate
from djongo_services.schema.references import DanglingReferences
from djongo_services.schema.rendering import FORMAT_VERSION, on_console
from djongo_services.schema.syncing import Violations


def history_text(runs: Sequence[SchemaRun]) -> str:
    """A table, newest first; as wide as it needs to be, because truncated ids are useless."""
    if not runs:
        return "No runs yet.\n"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("WHAT", "STATUS", "STARTED (UTC)", "TOOK", "STEPS", "BY", "RUN"):
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
        return "No document violates a validator.\n"
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
    return "\n".join(
        f"  {_key(duplicate)}: {duplicate.documents:,} documents, "
        f"such as {value_text(duplicate.examples[0])} and {value_text(duplicate.examples[1])}"
        for duplicate in duplicates
    )


def references_text(found: Iterable[DanglingReferences]) -> str:
    """One line for each foreign key with values whose target does not exist, or that could not be
    read."""
    lines = [line for dangling in found for line in _reference_lines(dangling)]
    return "\n".join(lines) if lines else "Every reference has its target."


def _reference_lines(dangling: DanglingReferences) -> Iterator[str]:
    reference = dangling.reference
    what = f"{reference.model}: {render_path(reference.path)} → {reference.target}"
    if dangling.unavailable is not None:
        yield printable(f"{what}: not checked, {dangling.unavailable}")
        return
    documents = "document refers" if dangling.documents == 1 else "documents refer"
    yield printable(f"{what}: {dangling.documents:,} {documents} to nothing")
    for example in dangling.examples:
        yield f"  {value_text(example.id)} refers to {value_text(example.value)}"


def _violation_lines(violations: Violations) -> Iterator[str]:
    documents = "document violates" if violations.count == 1 else "documents violate"
    yield f"{printable(violations.collection)}: {violations.count:,} {documents} the validator"
    for violator in violations.examples:
        reasons = "; ".join(map(printable, violator.reasons))
        yield f"  {value_text(violator.id)}" + (f": {reasons}" if reasons else "")
    if (more := violations.count - len(violations.examples)) > 0:
        yield f"  and {more:,} more"


def _cells(run: SchemaRun) -> tuple[str, ...]:
    undone = ", ".join(map(str, run.rolls_back))
    status = f"{run.status}, rolls back {undone}" if undone else run.status
    return (
        run.summary.words(),
        status,
        f"{run.started:%Y-%m-%d %H:%M:%S}",
        "" if run.seconds is None else elapsed(run.seconds),
        f"{run.done} of {run.steps}",
        printable(run.by),
        str(run.id),
    )


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
