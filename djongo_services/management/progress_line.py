"""One line on a terminal that says where the work is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from djongo_services.formatting import printable, shortened
from djongo_services.progress import Progress, ProgressHook

if TYPE_CHECKING:  # Not every command applies plans.
    from djongo_services.schema.applying import ApplyHook, ApplyProgress


@contextmanager
def progress_line(stream: TextIO, *, color: bool) -> Iterator[ProgressHook]:
    """A hook that draws on ``stream``, a terminal; the line is gone when the block ends."""
    console = Console(file=stream, no_color=not color)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24, complete_style="cyan", finished_style="cyan", pulse_style="cyan"),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                description=describe_progress(progress),
                completed=progress.done,
                total=progress.total,
            )

        yield show


def describe_progress(progress: Progress) -> str:
    """``notes: proof, round 2``."""
    name, phase = shortened(printable(progress.collection), 40), _phase(progress.phase)
    if not name:
        return phase
    words = {"name": name, "phase": phase, "round": progress.rounds}
    if progress.rounds:
        return _("%(name)s: %(phase)s, round %(round)s") % words
    return f"{name}: {phase}"


def _phase(phase: str) -> str:
    """What the services call it, in words; the step of a plan is in words already."""
    return {
        "catalog": pgettext("what is being done", "catalog"),
        "sample": pgettext("what is being done", "sample"),
        "proof": pgettext("what is being done", "proof"),
        "counts": pgettext("what is being done", "counts"),
        "values": pgettext("what is being done", "values"),
        "references": pgettext("what is being done", "references"),
        "warnings": pgettext("what is being done", "warnings"),
        "names": pgettext("what is being done", "names"),
        "files and chunks": pgettext("what is being done", "files and chunks"),
        "trash": pgettext("what is being done", "trash"),
        "moving": pgettext("what is being done", "moving"),
    }.get(phase, phase)


def drawing_steps(line: ProgressHook) -> ApplyHook:
    """Draws the steps of a plan that is applied."""

    def draw(at: ApplyProgress) -> None:
        step = {"step": at.operation.words(), "number": at.number + 1, "total": at.total}
        words = _("%(step)s (%(number)s of %(total)s)") % step
        line(
            Progress(
                collection=at.operation.collection,
                phase=printable(words),
                done=at.done,
                total=at.of or None,
            )
        )

    return draw
