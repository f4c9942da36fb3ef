"""Threads of this process whose work continues after the page has responded."""

from __future__ import annotations

import atexit
import contextvars
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import connections as databases

from djongo_services.conf import settings
from djongo_services.progress import Stop

EXIT_SECONDS = 5.0
"""How long the end of the process waits for work to be interrupted and recorded as such."""

MOMENT = 1.2
"""Seconds for which a page waits for what it has begun; most work takes less."""

_under_way: set[Background] = set()


@dataclass(kw_only=True, eq=False)
class Background:
    """Work that will be done, or is in progress, in this process."""

    stop: Stop = field(default_factory=threading.Event)
    """Set when the process ends, too."""
    ended: threading.Event = field(default_factory=threading.Event)

    def begin(self, work: Callable[[], None], *, name: str, seconds: float = 0.0) -> bool:
        """Do ``work``, wait for at most ``seconds``, and return whether it has ended."""
        _under_way.add(self)

        def run() -> None:
            try:
                work()
            finally:
                databases.close_all()
                _under_way.discard(self)
                self.ended.set()

        # In a context of its own: without the transaction and the session of the request.
        outside = contextvars.Context()
        threading.Thread(
            target=outside.run, args=(run,), name=f"djongo_services-{name}", daemon=True
        ).start()
        return self.ended.wait(seconds)


def a_moment() -> float:
    """Seconds for which a page waits for what it has begun; less than its whole time."""
    return min(MOMENT, settings.admin.timeout * 0.7)


class Room:
    """The number of jobs of one kind that this process runs in parallel."""

    def __init__(self, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)

    def reserve(self) -> bool:
        """Reserve a place for one more job if there is one; it must then be used, or released."""
        return self._places.acquire(blocking=False)

    def release(self) -> None:
        self._places.release()


if hasattr(os, "register_at_fork"):
    # A forked child has none of its parent's threads, so its end waits for none of them.
    os.register_at_fork(after_in_child=_under_way.clear)


@atexit.register
def _interrupt() -> None:
    """Interrupt the work, so that no history shows it as running permanently."""
    begun = list(_under_way)
    for each in begun:
        each.stop.set()
    for each in begun:
        each.ended.wait(EXIT_SECONDS)
