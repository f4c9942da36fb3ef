"""``python -m tests.django_suites [SUITE...] [--write]``: the table, and what got worse.

The exit code is 1 when a test fails on the engine that is not in ``expected_failures.toml``, or
when a suite passes fewer tests on the engine than on the stock backend, and 2 when a suite did not
run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import django

from djongo_services.embedded import MongoServer
from tests.processes import python_path

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = ROOT / "docs" / "engine.md"
EXPECTED = Path(__file__).parent / "expected_failures.toml"
BEGIN, END = "<!-- django-tests: begin -->", "<!-- django-tests: end -->"
SUITES = (
    "transactions",
    "transaction_hooks",
    "get_or_create",
    "bulk_create",
    "introspection",
    "inspectdb",
    "schema",
    "constraints",
    "migrations",
    "test_utils",
    "indexes",
    "select_for_update",
    "async",
    "basic",
    "update",
    "delete",
    "fixtures",
    "prefetch_related",
    "admin_views",
    "handlers",
    "model_fields",
    "file_storage",
)
ENGINES = {"stock": "django_mongodb_backend", "engine": "djongo_services.backend"}
SECONDS = 3600
"""How long one suite may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """How the tests of one suite ended on one engine."""

    by_test: dict[str, tuple[str, str]] | None
    """``passed``, ``failed`` or ``skipped`` and the reason; None where the suite did not run."""

    @property
    def failures(self) -> dict[str, str]:
        tests = (self.by_test or {}).items()
        return {test: reason for test, (outcome, reason) in tests if outcome == "failed"}

    @property
    def passed(self) -> int:
        return self._counts()["passed"]

    def cell(self) -> str:
        if self.by_test is None:
            return "did not run"
        counts = self._counts()
        return " / ".join(str(counts[one]) for one in ("passed", "failed", "skipped"))

    def _counts(self) -> Counter[str]:
        return Counter(outcome for outcome, _ in (self.by_test or {}).values())


def main() -> int:
    arguments = _parse()
    source = arguments.source or _download()
    expected = _expected_failures()
    rows: dict[str, dict[str, Outcomes]] = {}
    with MongoServer() as server, tempfile.TemporaryDirectory() as folder:
        for suite in arguments.suites or SUITES:
            rows[suite] = {}
            for name in arguments.engine or ENGINES:
                outcomes = _run(suite, ENGINES[name], server.uri, source, Path(folder))
                rows[suite][name] = outcomes
                print(f"{suite:20} {name:7} {outcomes.cell()}", flush=True)
    if arguments.outcomes:
        found = {
            suite: {name: one.by_test for name, one in by_engine.items()}
            for suite, by_engine in rows.items()
        }
        arguments.outcomes.write_text(json.dumps(found, indent=1))
    if arguments.write:
        _write(_table(rows))
    if arguments.prune:
        _prune(rows)
    return _judge(rows, expected)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.django_suites", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this one")
    parser.add_argument("--source", type=Path, help="Django's source, instead of a download")
    parser.add_argument("--outcomes", type=Path, help="a JSON file for how each test ended")
    parser.add_argument(
        "--write", action="store_true", help=f"put the table into {DOCUMENT.relative_to(ROOT)}"
    )
    parser.add_argument(
        "--prune", action="store_true", help=f"remove what passes now from {EXPECTED.name}"
    )
    arguments = parser.parse_args()
    if arguments.write and (arguments.suites or arguments.engine):
        parser.error("--write needs all suites and both engines")
    return arguments


def _download() -> Path:
    """Django's source distribution of the installed version, unpacked beside the packages."""
    version = django.get_version()
    folder = ROOT / ".venv" / "django-source"
    source = folder / f"django-{version}"
    if not source.exists():
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run(
            [*download, "--no-binary", "django", "--dest", str(folder), f"django=={version}"],
            check=True,
        )
        with tarfile.open(next(folder.glob(f"[dD]jango-{version}.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
    return next(folder.glob(f"[dD]jango-{version}"))


def _run(suite: str, engine: str, uri: str, source: Path, folder: Path) -> Outcomes:
    written = folder / "outcomes.json"
    written.unlink(missing_ok=True)
    command = [sys.executable, "runtests.py", "--settings", "tests.django_suites.settings"]
    process = subprocess.run(
        [*command, "--parallel", "1", "--noinput", suite],
        cwd=source / "tests",
        env={
            **os.environ,
            "PYTHONPATH": python_path(),
            "DJANGO_SUITES_ENGINE": engine,
            "DJANGO_SUITES_URI": uri,
            "DJANGO_SUITES_OUTCOMES": str(written),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if not written.exists():
        print(*process.stdout.strip().splitlines()[-3:], sep="\n", file=sys.stderr)
        return Outcomes(by_test=None)
    return Outcomes(
        by_test={test: tuple(how) for test, how in json.loads(written.read_text()).items()}
    )


def _expected_failures() -> dict[str, str]:
    """The reason by test."""
    return {
        test: reason
        for reason, tests in tomllib.loads(EXPECTED.read_text()).items()
        for test in tests
    }


def _prune(rows: dict[str, dict[str, Outcomes]]) -> None:
    passing = {
        test
        for by_engine in rows.values()
        if (engine := by_engine.get("engine")) is not None
        for test in set(engine.by_test or ()) - set(engine.failures)
    }
    lines = EXPECTED.read_text().splitlines(keepends=True)
    EXPECTED.write_text("".join(one for one in lines if one.strip(' ",\n') not in passing))


def _table(rows: dict[str, dict[str, Outcomes]]) -> str:
    lines = ["| Suite | Stock backend | Engine |", "|---|---|---|"]
    for suite, by_engine in rows.items():
        cells = " | ".join(by_engine[name].cell() for name in ENGINES)
        lines.append(f"| {suite} | {cells} |")
    return "\n".join(lines)


def _write(table: str) -> None:
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise SystemExit(f"{DOCUMENT} has no lines {BEGIN} and {END}.")
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def _judge(rows: dict[str, dict[str, Outcomes]], expected: dict[str, str]) -> int:
    worse, broken = False, False
    for suite, by_engine in rows.items():
        broken |= any(one.by_test is None for one in by_engine.values())
        if (engine := by_engine.get("engine")) is None or engine.by_test is None:
            continue
        for test in sorted(set(engine.failures) - set(expected)):
            worse = True
            print(f"NEW FAILURE {test}\n    {engine.failures[test]}")
        for test in sorted(set(expected) & set(engine.by_test) - set(engine.failures)):
            print(f"passes now, --prune removes it from {EXPECTED.name}: {test}")
        stock = by_engine.get("stock")
        if stock is not None and engine.passed < stock.passed:
            worse = True
            print(f"{suite}: {stock.passed} pass on the stock backend, {engine.passed} here")
    return 2 if broken else int(worse)


if __name__ == "__main__":
    sys.exit(main())
