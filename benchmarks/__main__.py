"""Comparisons with other packages: ``python -m benchmarks [NAME...] [--repeats 5]``.

Every module of this package with a function ``run(uri, repeats)`` is a benchmark. It measures the
peer and this package in one run, interleaved, and returns rows. The table goes to the terminal and,
after each benchmark, as JSON to ``benchmarks/results/``, with the load averages of the machine.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from djongo_services.embedded import MongoServer

HERE = Path(__file__).parent
BENCHMARKS = (
    "catalog",
    "inspection",
    "profile",
    "schema",
    "transaction",
    "engine",
    "engine_tests",
    "engine_writes",
    "files",
    "files_collectstatic",
    "collector",
    "serving",
    "admin",
)
COLUMNS = ("name", "ours", "first", "peer_name", "peer", "unit", "ratio", "target", "reached")


def main() -> None:
    arguments = parse()
    rows: list[dict[str, Any]] = []
    loads: dict[str, float] = {}
    path = HERE / "results" / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
    path.parent.mkdir(exist_ok=True)
    with MongoServer() as server:
        for name in arguments.names or BENCHMARKS:
            benchmark = importlib.import_module(f"benchmarks.{name}")
            loads[name] = round(os.getloadavg()[0], 1)
            rows += benchmark.run(server.uri, arguments.repeats)
            result = {
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": machine(),
                "loads": loads,
                "mongodb": server.version,
                "repeats": arguments.repeats,
                "rows": rows,
            }
            path.write_text(json.dumps(result, indent=2) + "\n")
    show(result)
    print(f"Written to {path}.")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--repeats", type=int, default=5, help="runs whose median counts")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {min(unknown)!r}; there are {', '.join(BENCHMARKS)}")
    return arguments


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def show(result: dict[str, Any]) -> None:
    table = Table(title=f"{result['date']}, MongoDB {result['mongodb']}, {result['machine']}")
    for column in COLUMNS:
        table.add_column(column.replace("_", " "))
    for row in result["rows"]:
        table.add_row(*(shown(row.get(column)) for column in COLUMNS))
    console = Console(width=140)
    console.print(table)
    loads = ", ".join(f"{name} {load}" for name, load in result["loads"].items())
    console.print(f"Load averages when each began: {loads}")


def shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "NO"
        case float():
            return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
        case int():
            return f"{value:,}"
    return str(value)


if __name__ == "__main__":
    main()
