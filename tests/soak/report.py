"""The result of a soak as tables for people, and as JSON."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.soak.running import Result

OUTCOMES = ("done", "refused", "unknown", "wrong")
SHOWN = 20
"""Different things that are wrong, at most."""


def show(result: Result, console: Console) -> None:
    console.print(operations(result))
    console.print(reasons(result))
    console.print(figures(result))
    faults = ", ".join(f"{count} {name}" for name, count in sorted(result.faults.items()))
    console.print(f"{sum(result.faults.values())} faults in {result.seconds:.0f} s: {faults}")
    busy = f"{os.cpu_count()} processors, load average {os.getloadavg()[1]:.1f} in 5 minutes"
    console.print(f"MongoDB {result.version}, 3 members; {busy}; seed {result.seed}")
    for what, count in list(result.wrong.items())[:SHOWN]:
        console.print(f"[bold red]WRONG[/] ({count}) {escape(what)}", soft_wrap=True)
    if len(result.wrong) > SHOWN:
        console.print(f"... and {len(result.wrong) - SHOWN} more.")
    if not result.wrong:
        console.print(
            "[bold green]Sound:[/] nothing acknowledged is lost or doubled, no file is broken, "
            "nothing is left open, the plan is clean, memory and connections are flat."
        )


def table(title: str, *columns: str) -> Table:
    made = Table(title=title, box=box.SIMPLE, title_justify="left")
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left")
    return made


def operations(result: Result) -> Table:
    made = table("Operations", "kind", *OUTCOMES, "per second")
    kinds = sorted({kind for kind, _ in result.counts})
    for kind in kinds:
        counts = [result.counts.get((kind, outcome), 0) for outcome in OUTCOMES]
        made.add_row(kind, *map(str, counts), f"{sum(counts) / result.seconds:.2f}")
    return made


def reasons(result: Result) -> Table:
    made = Table(title="Why operations were not done", box=box.SIMPLE, title_justify="left")
    made.add_column("kind")
    made.add_column("times", justify="right")
    made.add_column("error")
    for (kind, reason), count in sorted(Counter(result.reasons).items()):
        made.add_row(kind, str(count), escape(reason))
    return made


def figures(result: Result) -> Table:
    made = table(
        "Memory, connections and sessions: medians of each third of the load",
        *("of", "unit", "samples", "first", "middle", "last", "highest", "rest", "limit", ""),
    )
    for each in result.series:
        values = [each.first, each.middle, each.last, each.highest]
        limit = "" if each.limit is None else f"{each.limit:,.0f}"
        verdict = "" if each.limit is None else "flat" if each.flat else "[red]grows[/]"
        numbers = [f"{value:,.0f}" for value in values]
        rest = "" if each.rest is None else f"{each.rest:,.0f}"
        made.add_row(each.name, each.unit, str(each.samples), *numbers, rest, limit, verdict)
    return made


def as_json(result: Result) -> dict[str, Any]:
    return {
        "seed": result.seed,
        "seconds": round(result.seconds, 1),
        "mongodb": result.version,
        "load_average": os.getloadavg(),
        "operations": [
            {"kind": kind, "outcome": outcome, "count": count}
            for (kind, outcome), count in sorted(result.counts.items())
        ],
        "reasons": [
            {"kind": kind, "reason": reason, "count": count}
            for (kind, reason), count in sorted(result.reasons.items())
        ],
        "faults": dict(result.faults),
        "series": [dataclasses.asdict(each) | {"flat": each.flat} for each in result.series],
        "wrong": dict(result.wrong),
    }
