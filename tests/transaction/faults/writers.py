"""Threads and tasks that work at the same time, each with a separate identity."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.transaction.faults.ledger import Ledger

THREADS = 3
TASKS = 3

Going = Callable[[int], bool]
"""Whether a writer continues, by the number of works that it has done."""


def start(group: asyncio.TaskGroup, ledger: Ledger, going: Going, **how: Any) -> None:
    """Half of the writers try again, the others do not; every third work fails by itself.

    ``how``: what else the works are.
    """
    for writer in range(THREADS):
        group.create_task(asyncio.to_thread(_write, ledger, writer, going, how))
    for writer in range(THREADS, THREADS + TASKS):
        group.create_task(_awrite(ledger, writer, going, how))


def retries(writer: int) -> bool:
    return writer % 2 == 0


def _write(ledger: Ledger, writer: int, going: Going, how: dict[str, Any]) -> None:
    done = 0
    while going(done):
        work = ledger.new(writer, fail=done % 3 == 2, **how)
        ledger.run(work, retry=retries(writer))
        done += 1


async def _awrite(ledger: Ledger, writer: int, going: Going, how: dict[str, Any]) -> None:
    done = 0
    while going(done):
        work = ledger.new(writer, fail=done % 3 == 2, **how)
        await ledger.arun(work, retry=retries(writer))
        done += 1


async def while_writing(ledger: Ledger, disturb: Callable[[], object], **how: Any) -> None:
    """Writers before, during and after ``disturb``, which is called in a thread."""
    stop = asyncio.Event()

    def act() -> None:
        ledger.wait_for_more(20)
        disturb()
        ledger.wait_for_more(20)

    async with asyncio.TaskGroup() as group:
        start(group, ledger, lambda _: not stop.is_set(), **how)
        try:
            await asyncio.to_thread(act)
        finally:
            stop.set()
