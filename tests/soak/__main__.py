"""A mixed load on three members that are killed, stopped and stepped down; see tests/soak."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path

from rich.console import Console

from tests.soak.report import as_json, show
from tests.soak.running import for_minutes, soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="default: %(default)s")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="default: a new one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    how = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(f"Seed {how.seed}: {how.minutes:g} minutes of load begin.")
    result = soak(how.seed, for_minutes(how.minutes))
    show(result, console)
    if how.json is not None:
        how.json.write_text(json.dumps(as_json(result), indent=1), encoding="utf-8")
    return 1 if result.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
