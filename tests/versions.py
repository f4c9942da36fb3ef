"""The table of docs/versions.md, of what the sessions of the matrix have written.

``python -m tests.versions`` after ``make matrix`` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.processes import ROOT

PAGE = ROOT / "docs" / "versions.md"
RESULTS = ROOT / ".nox" / "matrix"
BEGIN, END = "<!-- what ran -->\n", "<!-- end -->\n"
COLUMNS = {
    ("engine", "6.0"): "the engine on 6.0",
    ("engine", "5.0"): "on 5.0",
    ("engine", "4.4"): "migrations on 4.4",
    ("stock", "6.0"): "stock backend on 6.0",
    ("sql", "6.0"): "kind B on 6.0",
    ("sql", "5.0"): "on 5.0",
    ("sql", "4.4"): "on 4.4",
}
"""Rooms and servers of a session, in words."""

Result = Mapping[str, Any]


def table(results: Iterable[Result]) -> str:
    """A row for each environment; a dash where nothing ran."""
    rows: dict[tuple[str, ...], dict[tuple[str, str], str]] = {}
    for one in results:
        row = rows.setdefault((one["python"], one["django"], one["backend"]), {})
        row[one["room"], one["server"]] = _cell(one)
    head = ["Python", "Django", "backend", *COLUMNS.values()]
    lines = [head, ["---"] * len(head)]
    for versions in sorted(rows, key=lambda one: [_numbers(each) for each in one]):
        lines.append([*versions, *(rows[versions].get(column, "-") for column in COLUMNS)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(result: Result) -> str:
    failed = result["failures"] + result["errors"]
    ran = result["tests"] - result["skipped"]
    return f"{ran} passed" if not failed else f"{ran - failed} passed, {failed} failed"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def main() -> None:
    results = [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    days = sorted({one["day"] for one in results})
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    ran = f"Written by `python -m tests.versions` of what ran on {' and '.join(days)}:\n\n"
    PAGE.write_text(f"{before}{BEGIN}\n{ran}{table(results)}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
