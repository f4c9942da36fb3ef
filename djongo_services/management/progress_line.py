"""One line on a terminal that says where the work is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from djongo_services.introspection.progress import Progress, ProgressHook
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.values import shortened


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
    rounds = f", round {progress.rounds}" if progress.rounds else ""
    name = shortened(printable(progress.collection), 40)
    return f"{name}: {progress.phase}{rounds}" if name else progress.phase
