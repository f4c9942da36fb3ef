"""A soak from its beginning to its end."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymongo.read_concern import ReadConcern

from djongo_services.embedded import MongoServer
from tests.processes import ROOT
from tests.soak.auditing import audit_bank, audit_files, left_on_members
from tests.soak.disturbing import Disturber
from tests.soak.programs import Books, Program, environment_of, programs
from tests.soak.sampling import Sampler, Series

DATABASE = "soak"
CALM = ("transfer", "save", "read range", "page", "inspect", "collect", "migrate")
"""Operations that must succeed once more without a fault before the programs stop."""
WITHOUT_ALL = ("transfer", "save", "read range", "page", "inspect")
"""Operations that continue while a member is dead. An index build waits for it, because the member
has a vote, too."""
KINDS = (*CALM, "audit", "replace", "delete", "get range", "litter", "drift", "sync")
"""The minimum that a short soak does."""
PROGRAMS = ("bank", "files", "schema", "survey", "admin")


@dataclass(frozen=True, kw_only=True)
class Result:
    seed: str
    seconds: float
    """How long the load took, without what comes before and after it."""
    counts: Mapping[tuple[str, str], int]
    reasons: Mapping[tuple[str, str], int]
    faults: Mapping[str, int]
    series: Sequence[Series]
    version: str
    """The server's version."""
    wrong: Mapping[str, int]
    """Results that must not occur; empty after a good run."""


class Soak:
    """Three members, the programs, and who disturbs them."""

    def __init__(self, server: MongoServer, folder: Path, seed: str) -> None:
        self.server = server
        self.folder = folder
        self.seed = seed
        self.chance = random.Random(seed)
        self.books = Books(folder)
        self.disturber = Disturber(server, self.chance)
        self.wrong: Counter[str] = Counter()

    def manage(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "django", *command)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment_of(self.server.uri, DATABASE),
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, done: subprocess.CompletedProcess[str]) -> None:
        if done.returncode:
            command = " ".join(done.args[1:])
            said = f"{done.stdout}{done.stderr}"
            self.wrong[f"{command}: exit code {done.returncode}: {said}"] += 1

    def close(self, running: Sequence[Program]) -> None:
        """Let the programs work undisturbed and come to rest, and look for what they left open."""
        since = datetime.now(UTC)
        self.books.wait_for_more(1, CALM)
        for program in running:
            program.stop()
        for program in running:
            program.wait_until("idle")
        self.wrong.update(left_on_members(self.server, since))

    def audit(self) -> None:
        self.must(self.manage("migrate", "--noinput", "--verbosity", "0"))
        self.must(self.manage("syncmongoschema", "--noinput", "--verbosity", "0"))
        self.must(self.manage("syncmongoschema", "--check"))
        with self.server.client() as client:
            database = client.get_database(DATABASE, read_concern=ReadConcern("majority"))
            self.wrong.update(audit_bank(self.books.lines(), database))
            self.wrong.update(audit_files(self.books.lines(), database))


def soak(seed: str, load: Callable[[Soak], Any]) -> Result:
    """``load`` is called when the programs run, and disturbs them until it has enough."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak")))
        server = stack.enter_context(MongoServer(members=3))
        one = Soak(server, folder, seed)
        stack.callback(one.books.close)
        prepared = one.run("-m", "tests.soak.preparing")
        prepared.check_returncode()
        started = programs(PROGRAMS, one.books, server.uri, DATABASE, seed, folder)
        with started as running:
            pids = {"this process": os.getpid(), **{each.name: each.pid for each in running}}
            begun = time.monotonic()
            with Sampler(server, pids) as sampler:
                load(one)
            seconds = time.monotonic() - begun
            one.close(running)
            sampler.rest()
        one.audit()
        found = sampler.all_series()
        version = server.version
    grown = Counter(f"not flat: {each}" for each in found if not each.flat)
    return Result(
        seed=seed,
        seconds=seconds,
        counts=one.books.counts,
        reasons=one.books.reasons,
        faults=one.disturber.faults,
        series=found,
        version=version,
        wrong=one.books.wrong + one.wrong + grown,
    )


def for_minutes(minutes: float) -> Callable[[Soak], None]:
    def load(one: Soak) -> None:
        until = time.monotonic() + minutes * 60
        while time.monotonic() < until:
            time.sleep(one.chance.uniform(2, 6))  # The load goes on meanwhile, undisturbed.
            one.disturber.disturb()

    return load


def for_operations(number: int) -> Callable[[Soak], None]:
    """Run a number of operations of each kind, then a kill and a step-down; :meth:`Soak.close`
    waits for more after them."""

    def load(one: Soak) -> None:
        one.books.wait_for_more(number, KINDS)
        one.disturber.kill_primary(lambda _: one.books.wait_for_more(number, WITHOUT_ALL))
        one.disturber.step_down(lambda _: None)

    return load
