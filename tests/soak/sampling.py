"""The memory of every process, and what the members count, a sample every few seconds."""

from __future__ import annotations

import os
import statistics
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from djongo_services.embedded import MongoServer

PAGE = os.sysconf("SC_PAGE_SIZE")
MB = 1024 * 1024
EVERY = 2.0
"""Seconds."""
LEAST = 30
"""Samples, below which nothing is said about growth."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The median of the last third may be above that of the middle third by so much."""

    share: float
    more: float

    def limit(self, middle: float) -> float:
        return middle * (1 + self.share) + self.more


MEMORY = Rule(share=0.05, more=8)
"""Megabytes. What takes and frees memory all the time does not come to rest at one size: glibc
keeps what threads have freed, and a file at the moment of the sample is 3 MB."""
CACHE = 256
"""Megabytes of an embedded member's cache, its default."""
MEMBER = CACHE + 400
"""Megabytes that a member may have at any time. It is killed and begins anew, so that thirds of the
load say nothing; an idle one has some 100 besides its cache, and its connections 1 each."""
CONNECTIONS = 72
"""That a member may have at any time. A pool never shrinks, so thirds of the load say only that
each member has been the primary by then: 12 threads of the load with up to 4 queries at a time, 2
that watch for each of 5 clients, and 14 of the other members and of this process."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """The measurements of one process, by thirds of the load."""

    name: str
    unit: str
    samples: int
    first: float
    middle: float
    last: float
    highest: float
    limit: float | None
    """The limit for the last third, or for the highest value where a process is restarted; None:
    not judged."""
    of_highest: bool = False
    rest: float | None = None
    """The value after the load, with all connections open and no work: what remains is kept."""

    @property
    def flat(self) -> bool:
        judged = self.highest if self.of_highest else min(self.last, self.rest or self.last)
        return self.limit is None or judged <= self.limit


def series(
    name: str,
    unit: str,
    values: Sequence[float],
    rule: Rule | None,
    *,
    highest: float | None = None,
    rest: float | None = None,
) -> Series:
    """``highest``: what it may never exceed, in the place of a rule."""
    third = max(len(values) // 3, 1)
    parts = values[:third], values[third : 2 * third] or values, values[-third:]
    first, middle, last = map(statistics.median, parts)
    limit = rule.limit(middle) if rule is not None and len(values) >= LEAST else highest
    return Series(
        name=name,
        unit=unit,
        samples=len(values),
        first=first,
        middle=middle,
        last=last,
        highest=max(values),
        limit=limit,
        of_highest=highest is not None,
        rest=rest,
    )


def resident(pid: int) -> float | None:
    """Megabytes of a process; None when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
    return pages * PAGE / MB


class Sampler:
    """A thread that samples until it is closed."""

    def __init__(self, server: MongoServer, processes: Mapping[str, int]) -> None:
        """``processes``: their ids by name; those of the members are asked each time."""
        self._server = server
        self._processes = processes
        self._rest: dict[str, float | None] = {}
        self.memory: defaultdict[str, list[float]] = defaultdict(list)
        self.connections: defaultdict[str, list[float]] = defaultdict(list)
        self.sessions: defaultdict[str, list[float]] = defaultdict(list)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def rest(self) -> None:
        """Call it when the programs are idle."""
        self._rest = {name: resident(pid) for name, pid in self._processes.items()}

    def all_series(self) -> list[Series]:
        members = {name_of(number) for number in range(len(self._server.members))}
        found = []
        for name, values in sorted(self.memory.items()):
            if name in members:
                found.append(series(name, "MB", values, None, highest=MEMBER))
            else:
                found.append(series(name, "MB", values, MEMORY, rest=self._rest.get(name)))
        for name, values in sorted(self.connections.items()):
            found.append(series(name, "connections", values, None, highest=CONNECTIONS))
        for name, values in sorted(self.sessions.items()):
            found.append(series(name, "sessions", values, None))
        return found

    def _run(self) -> None:
        with ExitStack() as stack:
            clients = {
                name_of(member.number): stack.enter_context(
                    MongoClient[Any](
                        member.address,
                        directConnection=True,
                        serverSelectionTimeoutMS=500,
                        socketTimeoutMS=500,
                    )
                )
                for member in self._server.members
            }
            while not self._ended.wait(EVERY):
                self._sample_memory()
                for name, client in clients.items():
                    self._sample_member(name, client)

    def _sample_memory(self) -> None:
        pids = {**self._processes, **{name_of(m.number): m.pid for m in self._server.members}}
        for name, pid in pids.items():
            size = resident(pid)
            if size:
                self.memory[name].append(size)

    def _sample_member(self, name: str, client: MongoClient[Any]) -> None:
        try:
            status = client.admin.command("serverStatus")
        except PyMongoError:
            return  # It is down or stopped.
        self.connections[name].append(status["connections"]["current"])
        self.sessions[name].append(status["logicalSessionRecordCache"]["activeSessionsCount"])


def name_of(number: int) -> str:
    return f"member {number}"
