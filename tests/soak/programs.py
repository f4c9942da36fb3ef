"""The programs of the load, each a process, and what they report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from tests.processes import ROOT, python_path

LEDGER = "ledger.jsonl"


class Books:
    """The programs' reports: the counts here, each line in a file, so that memory stays flat."""

    def __init__(self, folder: Path) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        """Counts by kind and outcome."""
        self.reasons: Counter[tuple[str, str]] = Counter()
        """Operations that were not done, by kind and reason."""
        self.wrong: Counter[str] = Counter()
        """Results that must not occur, and how often they occurred."""
        self.ended: dict[str, str] = {}
        """Programs that have ended, and what they wrote to stderr last."""
        self.path = folder / LEDGER
        self.changed = threading.Condition()
        self._file = self.path.open("w", encoding="utf-8")

    def enter(self, text: str, line: dict[str, Any]) -> None:
        kind, outcome = line["kind"], line["outcome"]
        with self.changed:
            self.counts[kind, outcome] += 1
            if outcome == "wrong":
                self.wrong[f"{kind}: {line['reason']}"] += 1
            elif "reason" in line:
                self.reasons[kind, line["reason"]] += 1
            self._file.write(text)
            self.changed.notify_all()

    def lines(self) -> Iterator[dict[str, Any]]:
        """All that was reported, in the order in which it came."""
        with self.changed:
            self._file.flush()
        with self.path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Raises RuntimeError when a program has ended before."""
        with self.changed:
            self.changed.wait_for(lambda: bool(self.ended) or condition())
            if self.ended:
                raise RuntimeError(f"Programs have ended: {self.ended}")

    def wait_for_more(self, number: int, kinds: Sequence[str]) -> None:
        """Wait until a number of further operations of each kind is done."""
        before = self.done()
        self.wait_for(lambda: all(self.done()[kind] >= before[kind] + number for kind in kinds))

    def close(self) -> None:
        self._file.close()

    def done(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (kind, outcome), count in self.counts.copy().items():
            if outcome == "done":
                found[kind] += count
        return found


class Program:
    """``python -m tests.soak.loads NAME SEED FOLDER``."""

    def __init__(
        self, name: str, books: Books, environment: dict[str, str], seed: str, folder: Path
    ) -> None:
        self.name = name
        self._books = books
        self._errors = folder / f"{name}.err"
        self._states: set[str] = set()
        with self._errors.open("w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.soak.loads", name, seed, str(folder)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, args=[self.process.stdout])
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until(self, state: str) -> None:
        self._books.wait_for(lambda: state in self._states)

    def stop(self) -> None:
        """Let it end what it is doing, and keep its connections."""
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()

    def _read(self, lines: TextIO) -> None:
        for text in lines:
            line = json.loads(text)
            if "state" in line:
                with self._books.changed:
                    self._states.add(line["state"])
                    self._books.changed.notify_all()
            else:
                self._books.enter(text, line)
        with self._books.changed:
            self._books.ended[self.name] = self._errors.read_text(encoding="utf-8")[-2000:]
            self._books.changed.notify_all()


@contextmanager
def programs(
    names: Iterable[str], books: Books, uri: str, database: str, seed: str, folder: Path
) -> Iterator[list[Program]]:
    environment = environment_of(uri, database)
    started = [Program(name, books, environment, seed, folder) for name in names]
    try:
        for program in started:
            program.wait_until("started")
        yield started
    except BaseException:
        for program in started:
            program.process.kill()
        raise
    finally:
        for program in started:
            program.end()


def environment_of(uri: str, database: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.soak.settings",
        "DJONGO_SERVICES_TEST_URI": uri,
        "SOAK_DATABASE": database,
        "PYTHONPATH": python_path(),
        # Else glibc keeps what threads have freed, in up to 8 arenas a processor and in blocks of
        # up to 32 MB. So the memory is what is in use.
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_MMAP_THRESHOLD_": "131072",
    }
