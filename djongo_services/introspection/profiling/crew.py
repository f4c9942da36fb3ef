"""A few threads that work on one collection, and can all be stopped at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from djongo_services.introspection.progress import Stop

Result = TypeVar("Result")

THREADS: Final = 3
"""Queries at a time: two keep two processors of the server busy, the third while one of them
waits for the client; more would take a production server's attention from its work."""

_TICK: Final = 0.05
"""Seconds between looks at the caller's stop event."""


class Crew:
    """Runs tasks in threads; :attr:`halt` tells the tasks to end.

    It is set by the caller's stop event, by the first error and by whatever interrupts the caller
    (Ctrl-C), so that no operation is left running on the server.
    """

    def __init__(self, stop: Stop | None, tick: Callable[[], None]) -> None:
        self.halt = threading.Event()
        self._stop = stop
        self._tick = tick

    def run(self, tasks: Iterable[Callable[[], Result]]) -> Iterator[Result]:
        """Results as they come, in no order; the first error of a task is raised."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="profile") as pool:
            waiting: set[Future[Result]] = {pool.submit(task) for task in tasks}
            try:
                while waiting:
                    done, waiting = wait(waiting, timeout=_TICK, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
                    self._look()
            finally:
                if waiting:
                    self.halt.set()
                    pool.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> None:
        self._tick()
        if self._stop is not None and self._stop.is_set():
            self.halt.set()
